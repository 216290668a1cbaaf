"""Other plugins, each alone in its sessions, with the executors inline and processes: what they are for works for trials too."""

from __future__ import annotations

import ast
import html
import json
import os
import re
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from pytest_sweep import TrialState
from tests.support.terminals import Program

from .project import Project, output

INLINE = ("--sweep-executor=inline",)
PROCESSES = ("--sweep-executor=processes", "--sweep-max-concurrent=2")
WITHOUT_XDIST = ("-pno:xdist", "-pno:xdist.looponfail")
MODULES = (
    "allure_pytest", "pytest_asyncio", "pytest_benchmark", "pytest_cov", "pytest_html", "pytest_jsonreport", "pytest_metadata",
    "pytest_mock", "pytest_order", "pytest_randomly", "pytest_rerunfailures", "pytest_split", "pytest_sugar", "pytest_timeout", "syrupy",
)  # fmt: skip
KEPT = ("sweep", "xdist", "xdist.looponfail")
"""The entry points that are not blocked."""


class Neighbour:
    """Runs sessions in which exactly one other plugin is active, with one executor.

    The arguments, ``-p no:NAME`` for each of the others, reach workers with the rest of the command line.
    """

    def __init__(self, project: Project, executor: tuple[str, ...]) -> None:
        self.project = project
        self.path = project.path
        self.write = project.write
        self.inline = executor is INLINE
        self._executor = executor
        self._wanted: tuple[str, ...] = ()

    def use(self, *modules: str) -> None:
        """Leave the plugins of these modules active; skip the test where one is not installed."""
        for module in modules:
            pytest.importorskip(module)
        self._wanted = modules

    def run(self, *arguments: str) -> pytest.RunResult:
        """Run a session; an executor among the arguments counts instead of the own one."""
        return self.project.pytester.runpytest_subprocess(*self._blocked(), "--sweep", *self._executor, *arguments)

    def command(self, *arguments: str) -> list[str]:
        """Return the command that runs a session."""
        return [sys.executable, "-m", "pytest", *self._blocked(), "--sweep", *self._executor, *arguments]

    def _blocked(self) -> list[str]:
        """Return arguments that block all other plugins."""
        return [
            f"-pno:{plugin.name}"
            for plugin in entry_points(group="pytest11")
            if plugin.name not in KEPT and plugin.value.partition(".")[0] not in self._wanted
        ]


@pytest.fixture(params=[INLINE, PROCESSES], ids=["inline", "processes"])
def neighbour(project: Project, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Neighbour:
    """An empty project whose sessions have one other plugin."""
    for name in [name for name in os.environ if name.startswith(("PYTEST_XDIST", "COV_", "COVERAGE_"))]:
        monkeypatch.delenv(name)
    return Neighbour(project, request.param)


def test_cov(neighbour: Neighbour) -> None:
    """pytest-cov shows 100 % of a helper that trials alone call, each a part, also in workers that start late."""
    neighbour.use("pytest_cov")
    neighbour.write(
        """
        def pick(n):
            if n == 0:
                return "zero"
            if n == 1:
                return "one"
            return "many"
        """,
        "helper.py",
    )
    fresh = "" if neighbour.inline else ", fresh_process=True"
    neighbour.write(f"""
        @sweep(grid={{"n": [0, 1, 2, 3]}}{fresh})
        def train(n):
            import helper

            helper.pick(n)
    """)
    result = neighbour.run("--cov=helper", "--cov-report=json", "--cov-report=term", "-Werror")
    result.assert_outcomes(passed=4)
    measured = json.loads((neighbour.path / "coverage.json").read_text())
    assert measured["totals"]["percent_covered"] == 100.0
    assert "failed workers" not in output(result)
    assert not list(neighbour.path.glob(".coverage.*"))


def test_cov_contexts(neighbour: Neighbour) -> None:
    """pytest-cov's contexts name the trial that has run a line."""
    neighbour.use("pytest_cov")
    neighbour.write("def pick(n):\n    if n:\n        return 1\n    return 2\n", "helper.py")
    neighbour.write("""
        @sweep(grid={"n": [0, 1]})
        def train(n):
            import helper

            helper.pick(n)
    """)
    (neighbour.path / ".coveragerc").write_text("[json]\nshow_contexts = true\n")
    neighbour.run("--cov=helper", "--cov-report=json", "--cov-context=test").assert_outcomes(passed=2)
    (measured,) = json.loads((neighbour.path / "coverage.json").read_text())["files"].values()
    contexts = {line: set(names) - {""} for line, names in measured["contexts"].items()}
    assert {"test_models.py::train[n=1]|run"} in contexts.values()
    assert {"test_models.py::train[n=0]|run"} in contexts.values()


def test_cov_of_a_killed_worker(neighbour: Neighbour) -> None:
    """pytest-cov names a worker that was killed, and what it had measured is missing."""
    neighbour.use("pytest_cov")
    if neighbour.inline:
        pytest.skip("inline there is no worker")
    neighbour.write("def pick(n):\n    return n\n", "helper.py")
    neighbour.write("""
        import os

        @sweep(grid={"n": [0, 1]}, fresh_process=True)
        def train(n):
            import helper

            helper.pick(n)
            if n:
                os._exit(3)
    """)
    result = neighbour.run("--cov=helper")
    result.assert_outcomes(passed=1, failed=1)
    assert re.search(r"coverage: failed workers.*\n.*\n\S+:\d+\n", output(result), re.DOTALL)


@pytest.mark.parametrize("how", ["--timeout=1", "mark", "func_only"])
def test_timeout_by_signal(neighbour: Neighbour, how: str) -> None:
    """pytest-timeout's signal fails the trial that takes too long, with its message; the others run, in the same process."""
    neighbour.use("pytest_timeout")
    mark = {"mark": "@pytest.mark.timeout(1)", "func_only": "@pytest.mark.timeout(1, func_only=True)"}.get(how, "")
    neighbour.write(f"""
        import os, time

        {mark}
        @sweep(grid={{"n": [0, 1, 2]}})
        def train(n):
            time.sleep(30 if n == 1 else 0)
            return {{"pid": os.getpid()}}
    """)
    arguments = (how,) if how.startswith("--") else ()
    result = neighbour.run("--timeout-method=signal", *arguments, "--sweep-max-concurrent=1")
    result.assert_outcomes(passed=2, failed=1)
    trials = {trial.name: trial for trial in neighbour.project.grid()}
    assert "Timeout (>1.0s) from pytest-timeout" in str(trials["train[n=1]"].error)
    pids = {trial.metrics["pid"] for trial in trials.values() if trial.metrics}
    assert len(pids) == 1


def test_timeout_by_thread(neighbour: Neighbour) -> None:
    """pytest-timeout's thread shows where the trial hangs and ends its process: in a worker that trial fails, inline the session ends."""
    neighbour.use("pytest_timeout")
    neighbour.write("""
        import time

        @sweep(grid={"n": [0, 1, 2]})
        def train(n):
            if n == 1:
                hang()

        def hang():
            time.sleep(30)
    """)
    result = neighbour.run("--timeout=1", "--timeout-method=thread")
    assert "+ Timeout +" in output(result)
    assert "in hang" in output(result)
    if neighbour.inline:
        assert result.ret == 1
        assert "[train" not in output(result)
        return
    result.assert_outcomes(passed=2, failed=1)
    assert "[train[n=1]] " in output(result)
    assert "it exited with status 1" in str(neighbour.project.grid()[1].error)


def test_session_timeout(neighbour: Neighbour) -> None:
    """pytest-timeout's --session-timeout ends the run, and says that it was that."""
    neighbour.use("pytest_timeout")
    neighbour.write("""
        import time

        @sweep(grid={"n": list(range(30))})
        def train(n):
            time.sleep(0.5)
    """)
    result = neighbour.run("--session-timeout=2")
    assert result.ret != 0
    assert "session-timeout: 2.0 sec exceeded" in output(result)
    assert any(trial.state is TrialState.NOT_RUN for trial in neighbour.project.grid())


@pytest.mark.parametrize("how", ["--reruns=2", "mark", "retries"])
def test_rerunfailures(neighbour: Neighbour, how: str) -> None:
    """What pytest-rerunfailures is told is read as our retries: each run of a body is an attempt of ours, shown as it shows them."""
    neighbour.use("pytest_rerunfailures")
    retries = ", retries=2" if how == "retries" else ""
    mark = "@pytest.mark.flaky(reruns=2)" if how == "mark" else ""
    neighbour.write(f"""
        from pathlib import Path

        {mark}
        @sweep(grid={{"n": [0, 1]}}{retries})
        def train(n, trial):
            with Path(f"log-{{n}}").open("a") as log:
                log.write(f"{{trial.attempt}}\\n")
            assert n == 0

        {mark or "@pytest.mark.flaky(reruns=1)"}
        def test_ordinary():
            with Path("log").open("a") as log:
                log.write("run\\n")
            assert len(Path("log").read_text().split()) > 1
    """)
    arguments = (how,) if how.startswith("--") else ()
    result = neighbour.run("--strict-markers", *arguments)
    attempts = (neighbour.path / "log-1").read_text().split()
    assert attempts == ["1", "2", "3"]
    assert (neighbour.path / "log-0").read_text().split() == ["1"]
    counted = result.parseoutcomes()
    assert (counted["passed"], counted["failed"]) == (2, 1)
    assert counted["rerun"] == 3  # One of them the ordinary test's.


def test_rerunfailures_in_our_words(neighbour: Neighbour) -> None:
    """Conditions that hold, filters and delays are read as retries, retry_on and backoff; a condition on the error is not, and says so."""
    neighbour.use("pytest_rerunfailures")
    neighbour.write(
        """
        def pytest_sweep_trial_start(trial):
            sweep = trial.sweep
            print(f"read {sweep.name}: {sweep.retries} {sweep.backoff} {sweep.retry_on.types} {sweep.retry_on.patterns}")
        """,
        "conftest.py",
    )
    marks = {
        "holds": "reruns=2, condition=True",
        "evaluated": "reruns=2, condition='sys.version_info < (3, 0)'",
        "on_error": "reruns=2, condition='isinstance(error, OSError)'",
        "filtered": "reruns=1, reruns_delay=3, only_rerun=['^OSError', ValueError]",
        "excepted": "reruns=1, only_rerun='Error', rerun_except='memory'",
    }
    source = "\n".join(
        f"@pytest.mark.flaky({mark})\n@sweep(grid={{'n': [0]}})\ndef {name}(n): ...\n" for name, mark in marks.items()
    )
    neighbour.write(source)
    text = output(neighbour.run("-s"))
    read = dict(re.findall(r"read (\w+): (.*)", text))
    assert read["holds"] == "2 0.0 () ()"
    assert read["evaluated"] == read["on_error"] == "0 0.0 () ()"
    assert read["filtered"] == "1 3 ('builtins:ValueError',) ('^OSError',)"
    (pattern,) = ast.literal_eval(read["excepted"].partition(" () ")[2])
    assert re.search(pattern, "OSError: full disk")
    assert not re.search(pattern, "OSError: out of memory")
    assert "on_error is not tried again: the condition" in text
    assert "is not tried again" not in text.replace("on_error is not", "")


def test_fail_on_flaky(neighbour: Neighbour) -> None:
    """With --fail-on-flaky a trial that passes only when it is tried again gives pytest-rerunfailures' status."""
    neighbour.use("pytest_rerunfailures")
    neighbour.write("""
        @sweep(grid={"n": [0, 1]})
        def train(n, trial):
            assert n == 0 or trial.attempt > 1
    """)
    assert neighbour.run("--reruns=1").ret == 0
    result = neighbour.run("--reruns=1", "--fail-on-flaky")
    result.assert_outcomes(passed=2)
    assert result.ret == 7
    assert neighbour.run("--reruns=1", "--fail-on-flaky", "-k", "n=0").ret == 0


@pytest.mark.parametrize("seed", [(), ("--randomly-seed=7",), WITHOUT_XDIST], ids=["drawn", "given", "without_xdist"])
def test_randomly(neighbour: Neighbour, seed: tuple[str, ...]) -> None:
    """pytest-randomly seeds each trial by the seed that the session shows, wherever it runs: the same numbers, other ones a trial."""
    neighbour.use("pytest_randomly")
    neighbour.write("""
        import random

        @sweep(grid={"n": [0, 1, 2, 3]})
        def train(n):
            return {"drawn": random.random()}
    """)
    result = neighbour.run(*seed, "-v")
    result.assert_outcomes(passed=4)
    shown = re.search(r"Using --randomly-seed=(\d+)", output(result))
    assert shown is not None
    first = {trial.name: trial.metrics["drawn"] for trial in neighbour.project.grid() if trial.metrics}
    assert len(set(first.values())) == 4
    neighbour.run(*INLINE, f"--randomly-seed={shown[1]}").assert_outcomes(passed=4)
    assert {trial.name: trial.metrics["drawn"] for trial in neighbour.project.grid() if trial.metrics} == first


def test_html(neighbour: Neighbour) -> None:
    """pytest-html's report has each trial once, with its outcome, its log, and the extras that it has added."""
    neighbour.use("pytest_html", "pytest_metadata")
    neighbour.write("""
        @sweep(grid={"n": [0, 1]})
        def train(n, extras):
            import pytest_html

            extras.append(pytest_html.extras.text(f"extra of {n}"))
            print(f"line of {n}")
            assert n == 0
    """)
    neighbour.run("--html=report.html", "--self-contained-html").assert_outcomes(passed=1, failed=1)
    data = re.search(r'data-jsonblob="([^"]*)"', (neighbour.path / "report.html").read_text())
    assert data is not None
    tests = json.loads(html.unescape(data[1]))["tests"]
    rows = {name: shown for name, (shown,) in tests.items()}
    assert {name: row["result"] for name, row in rows.items()} == {
        "test_models.py::train[n=0]": "Passed",
        "test_models.py::train[n=1]": "Failed",
    }
    assert "line of 1" in rows["test_models.py::train[n=1]"]["log"]
    assert len(rows["test_models.py::train[n=0]"]["extras"]) == 1


def test_json_report(neighbour: Neighbour) -> None:
    """pytest-json-report has each trial once, with its outcome, its output, its metadata and our properties."""
    neighbour.use("pytest_jsonreport", "pytest_metadata")
    neighbour.write("""
        @sweep(grid={"n": [0, 1]})
        def train(n, json_metadata):
            json_metadata["n"] = n
            print(f"line of {n}")
            assert n == 0
            return {"loss": 0.5}
    """)
    neighbour.run("--json-report", "--json-report-file=report.json").assert_outcomes(passed=1, failed=1)
    report = json.loads((neighbour.path / "report.json").read_text())
    assert report["summary"] == {"passed": 1, "failed": 1, "total": 2, "collected": 2}
    good, bad = sorted(report["tests"], key=lambda test: str(test["nodeid"]))
    assert (good["outcome"], good["metadata"], good["call"]["stdout"]) == ("passed", {"n": 0}, "line of 0\n")
    assert (bad["outcome"], bad["metadata"], bad["call"]["stdout"]) == ("failed", {"n": 1}, "line of 1\n")
    assert any("loss" in str(entry) for entry in good["user_properties"])


def test_metadata(neighbour: Neighbour) -> None:
    """pytest-metadata's values, those of the command line too, are there in trials."""
    neighbour.use("pytest_metadata")
    neighbour.write("""
        @sweep(grid={"n": [0]})
        def train(metadata):
            return {"branch": metadata["branch"], "has_python": "Python" in metadata}
    """)
    neighbour.run("--metadata", "branch", "main").assert_outcomes(passed=1)
    metrics = neighbour.project.only().metrics
    assert metrics is not None
    assert (metrics["branch"], metrics["has_python"]) == ("main", True)


def test_split(neighbour: Neighbour) -> None:
    """pytest-split's groups partition the trials, by durations that it has stored for each of them."""
    neighbour.use("pytest_split")
    neighbour.write("""
        import time

        @sweep(grid={"n": [0, 1, 2, 3]})
        def train(n):
            time.sleep(0.8 if n == 0 else 0.01)
    """)
    neighbour.run("--store-durations").assert_outcomes(passed=4)
    stored = json.loads((neighbour.path / ".test_durations").read_text())
    assert sorted(stored) == [f"test_models.py::train[n={n}]" for n in range(4)]
    assert stored["test_models.py::train[n=0]"] == pytest.approx(0.8, abs=0.3)
    ran = []
    for group, count in ((1, 1), (2, 3)):
        result = neighbour.run("--splits=2", f"--group={group}")
        result.assert_outcomes(passed=count, deselected=4 - count)
        ran += [trial.name for trial in neighbour.project.grid()]
    assert sorted(ran) == [f"train[n={n}]" for n in range(4)]


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_asyncio(neighbour: Neighbour, mode: str) -> None:
    """pytest-asyncio runs an async trial and its async fixtures; what it returns and raises counts."""
    neighbour.use("pytest_asyncio")
    mark = "@pytest.mark.asyncio" if mode == "strict" else ""
    neighbour.write(f"""
        import asyncio
        import pytest_asyncio

        @pytest_asyncio.fixture
        async def base():
            await asyncio.sleep(0)
            yield 10

        {mark}
        @sweep(grid={{"n": [0, 1]}})
        async def train(n, base):
            await asyncio.sleep(0.01)
            report({{"step": 1}})
            assert n == 0, "as wanted"
            return {{"loss": base + n}}
    """)
    neighbour.run(f"--asyncio-mode={mode}").assert_outcomes(passed=1, failed=1)
    good, bad = neighbour.project.grid()
    assert good.metrics is not None
    assert (good.metrics["loss"], good.metrics["step"]) == (10, 1)
    assert "as wanted" in str(bad.error)


def test_mock(neighbour: Neighbour) -> None:
    """pytest-mock patches for one trial, and its comparison of calls is shown."""
    neighbour.use("pytest_mock")
    neighbour.write("""
        import os

        @sweep(grid={"n": [0, 1, 2]})
        def train(n, mocker):
            assert not hasattr(os.getcwd, "mock_calls")
            mocked = mocker.patch("os.getcwd", return_value=str(n))
            value = os.getcwd()
            if n == 2:
                mocked.assert_called_once_with("elsewhere")
            return {"cwd": value}
    """)
    result = neighbour.run("--sweep-max-concurrent=1")
    result.assert_outcomes(passed=2, failed=1)
    assert [trial.metrics and trial.metrics["cwd"] for trial in neighbour.project.grid()][:2] == ["0", "1"]
    assert "expected call not found" in output(result)


def test_order(neighbour: Neighbour) -> None:
    """pytest-order's marks order the trials of a sweep's function among those of others."""
    neighbour.use("pytest_order")
    neighbour.write("""
        @pytest.mark.order(2)
        @sweep(grid={"n": [0, 1]})
        def second(n): ...

        @pytest.mark.order(1)
        @sweep(grid={"n": [0, 1]})
        def first(n): ...
    """)
    result = neighbour.run("--sweep-max-concurrent=1", "-v", "-Werror")
    result.assert_outcomes(passed=4)
    assert re.findall(r"::(\S+) PASSED", output(result)) == ["first[n=0]", "first[n=1]", "second[n=0]", "second[n=1]"]


def test_sugar(neighbour: Neighbour) -> None:
    """pytest-sugar shows each trial once, the failure at once, and nothing of its workers' sides."""
    neighbour.use("pytest_sugar")
    neighbour.write("""
        @sweep(grid={"n": [0, 1, 2]})
        def train(n):
            assert n != 1, "as wanted"
    """)
    result = neighbour.run("--force-sugar")
    text = re.sub(r"\x1b\[[0-9;]*m", "", output(result))
    assert result.ret == 1
    assert "100%" in text
    assert re.search(r"2 passed", text)
    assert re.search(r"1 failed", text)
    assert "as wanted" in text
    assert "[worker]" not in text
    assert "[train" not in text
    assert text.count("Test session starts") == 1


@pytest.mark.parametrize("when", ["auto", "on"])
def test_sugar_on_a_terminal(neighbour: Neighbour, when: str) -> None:
    """pytest-sugar, which rewrites its lines, is left alone; where the live view is asked for, it is drawn below, and leaves nothing."""
    neighbour.use("pytest_sugar")
    neighbour.write("""
        import time

        @sweep(grid={"n": [0, 1, 2]})
        def train(n):
            time.sleep(0.4)
    """)
    live = Program(neighbour.command(f"--sweep-live={when}"), neighbour.path, {"HOME": str(Path.home())})
    try:
        assert live.end() == 0
    finally:
        live.close()
    text = "\n".join(live.screen.rows)
    assert bool(live.frames) is (when == "on")
    assert "/3 done" not in text
    assert text.count("✓✓✓") == 1
    assert "3 passed" in text


@pytest.mark.parametrize("only", [(), ("--benchmark-only",)], ids=["all", "only"])
def test_benchmark(neighbour: Neighbour, only: tuple[str, ...]) -> None:
    """pytest-benchmark measures inline; in processes the body runs once, and a warning says that nothing is measured."""
    neighbour.use("pytest_benchmark")
    neighbour.write("""
        @sweep(grid={"n": [0, 1]})
        def train(n, benchmark):
            calls = []
            benchmark(calls.append, n)
            return {"calls": len(calls)}

        @sweep(grid={"n": [0]})
        def plain(n): ...
    """)
    saving = ("--benchmark-json=report.json",) if neighbour.inline else ()  # Nothing to save is a warning of its own.
    result = neighbour.run("-Werror", "--benchmark-max-time=0.01", *saving, *only)
    result.assert_outcomes(passed=2 if only else 3, skipped=1 if only else 0)
    calls = [trial.metrics["calls"] for trial in neighbour.project.grid() if trial.metrics]
    warned = "pytest-benchmark measures nothing in train: where trials run side by side" in output(result)
    assert warned is not neighbour.inline
    if neighbour.inline:
        measured = json.loads((neighbour.path / "report.json").read_text())["benchmarks"]
        assert [entry["name"] for entry in measured] == ["train[n=0]", "train[n=1]"]
        assert min(calls) > 1
    else:
        assert calls == [1, 1]


@pytest.mark.parametrize("blocked", [(), WITHOUT_XDIST], ids=["with_xdist", "without_xdist"])
def test_syrupy(neighbour: Neighbour, blocked: tuple[str, ...]) -> None:
    """Syrupy writes what trials compare, compares it, fails where it differs, and finds what is unused, and that alone."""
    neighbour.use("syrupy")
    source = """
        @sweep(grid={"n": [0, 1, 2]})
        def train(n, snapshot):
            assert snapshot == {"value": n * FACTOR}
    """
    neighbour.write(source.replace("FACTOR", "1"))
    neighbour.run("--snapshot-update", *blocked).assert_outcomes(passed=3)
    file = neighbour.path / "__snapshots__" / "test_models.ambr"
    assert file.read_text().count("# name: train[n=") == 3
    result = neighbour.run(*blocked)
    result.assert_outcomes(passed=3)
    assert result.ret == 0
    assert "3 snapshots passed" in output(result)
    neighbour.write(source.replace("FACTOR", "2"))
    neighbour.run(*blocked).assert_outcomes(passed=1, failed=2)
    neighbour.write(source.replace("FACTOR", "1").replace("[0, 1, 2]", "[0, 1]"))
    result = neighbour.run(*blocked)
    assert result.ret == 1
    assert "1 snapshot unused" in output(result)
    neighbour.run("--snapshot-update", *blocked).assert_outcomes(passed=2)
    assert file.read_text().count("# name: train[n=") == 2


def test_syrupy_of_a_killed_worker(neighbour: Neighbour) -> None:
    """What a killed worker has compared is not deleted as unused, and a warning says why."""
    neighbour.use("syrupy")
    if neighbour.inline:
        pytest.skip("inline there is no worker")
    source = """
        import os

        @sweep(grid={"n": [0, 1, 2, 3]})
        def train(n, snapshot):
            assert snapshot == n
            if KILLED:
                os._exit(3)
    """
    neighbour.write(source.replace("KILLED", "False"))
    neighbour.run("--snapshot-update").assert_outcomes(passed=4)
    file = neighbour.path / "__snapshots__" / "test_models.ambr"
    before = file.read_text()
    neighbour.write(source.replace("KILLED", "n == 3"))
    result = neighbour.run("--snapshot-update", "-Werror")
    result.assert_outcomes(passed=3, failed=1)
    assert "syrupy cannot tell which snapshots are unused" in output(result)
    assert file.read_text() == before


def test_allure(neighbour: Neighbour) -> None:
    """allure-pytest has each trial once, with state, parameters, steps, attachments; what it has from before is cleaned once."""
    neighbour.use("allure_pytest")
    fresh = "" if neighbour.inline else ", fresh_process=True"
    neighbour.write(f"""
        import allure

        @sweep(grid={{"n": [0, 1, 2]}}{fresh})
        def train(trial):
            n = trial.config["n"]
            with allure.step(f"step of {{n}}"):
                allure.attach(f"text of {{n}}", name="note", attachment_type=allure.attachment_type.TEXT)
            assert n != 1
    """)
    known: list[set[str]] = []
    for _ in range(2):
        neighbour.run("--alluredir=allure", "--clean-alluredir").assert_outcomes(passed=2, failed=1)
        cases = [json.loads(path.read_text()) for path in (neighbour.path / "allure").glob("*-result.json")]
        known.append({case["historyId"] for case in cases})
    assert known[0] == known[1]  # By this Allure shows a trial's history.
    assert len(known[0]) == 3
    assert {case["name"]: case["status"] for case in cases} == {
        "train[n=0]": "passed",
        "train[n=1]": "failed",
        "train[n=2]": "passed",
    }
    assert len(cases) == 3
    for case in cases:
        assert case["parameters"] == [{"name": "n", "value": case["name"][-2]}]
        (step,) = case["steps"]
        assert step["name"] == f"step of {case['name'][-2]}"
        assert (neighbour.path / "allure" / step["attachments"][0]["source"]).is_file()


@pytest.mark.parametrize("blocked", [(), WITHOUT_XDIST], ids=["with_xdist", "without_xdist"])
def test_conftest_input_and_output(neighbour: Neighbour, blocked: tuple[str, ...]) -> None:
    """pytest_configure_node and pytest_testnodedown of a conftest work as with pytest-xdist: both ways, for plain values."""
    neighbour.write(
        """
        def pytest_configure_node(node):
            node.workerinput["token"] = {"a": (1, b"2")}

        def pytest_sessionfinish(session):
            if hasattr(session.config, "workeroutput"):
                session.config.workeroutput["said"] = session.config.workerinput["workerid"]

        def pytest_testnodedown(node, error):
            print("down:", node.gateway.id, node.workeroutput["said"], error)
        """,
        "conftest.py",
    )
    neighbour.write("""
        import os

        @sweep(grid={"n": [0]})
        def train(request):
            given = getattr(request.config, "workerinput", {})
            assert (given.get("token") == {"a": (1, b"2")}) is (os.environ.get("PYTEST_XDIST_WORKER") is not None)
    """)
    result = neighbour.run("-s", "-Werror", *blocked)
    result.assert_outcomes(passed=1)
    assert bool(re.search(r"down: \S+:\d+ worker-1 None", output(result))) is not neighbour.inline


def test_all_at_once(neighbour: Neighbour) -> None:
    """All these plugins work in one session, each does its part, and workers write nothing of their own to the terminal."""
    neighbour.use(*MODULES)
    neighbour.write("def pick(n):\n    return n\n", "helper.py")
    neighbour.write("""
        import random

        @pytest.mark.order(1)
        @pytest.mark.asyncio
        @sweep(grid={"n": [0, 1]})
        async def train(n, snapshot, mocker, metadata):
            import helper

            assert snapshot == helper.pick(n)
            return {"drawn": random.random()}

        def test_ordinary(snapshot):
            assert snapshot == 1
    """)
    files = ("--html=report.html", "--json-report", "--alluredir=allure", "--store-durations", "--junitxml=junit.xml")
    result = neighbour.run("--cov=helper", "--timeout=60", "--reruns=1", "--snapshot-update", *files)
    result.assert_outcomes(passed=3)
    text = output(result)
    assert re.search(r"helper\.py +\d+ +0 +100%", text)
    assert "3 snapshots generated" in text
    assert "[worker]" not in text
    assert len(list((neighbour.path / "allure").glob("*-result.json"))) == 3
    for name in ("report.html", ".report.json", ".test_durations", "junit.xml"):
        assert (neighbour.path / name).read_text().count("train[n=1]") >= 1
