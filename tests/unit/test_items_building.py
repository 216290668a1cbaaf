"""The items of trials that arrive together are built together, and each is its own trial's."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pytest_sweep.items.building import MOST_AT_ONCE, ItemBuilder
from pytest_sweep.model.trials import Sweep, Task, Trial
from pytest_sweep.wire.task import PackedTask

PLAIN = """
    from pytest_sweep import sweep

    @sweep(grid={"n": [1], "m": [1]})
    def train(n, config):
        pass
"""
STACKED = """
    import pytest
    from pytest_sweep import sweep

    @pytest.mark.parametrize("data", list(range(20)))
    @sweep(grid={"n": [1]})
    def train(n, data, config):
        pass
"""
SWEEP = Sweep("test_it.py::train", "train")


def trial(number: int, stacked: str = "", **config: object) -> Trial:
    """Return a trial whose label is its number."""
    name = f"train[n={number}{stacked}]"
    return Trial(
        f"{name:>16}", f"test_it.py::{name}", name, SWEEP, config or {"n": number, "m": 0}, label=f"n={number}"
    )


class Build:
    """Builds trials in a session: each its own, in order, as a worker does.

    Attributes:
        items: the items, or the errors that came instead.
        generated: how many items there were after each call of ``pytest_generate_tests``.
    """

    def __init__(self, pytester: pytest.Pytester, source: str, trials: Sequence[Trial]) -> None:
        pytester.makepyfile(test_it=source)
        self.items: list[pytest.Function | Exception] = []
        self.generated: list[int] = []
        self._builder = ItemBuilder(["test_it.py"], lambda task: task)
        self._trials = trials
        self.result = pytester.inline_run("-p", "no:hypothesispytest", plugins=[self])

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        config.pluginmanager.register(self._builder)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> bool:
        return True

    @pytest.hookimpl(trylast=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        self.generated.append(len(metafunc._calls))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        session.perform_collect(["test_it.py"])
        packed = [PackedTask.pack(Task(trial, 1, "/results/train")) for trial in self._trials]
        self._builder.expect(packed)
        for one in packed:
            self.items.append(self._build(session, one))
        return True

    def _build(self, session: pytest.Session, packed: PackedTask) -> pytest.Function | Exception:
        try:
            return self._builder.build(session, self._builder.unpack(packed).trial)
        except Exception as error:
            return error

    @property
    def built(self) -> list[pytest.Function]:
        """The items that were built."""
        return [item for item in self.items if isinstance(item, pytest.Function)]


def test_trials_that_arrive_together_are_built_together(pytester: pytest.Pytester) -> None:
    """After the first one, which shows what a trial makes, the function is parametrized once for all others."""
    build = Build(pytester, PLAIN, [trial(number) for number in range(30)])
    assert build.generated == [1, 29]
    assert [item.name for item in build.built] == [f"train[n={number}]" for number in range(30)]
    assert [item.callspec.params["n"] for item in build.built] == list(range(30))


def test_no_more_at_once_than_are_to_be_held(pytester: pytest.Pytester) -> None:
    """Where a stacked parametrize makes 20 items of each point, three points are built at once, and not 64."""
    build = Build(pytester, STACKED, [trial(number, "-7") for number in range(10)])
    assert build.generated == [20, 60, 60, 60]
    assert MOST_AT_ONCE == 64
    assert [item.name for item in build.built] == [f"train[n={number}-7]" for number in range(10)]


def test_each_has_a_configuration_of_its_own(pytester: pytest.Pytester) -> None:
    """Trials that only a stacked parametrize tells apart do not share the dictionary that one of them may change."""
    build = Build(pytester, STACKED, [trial(1, f"-{data}") for data in range(5)])
    configs = [item.callspec.params["config"] for item in build.built]
    assert len({id(config) for config in configs}) == 5
    assert [item.callspec.params["data"] for item in build.built] == list(range(5))


class Broken:
    """A value that leaves, and does not arrive."""

    def __reduce__(self) -> tuple[object, ...]:
        return int, ("broken",)


def test_one_that_cannot_be_unpacked_fails_alone(pytester: pytest.Pytester) -> None:
    """The error of unpickling is raised in the trial's own turn; those that came with it are built."""
    build = Build(pytester, PLAIN, [trial(0), trial(1), trial(2, n=Broken()), trial(3)])
    assert [type(item) for item in build.items] == [pytest.Function, pytest.Function, ValueError, pytest.Function]
    assert [item.name for item in build.built] == ["train[n=0]", "train[n=1]", "train[n=3]"]


def test_one_that_does_not_go_with_the_others_is_built_alone(pytester: pytest.Pytester) -> None:
    """A configuration without an argument that the others have spoils it for nobody; its own trial misses the argument."""
    build = Build(pytester, PLAIN, [trial(0), trial(1), trial(2, m=5), trial(3)])
    assert [item.callspec.params.get("n") for item in build.built] == [0, 1, None, 3]


def test_a_trial_that_the_sweep_does_not_make(pytester: pytest.Pytester) -> None:
    """The error names what the function makes instead."""
    (error,) = Build(pytester, STACKED, [trial(1, "-99")]).items
    assert str(error).startswith("train[n=1-99] is not among ['train[n=1-0]', 'train[n=1-1]',")
