"""Runs trials in processes of this machine, over execnet and without Ray."""
