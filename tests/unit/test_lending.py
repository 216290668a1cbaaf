"""What an executor lends to a session: shared fixtures, fetched before the trials that use them."""

from __future__ import annotations

from typing import Any

from pytest_sweep.model.shared import FailedFixture
from pytest_sweep.wire.parcel import Parcel
from pytest_sweep.worker.lending import Lender


class Fetching(Lender):
    """A lender whose offers are numbers of parcels; None of them is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[Any] = []

    def fetch(self, offer: Any) -> Parcel | None:
        self.fetched.append(offer)
        return None if offer is None else Parcel.pack(offer)


def value(lender: Lender, fixture: str) -> object:
    parcel = lender.shared(fixture)
    assert isinstance(parcel, Parcel)
    return parcel.open()


def test_fetched_once() -> None:
    """A value is fetched for the first trial that uses it, and kept for the session, also when it was built again meanwhile."""
    lender = Fetching()
    lender.offer({"data": 1, "other": 2})
    assert lender.prepare(["data"]) == ""
    lender.offer({"data": 3})
    assert lender.prepare(["data"]) == ""
    assert lender.fetched == [1]
    assert value(lender, "data") == 1


def test_what_is_lost_is_named() -> None:
    """The first one that is lost is returned; so is one that nobody has offered; both can be had later."""
    lender = Fetching()
    lender.offer({"data": None})
    assert lender.prepare(["data", "other"]) == "data"
    lender.offer({"data": 1})
    assert lender.prepare(["data", "other"]) == "other"
    lender.offer({"other": 2})
    assert lender.prepare(["data", "other"]) == ""


def test_what_has_failed_is_told() -> None:
    """One that has failed is not fetched: it is there, as what went wrong."""
    lender, failed = Fetching(), FailedFixture("no such table")
    lender.offer({"data": failed})
    assert lender.prepare(["data"]) == ""
    assert lender.shared("data") is failed
    assert lender.fetched == []


def test_what_no_trial_has_named() -> None:
    """One that was not prepared is not there."""
    lender = Fetching()
    lender.offer({"data": 1})
    assert lender.shared("data") is None
