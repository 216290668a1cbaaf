"""Which failures are tried again, and when."""

from __future__ import annotations

import re

import pytest

from pytest_sweep.errors import DefinitionError
from pytest_sweep.model.retry import RetryOn, backoff_seconds, type_names

LINE = "FileNotFoundError: [Errno 2] No such file: 'data.npy'"


@pytest.mark.parametrize(
    ("given", "covered"),
    [
        ((), True),
        (OSError, True),
        (FileNotFoundError, True),
        (ValueError, False),
        ((ValueError, "No such file"), True),
        ("no such file", False),
        (re.compile(r"^FileNotFoundError: .*npy"), True),
        ([re.compile("torch"), KeyError], False),
    ],
)
def test_what_is_covered(given: object, covered: bool) -> None:
    """A failure is covered by its class or a base of it, a part of its text, or a pattern; by nothing at all always."""
    assert RetryOn.parse(given).covers(type_names(FileNotFoundError), LINE) is covered


@pytest.mark.parametrize("given", [5, "", (OSError, None), re.compile(b"x"), int])
def test_what_is_no_condition(given: object) -> None:
    """What can never match is an error."""
    with pytest.raises(DefinitionError, match="is neither an exception class nor a text"):
        RetryOn.parse(given)


def test_backoff_doubles() -> None:
    """A trial waits twice as long each time, give or take a quarter, but no longer than an hour and a quarter."""
    for failures in range(1, 40):
        wanted = min(10 * 2 ** (failures - 1), 3600)
        assert 0.75 * wanted <= backoff_seconds(10, failures, "a" * 16) <= 1.25 * wanted


def test_the_longest_backoff() -> None:
    """In the end trials wait for an hour, give or take a quarter: some longer than an hour, on average just that."""
    waits = [backoff_seconds(10, 50, f"{number:016x}") for number in range(2000)]
    assert max(waits) > 1.2 * 3600
    assert abs(sum(waits) / len(waits) - 3600) < 50


def test_backoff_spreads() -> None:
    """Trials that failed together come back at different times, the same ones in every run."""
    waits = [backoff_seconds(10, 1, f"{number:016x}") for number in range(50)]
    assert len(set(waits)) == 50
    assert waits == [backoff_seconds(10, 1, f"{number:016x}") for number in range(50)]


def test_no_backoff() -> None:
    """Without a backoff nothing waits."""
    assert backoff_seconds(0, 5, "a" * 16) == 0
