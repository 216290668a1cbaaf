"""Helpers that only our own tests use."""
