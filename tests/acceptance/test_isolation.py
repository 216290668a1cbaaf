"""What one trial does to its process is not met by the next one, in the driver's process and in workers."""

from __future__ import annotations

import time

import pytest

from .project import Project, assert_says, output

EXECUTORS = {
    "inline": ("--sweep-executor=inline",),
    "processes": ("--sweep-executor=processes", "--sweep-max-concurrent=1"),
}


@pytest.fixture(params=list(EXECUTORS.values()), ids=list(EXECUTORS))
def executor(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The arguments that name where trials run, all in one process."""
    chosen: tuple[str, ...] = request.param
    return chosen


def test_a_trial_starts_as_its_worker_started(project: Project, executor: tuple[str, ...]) -> None:
    """Arguments, folder, environment, handlers, filters and random numbers are those of the worker's start."""
    project.write("""
        import os, random, signal, sys, warnings
        import numpy.random

        def look():
            return [
                sys.argv, os.getcwd(), sorted((k, v) for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"),
                str(signal.getsignal(signal.SIGUSR1)), len(warnings.filters),
                random.random(), numpy.random.random(),
            ]

        @sweep(grid={"n": [1, 2, 3]})
        def train(n, tmp_path):
            seen = look()
            sys.argv = ["mine", "--here"]
            os.chdir(tmp_path)
            os.environ["MINE"] = os.environ.pop("PATH")
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)
            warnings.simplefilter("ignore")
            random.seed(n)
            numpy.random.seed(n)
            return {"seen": str(seen)}

        def test_the_driver_too():
            assert "MINE" not in os.environ
            assert "PATH" in os.environ

        def test_alike(sweep_results):
            assert len({result.metrics["seen"] for result in sweep_results["train"]}) == 1
    """)
    result = project.sweep(*executor)
    assert result.ret == 0, output(result)


def test_what_wider_fixtures_change_stays_as_long_as_they_do(project: Project, executor: tuple[str, ...]) -> None:
    """A module's or a class's fixture may change folder and environment for all its trials; its teardown ends that."""
    project.write("""
        import os, random
        START = os.getcwd()

        @pytest.fixture(scope="module", autouse=True)
        def there(tmp_path_factory):
            os.environ["OF_MODULE"] = "1"
            os.chdir(tmp_path_factory.mktemp("there"))
            random.seed(7)
            yield
            os.chdir(START)
            del os.environ["OF_MODULE"]

        @pytest.fixture(scope="module", params=["a", "b"])
        def each(request):
            os.environ["EACH_" + request.param] = "1"
            yield request.param
            del os.environ["EACH_" + request.param]

        @sweep(grid={"n": [1, 2]})
        def train(n, each, monkeypatch):
            monkeypatch.setenv("OF_TRIAL", "1")
            os.environ["LEFT"] = "1"
            here = os.getcwd()
            os.chdir("/")
            return {
                "folder": os.path.basename(here), "each": [x for x in "ab" if "EACH_" + x in os.environ] == [each],
                "module": os.environ["OF_MODULE"], "random": random.random(),
            }

        def test_alike(sweep_results):
            found = [r.metrics for r in sweep_results["train"]]
            assert {m["folder"] for m in found} == {"there0"}
            assert all(m["each"] for m in found), found
            assert len({m["random"] for m in found}) == 1
    """)
    project.write(
        """
        import os

        @sweep(grid={"n": [1]})
        def after(n):
            assert not {"OF_MODULE", "EACH_a", "EACH_b", "OF_TRIAL", "LEFT"} & set(os.environ)
            assert os.getcwd() != "/"
            assert "there" not in os.getcwd()
        """,
        "test_others.py",
    )
    result = project.sweep(*executor)
    assert result.ret == 0, output(result)


def test_a_thread_that_outlives_its_trial(project: Project, executor: tuple[str, ...]) -> None:
    """What a late thread reports is not the next trial's; the thread is told."""
    project.write("""
        import threading
        go, done, told = threading.Event(), threading.Event(), []

        def late():
            assert go.wait(30)
            try:
                report({"owner": 1})
            except Exception as error:
                told.append(f"{type(error).__name__}: {error}")
            done.set()

        @sweep(grid={"n": [1, 2]})
        def train(n):
            if n == 1:
                threading.Thread(target=late).start()
                return
            go.set()
            assert done.wait(30)
            report({"owner": 2, "told": told[0]})

        def test_its_own(sweep_results):
            first, second = sweep_results["train"]
            assert first.metrics_history == []
            assert [m["owner"] for m in second.metrics_history] == [2]
            assert second.metrics["told"].startswith("SweepError: train[n=1] has ended")
    """)
    result = project.sweep(*executor)
    assert result.ret == 0, output(result)


@pytest.mark.parametrize(
    "frozen",
    [
        "freezegun.freeze_time('2012-01-14')",
        "freezegun.freeze_time('2012-01-14', auto_tick_seconds=1000)",
        "time_machine.travel('2012-01-14', tick=False)",
        "time_machine.travel('2092-01-14')",
        "patched()",
    ],
)
def test_frozen_clocks(project: Project, executor: tuple[str, ...], frozen: str) -> None:
    """Our timestamps and durations are real, in a trial and in a fixture of the session that freeze or break the clock."""
    real = """
        import contextlib, datetime, threading, time
        import freezegun, time_machine

        @contextlib.contextmanager
        def patched():
            def broken():
                raise RuntimeError("no clock")
            with pytest.MonkeyPatch.context() as patch:
                for name in ("time", "monotonic", "sleep"):
                    patch.setattr(time, name, broken)
                yield
    """
    project.write(f"""{real}
        @sweep(grid={{"n": [1, 2]}}, timeout=60)
        def train(n, trial):
            with {frozen}:
                for i in range(3):
                    trial.report({{"i": i}})
                    threading.Event().wait(0.05)
    """)
    project.write(
        f"""{real}
        @pytest.fixture(scope="module")
        def frozen():
            with {"contextlib.nullcontext()" if "patched" in frozen else frozen}:
                yield

        @sweep(grid={{"n": [1, 2]}}, timeout=60)
        def inside(n, trial, frozen):
            for i in range(3):
                trial.report({{"i": i}})
                threading.Event().wait(0.05)
    """,
        "test_session.py",
    )
    result = project.sweep(*executor)
    assert result.ret == 0, output(result)
    for name in ("train", "inside"):
        for trial in project.grid(name):
            assert trial.duration is not None
            assert 0.1 < trial.duration < 60
            times = [m["timestamp"] for m in trial.metrics_history]
            assert times == sorted(times)
            assert abs(times[-1] - time.time()) < 120
            assert all(0 <= m["time_total_s"] < 60 for m in trial.metrics_history)


@pytest.mark.parametrize(
    ("how", "status", "says"),
    [
        ("request.session.shouldstop = 'enough'", 2, "!!! enough !!!"),
        ("request.session.shouldfail = 'enough'", 1, "!!! enough !!!"),
        ("pytest.exit('enough')", 2, "Exit: enough"),
        ("pytest.exit('enough', returncode=9)", 9, "Exit: enough"),
    ],
)
def test_a_trial_that_ends_the_session(
    project: Project, executor: tuple[str, ...], how: str, status: int, says: str
) -> None:
    """The exit status is plain pytest's; a trial that only asks for the end has itself passed."""
    project.write(f"""
        @sweep(grid={{"n": [1, 2, 3]}})
        def train(n, request):
            {how}
    """)
    result = project.sweep(*executor)
    assert result.ret == status, output(result)
    first, *others = project.grid()
    assert str(first.state) == ("INTERRUPTED" if "exit" in how else "TERMINATED")
    assert {str(other.state) for other in others} == {"NOT_RUN"}
    if executor[0].endswith("inline"):
        assert_says(result, says.replace("!!! ", " ").replace(" !!!", " "))
