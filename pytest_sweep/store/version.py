"""The number of the database's schema, which who only reads a version need not import SQLAlchemy for."""

from __future__ import annotations

SCHEMA_VERSION = 5
"""Kept in SQLite's ``PRAGMA user_version``. A change of the tables raises it, and adds a step to `store/migrations.py`."""
