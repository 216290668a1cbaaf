"""What a body returns or yields becomes metrics, or a failure that says what it should have been."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from pytest_sweep.model import StopRule, Sweep, Task, Trial
from pytest_sweep.worker.body import wrap_body
from pytest_sweep.worker.judgement import TrialStopped
from pytest_sweep.worker.trial import ActiveTrial

OWN = ("time_total_s", "time_this_iter_s", "timestamp", "training_iteration")


class Body:
    """Runs functions as the body of a trial."""

    def __init__(self, folder: Path, metric: str | None = None, stop: tuple[StopRule, ...] = ()) -> None:
        trial = Trial(
            "0" * 16, "test_a.py::train[a=1]", "train[a=1]", Sweep("test_a.py::train", "train", stop=stop), {}
        )
        self.emitted: list[Any] = []
        self.trial = ActiveTrial(Task(trial, 1, str(folder)), self.emitted.append)
        self.metric = metric

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return wrap_body(function, self.trial, self.metric)

    def run(self, function: Callable[..., Any]) -> dict[str, Any] | None:
        """Run `function` and return the trial's metrics without our own."""
        assert self.wrap(function)() is None
        return plain(self.trial.metrics)

    @property
    def reports(self) -> list[dict[str, Any] | None]:
        return [plain(event.metrics) for event in self.emitted]


def plain(metrics: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if metrics is None else {name: value for name, value in metrics.items() if name not in OWN}


@pytest.fixture
def body(tmp_path: Path) -> Body:
    return Body(tmp_path)


class TestReturns:
    @pytest.mark.parametrize(
        ("returned", "metrics"),
        [
            ({"loss": 0.5}, {"loss": 0.5}), ({}, {}), (None, None), (0, {"value": 0}), (0.0, {"value": 0.0}),
            (3, {"value": 3}), (2.5, {"value": 2.5}),
        ],
    )  # fmt: skip
    def test_what_a_body_may_return(self, body: Body, returned: object, metrics: dict[str, Any] | None) -> None:
        """A dict is metrics, a number is the metric `value`, None is nothing; zero and the empty dict are not nothing."""
        assert body.run(lambda: returned) == metrics

    def test_a_number_is_the_sweep_s_metric(self, tmp_path: Path) -> None:
        """A number has the name of the metric that the sweep is judged by."""
        assert Body(tmp_path, metric="loss").run(lambda: 0.5) == {"loss": 0.5}

    def test_numpy(self, body: Body) -> None:
        """A scalar of numpy is a number."""
        numpy = pytest.importorskip("numpy")
        metrics = body.run(lambda: numpy.float32(0.5))
        assert metrics == {"value": 0.5}
        assert type(metrics["value"]) is float

    @pytest.mark.parametrize(
        ("returned", "shown"), [("good", "'good' (str)"), (True, "True (bool)"), ([1], "[1] (list)"), (b"", "b'' (bytes)")]
    )  # fmt: skip
    def test_what_it_may_not(self, body: Body, returned: object, shown: str) -> None:
        """Anything else fails the trial with a sentence that shows it."""
        with pytest.raises(pytest.fail.Exception) as caught:
            body.run(lambda: returned)
        assert str(caught.value) == (
            f"train[a=1] returned what is not metrics: metrics are a dict such as {{'loss': 0.1}}, not {shown}. "
            "A body returns a dict of metrics, a number or None"
        )

    def test_a_bad_value(self, body: Body) -> None:
        """A dict with a value that is no metric fails with the name of that metric."""
        with pytest.raises(pytest.fail.Exception, match=r"metric 'model' is <object object"):
            body.run(lambda: {"model": object()})

    def test_its_errors_pass(self, body: Body) -> None:
        """What a body raises is raised."""

        def fail() -> None:
            raise ValueError("boom")

        with pytest.raises(ValueError, match="boom"):
            body.run(fail)


class TestGenerators:
    def test_yields_are_reports(self, body: Body) -> None:
        """What a generator yields is reported, what it returns completes the last report."""

        def train() -> Generator[dict[str, Any], None, dict[str, Any]]:
            yield {"loss": 2}
            yield {"loss": 1}
            return {"size": 3}

        assert body.run(train) == {"loss": 1, "size": 3}
        assert body.reports == [{"loss": 2}, {"loss": 1}]

    def test_nothing_yielded(self, body: Body) -> None:
        """A generator that yields nothing may still return metrics."""

        def train() -> Generator[dict[str, Any], None, int]:
            yield from ()
            return 3

        assert body.run(train) == {"value": 3}

    @pytest.mark.parametrize("yielded", [0.5, None, "text", {"training_iteration": 1}, {"a": object()}])
    def test_bad_yields(self, body: Body, yielded: Any) -> None:
        """A generator that yields no metrics is closed there, and fails its trial."""
        closed = []

        def train() -> Generator[Any, None, None]:
            try:
                yield {"loss": 1}
                yield yielded
            finally:
                closed.append(True)

        with pytest.raises(pytest.fail.Exception, match=r"train\[a=1\] yielded what is not a report: "):
            body.run(train)
        assert closed == [True]
        assert body.reports == [{"loss": 1}]

    def test_a_stop_rule_closes_it(self, tmp_path: Path) -> None:
        """Where a stop rule is met the generator goes no further, and its finally blocks run."""
        body = Body(tmp_path, stop=(StopRule("loss", "<", 2),))
        seen: list[object] = []

        def train() -> Generator[dict[str, Any], None, None]:
            try:
                for loss in (3, 2, 1, 0):
                    seen.append(loss)
                    yield {"loss": loss}
            finally:
                seen.append("closed")

        with pytest.raises(TrialStopped):
            body.run(train)
        assert seen == [3, 2, 1, "closed"]


class TestAsync:
    def test_it_stays_async(self, body: Body) -> None:
        """An async body stays a coroutine function, which its plugins look for, and its return value is taken."""

        async def train(lr: float) -> dict[str, float]:
            await asyncio.sleep(0)
            return {"loss": lr}

        wrapped = body.wrap(train)
        assert inspect.iscoroutinefunction(wrapped)
        assert asyncio.run(wrapped(lr=0.5)) is None
        assert plain(body.trial.metrics) == {"loss": 0.5}

    def test_an_async_generator(self, body: Body) -> None:
        """An async generator is not supported, and says what was returned instead of passing without having run."""

        async def train() -> Any:
            yield {"loss": 1}

        with pytest.raises(pytest.fail.Exception, match="async_generator"):
            body.run(train)


class TestWrapping:
    def test_the_signature_stays(self, body: Body) -> None:
        """Pytest sees the name and the arguments of the body itself."""

        def train(lr: float, tmp_path: Path) -> None: ...

        wrapped = body.wrap(train)
        assert inspect.signature(wrapped) == inspect.signature(train)
        assert wrapped.__name__ == "train"

    def test_methods(self, body: Body) -> None:
        """A bound method keeps its instance."""

        class Models:
            lr = 3

            def train(self) -> int:
                return self.lr

        assert body.run(Models().train) == {"value": 3}

    def test_the_clock_starts_with_the_body(self, body: Body) -> None:
        """time_total_s counts from the body, not from its fixtures."""
        body.trial._began -= 1000
        body.run(lambda: 1)
        assert body.emitted[0].metrics["time_total_s"] < 100
