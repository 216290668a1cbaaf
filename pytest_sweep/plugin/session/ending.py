"""Ends the session where pytest's own loop would: after ``-x``, ``--maxfail``, or when a plugin wants to stop."""

from __future__ import annotations

import pytest


def raise_if_ended(session: pytest.Session) -> None:
    """Raise what ends the session, if something wants it to end."""
    if session.shouldfail:
        raise session.Failed(session.shouldfail)
    if session.shouldstop:
        raise session.Interrupted(session.shouldstop)
