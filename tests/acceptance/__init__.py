"""Whole sessions of pytest, in temporary projects, with trials in this process."""
