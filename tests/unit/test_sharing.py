"""The decorator of shared fixtures, and what may be asked for with it."""

from __future__ import annotations

import pytest

from pytest_sweep.errors import DefinitionError, ResourcesError
from pytest_sweep.model.resources import Resources
from pytest_sweep.model.shared import SharedFixture, shared_request
from pytest_sweep.sharing import shared, shared_arguments


def load() -> int:
    return 1


def test_it_leaves_the_function_as_it_is() -> None:
    """A function is returned as it was given, with a note; one without the note is not shared."""

    def data() -> int:
        return 1

    assert shared(data) is data
    assert shared_arguments(data) == {}
    assert shared_arguments(load) is None


def test_above_or_below_the_fixture() -> None:
    """Both orders put the note on the function that pytest keeps."""

    def data() -> int:
        return 1

    def other() -> int:
        return 1

    above = shared(cpu=2)(pytest.fixture(scope="session")(data))
    pytest.fixture(scope="session")(shared(memory="1GiB")(other))
    assert isinstance(above, type(pytest.fixture(scope="session")(load)))
    assert shared_arguments(data) == {"cpu": 2}
    assert shared_arguments(other) == {"memory": "1GiB"}


@pytest.mark.parametrize("what", ["data", 3, [1]])
def test_what_is_no_function(what: object) -> None:
    """On anything else it is an error that says where it belongs."""
    with pytest.raises(DefinitionError, match=r"@shared decorates a fixture, not .*write it above @pytest.fixture"):
        shared(what)  # type: ignore[call-overload]


def test_requests() -> None:
    """What its process holds is read as for trials; one CPU where nothing is said."""
    assert shared_request({}).resources == Resources(cpu=1)
    request = shared_request({"cpu": 0.5, "memory": "1GiB", "custom": {"db": 1}, "labels": {"zone": "a"}})
    assert request.resources == Resources(cpu=0.5, memory=2**30, custom=(("db", 1.0),))
    assert request.placement.labels == (("zone", "a"),)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"gpu": 1}, "gpu=1 is not for a shared fixture: its value travels through memory"),
        ({"workers": 2}, "workers=2 is not for a shared fixture: one process builds it"),
        ({"strategy": "PACK"}, "strategy='PACK' is not for a shared fixture"),
        ({"nodes": 2}, "nodes=2 is not for a shared fixture"),
        ({"cpus": 2}, "'cpus' is not a resource: did you mean 'cpu'"),
        ({"cpu": -1}, "cpu=-1 is negative"),
    ],
)
def test_what_cannot_be_asked_for(arguments: dict[str, object], problem: str) -> None:
    """It is named, and why."""
    with pytest.raises(ResourcesError) as error:
        shared_request(arguments)
    assert problem in str(error.value)


def test_in_words() -> None:
    """Messages call it by its name and the file that it is written in."""
    fixture = SharedFixture("::data of conftest.data", "data", "tests/conftest.py", "test_models.py::train")
    assert str(fixture) == "the shared fixture 'data' of tests/conftest.py"
