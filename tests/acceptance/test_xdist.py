"""With pytest-xdist's -n: it spreads the ordinary tests, the trials run in processes of ours, and the rest is as without it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from .project import Project, output

MIXED = """
    import os

    @sweep(grid={"n": [1, 2, 3, 4]})
    def test_train(n):
        return {"n": n, "pid": os.getpid()}

    @pytest.mark.parametrize("number", range(6))
    def test_ordinary(number, worker_id, record_property):
        assert worker_id in ("gw0", "gw1")
        record_property("pid", os.getpid())

    def test_judge(sweep_results, worker_id):
        assert worker_id == "master"
        assert len({result.metrics["n"] for result in sweep_results["test_train"]}) == 4
"""


def test_a_mixed_file(project: Project) -> None:
    """Ordinary tests run in pytest-xdist's workers, trials in processes of ours, judges here; each once, and in that order."""
    project.write(MIXED)
    result = project.plain("--sweep", "-n", "2", "-v", "--junitxml=junit.xml")
    result.assert_outcomes(passed=11)
    text = output(result)
    assert "sweep: executor processes" in text
    assert "Executor: processes, 2 on this machine" in text
    shown = re.findall(r"(?:PASSED.*?)?test_models.py::(test_\w+)", text)
    order = [name for name in shown if name in ("test_ordinary", "test_train", "test_judge")]
    assert order.index("test_train") > max(index for index, name in enumerate(order) if name == "test_ordinary")
    assert order[-1] == "test_judge"
    assert max(map(int, re.findall(r"\[ *(\d+)%\]", text))) == 100
    cases = ET.parse(project.path / "junit.xml").getroot().iter("testcase")
    assert len([case.get("name") for case in cases]) == 11
    pids = {trial.metrics["pid"] for trial in project.grid("test_train") if trial.metrics}
    assert 1 <= len(pids) <= 2


def test_without_ordinary_tests_xdist_starts_nothing(project: Project) -> None:
    """Where there are only trials, none of pytest-xdist's workers is started, and the output is as without it."""
    project.write("""
        @sweep(grid={"n": [1, 2]})
        def train(n): ...
    """)
    result = project.plain("--sweep", "-n", "2")
    result.assert_outcomes(passed=2)
    assert "created:" not in output(result)
    assert "test_models.py .." in output(result)


def test_a_failed_ordinary_test_starts_no_trial_with_x(project: Project) -> None:
    """-x at an ordinary test ends the session before the first trial."""
    project.write("""
        from pathlib import Path

        @sweep(grid={"n": [1, 2]})
        def train(n):
            Path("ran").touch()

        def test_fails():
            assert False
    """)
    result = project.plain("--sweep", "-n", "2", "-x")
    result.assert_outcomes(failed=1)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert not (project.path / "ran").exists()
    assert project.runs() == []


def test_a_failed_ordinary_test_stops_no_trial_without_x(project: Project) -> None:
    """Without -x the trials run after a failed test, and the session fails."""
    project.write("""
        @sweep(grid={"n": [1, 2]})
        def train(n): ...

        def test_fails():
            assert False

        def test_passes(): ...
    """)
    result = project.plain("--sweep", "-n", "2")
    result.assert_outcomes(passed=3, failed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_sweeps_are_no_tests_in_its_workers(project: Project) -> None:
    """Without --sweep a sweep whose name begins with test_ is left out with -n as well."""
    project.write("""
        @sweep(grid={"n": [1, 2]})
        def test_train(n): ...

        def test_ordinary(): ...
    """)
    result = project.plain("-n", "2")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["1 sweep was left out: run it with pytest --sweep"])
    text = output(project.plain("-n", "2", "test_models.py::test_train[n=1]"))
    assert "test_models.py::test_train is a sweep, which is run with --sweep only: pytest --sweep 'test_models" in text


def test_an_executor_that_is_named_wins(project: Project) -> None:
    """--sweep-executor says where trials run, -n then spreads the ordinary tests only."""
    project.write(MIXED.replace('worker_id == "master"', "True"))
    result = project.plain("--sweep", "-n", "2", "--sweep-executor=inline")
    result.assert_outcomes(passed=11)
    assert "Executor: inline" in output(result)


@pytest.mark.parametrize(
    ("arguments", "executor"),
    [(("-n", "0"), "ray"), (("-n", "2"), "processes"), (("-n", "auto"), "processes"), ((), "ray")],
)
def test_which_executor_is_chosen(project: Project, arguments: tuple[str, ...], executor: str) -> None:
    """-n with a number above 0 chooses processes; without it, trials run on Ray."""
    project.write("def test_ordinary(): ...\n")
    assert f"sweep: executor {executor}," in output(project.plain("--sweep", "--co", *arguments))


def test_a_cluster_and_processes_contradict_each_other(project: Project) -> None:
    """-n and --sweep-address together are a usage error that says how to have what."""
    project.write(MIXED)
    result = project.plain("--sweep", "-n", "2", "--sweep-address=10.0.0.1:6379")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "leave one away, or name --sweep-executor=ray" in result.stderr.str()


def test_what_becomes_of_our_processes_is_not_told_by_xdist(project: Project) -> None:
    """A process that is killed is told of by its trial's failure; pytest-xdist, which is there for the tests, has nothing to add."""
    project.write("""
        import os

        @sweep(grid={"n": [1, 2]})
        def train(n):
            if n == 1:
                os._exit(3)
    """)
    result = project.plain("--sweep", "-n", "1")
    result.assert_outcomes(passed=1, failed=1)
    assert "it exited with status 3" in output(result)
    assert "node down" not in output(result)


UNCOLLECTED = {
    "pytest.ini": "[pytest]\nfilterwarnings = default\n",
    "test_broken.py": "import warnings\nwarnings.warn('told at import')\nimport there_is_no_such_module\n",
    "test_left_out.py": "pytest.skip('not here', allow_module_level=True)\n",
    "test_good.py": "import warnings\nwarnings.warn('also told')\ndef test_ordinary(): ...\n",
}


@pytest.mark.parametrize("more", [(), ("--continue-on-collection-errors",)])
@pytest.mark.parametrize("trials", [False, True])
def test_what_cannot_be_collected(project: Project, trials: bool, more: tuple[str, ...]) -> None:
    """As with pytest-xdist alone, what was collected runs and the session fails; each error, skip and warning is shown once."""
    for name, source in UNCOLLECTED.items():
        project.write(source, name)
    if trials:
        project.write("@sweep(grid={'n': [1, 2]})\ndef train(n): ...\n")
    alone = project.plain("-n", "2", *more)
    result = project.plain("--sweep", "-n", "2", *more)
    assert (result.ret, alone.ret) == (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.TESTS_FAILED)
    result.assert_outcomes(passed=3 if trials else 1, errors=1, skipped=1)
    for text in ("UserWarning: told at import", "UserWarning: also told", "No module named 'there_is_no_such_module'"):
        assert output(result).count(text) == 1, text
    assert "test_broken.py:3\ntest_broken.py:3" not in output(result)


def test_what_cannot_be_collected_without_it(project: Project) -> None:
    """Without -n a collection error ends the session before anything runs, as in plain pytest; with the option it runs the rest."""
    for name, source in UNCOLLECTED.items():
        project.write(source, name)
    project.write("@sweep(grid={'n': [1, 2]})\ndef train(n): ...\n")
    result = project.sweep()
    assert (result.ret, result.parseoutcomes().get("errors")) == (pytest.ExitCode.INTERRUPTED, 1)
    assert "Interrupted: 1 error during collection" in output(result)
    assert project.runs() == []
    result = project.sweep("--continue-on-collection-errors")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=3, errors=1, skipped=1)


def test_what_only_its_workers_cannot_collect(project: Project) -> None:
    """A file that fails only in pytest-xdist's workers is an error of the session."""
    project.write("""
        import os

        assert "PYTEST_XDIST_WORKER" not in os.environ

        def test_ordinary(): ...
    """)
    project.write("def test_good(): ...\n", "test_good.py")
    result = project.plain("--sweep", "-n", "2")
    assert result.ret != 0
    assert result.parseoutcomes()["errors"] == 1
