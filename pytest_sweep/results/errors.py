"""The errors of who asks for runs and results. Knows nothing of either."""

from __future__ import annotations

from pytest_sweep.errors import StoreError, SweepError


class QueryError(SweepError, ValueError):
    """A question to results that is not complete or misspelt; the text says what there is to choose from."""


class TagsError(StoreError):
    """The file of tags cannot be read or written."""
