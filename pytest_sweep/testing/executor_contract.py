"""The contract of an executor, as a suite: subclass `ExecutorContract`, name the executor, and let pytest collect it.

Each executor runs the same project in a whole session. The tests read its results, junit file, terminal, and what hooks noted.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from pytest_sweep.model import TrialState
from pytest_sweep.testing import sample_project
from pytest_sweep.testing.sessions import FinishedSession, run_session
from pytest_sweep.testing.verdict_contract import VerdictContract

STATES = {
    TrialState.TERMINATED: [
        "train[lr=0.5-depth=1]", "train[lr=0.5-depth=2]", "train[lr=0.25-depth=1]", "train[lr=0.25-depth=2]", "generator[a=1]",
        "generator[a=2]", "number[a=0]", "number[a=3]", "nothing[{}]", "empty[{}]", "method[a=1]", "method[a=2]",
        "stacked[a=1-cats]", "stacked[a=1-dogs]", "stacked[a=2-cats]", "stacked[a=2-dogs]", "marked[a=4]", "misspelt[{}]",
        "recovers[{}]", "resumes[{}]", "warns[{}]", "threads[{}]", "properties[{}]", "uses_late[{}]",
    ],
    TrialState.ERROR: [
        "fails[how=assertion]", "fails[how=error]", "fails[how=exit]", "fails[how=return]", "fails[how=yields]",
        "setup_error[{}]", "teardown_error[{}]", "never_recovers[{}]", "subtests_fail[{}]",
    ],
    TrialState.SKIPPED: ["marked[a=1]", "marked[a=2]", "marked[a=3]"],
    TrialState.STOPPED: ["stopped[start=4]", "stopped[start=8]", "stopped_generator[{}]"],
}  # fmt: skip


class ExecutorContract(VerdictContract):
    """What every executor does. Two sessions run once for the class, and each test reads a part of what one has left.

    Attributes:
        arguments: what to run pytest with, besides ``--sweep``.
        in_driver: whether trials run in the driver's own process.
    """

    @pytest.fixture(scope="class")
    @classmethod
    def session(cls, tmp_path_factory: pytest.TempPathFactory) -> FinishedSession:
        """The session with everything in it."""
        return run_session(tmp_path_factory.mktemp("contract"), sample_project.MAIN, cls.arguments)

    def test_states(self, session: FinishedSession) -> None:
        """Every trial ends in the state that its outcome means."""
        found: dict[TrialState, list[str]] = {}
        for result in session.trials.values():
            found.setdefault(result.state, []).append(re.sub(r"net=\w+", "net=", result.name))
        found[TrialState.TERMINATED].remove("unpicklable_by_name[net=]")
        assert {state: sorted(names) for state, names in found.items()} == {
            state: sorted(names) for state, names in STATES.items()
        }, session.output

    def test_outcomes(self, session: FinishedSession) -> None:
        """Pytest counts the trials as tests, retries as reruns, and a failed trial fails the session."""
        # Not simply the last line: Python itself may have a word to say when it exits.
        summary = [line for line in session.output.splitlines() if re.search(r" in [\d.]+s", line)][-1]
        counted = Counter({name: int(count) for count, name in re.findall(r"(\d+) ([a-z]+)", summary)})
        assert session.status == 1
        assert {name: counted[name] for name in ("skipped", "xfailed", "xpassed", "rerun")} == {
            "skipped": 2, "xfailed": 1, "xpassed": 1, "rerun": 4,
        }  # fmt: skip
        assert counted["error"] + counted["errors"] == 3
        assert counted["failed"] == 8

    def test_ordinary_tests_run_too(self, session: FinishedSession) -> None:
        """Ordinary tests pass, and those that judge a sweep see its results."""
        assert "PASSED test_results.py::test_ordinary" in session.output
        assert "PASSED test_results.py::test_judge" in session.output

    def test_histories(self, session: FinishedSession) -> None:
        """All reports are kept, in order and numbered, however they were made."""
        assert session.history("train[lr=0.5-depth=1]", "loss") == [0.5, 0.25, 0.5 / 3]
        assert session.history("train[lr=0.5-depth=1]", "training_iteration") == [1, 2, 3]
        assert session.history("generator[a=2]", "x") == [2, 4]
        assert session.history("threads[{}]", "training_iteration") == [1, 2, 3, 4, 5]
        assert session.history("nothing[{}]", "training_iteration") == []

    @pytest.mark.parametrize(
        ("trial", "metrics"),
        [
            ("train[lr=0.5-depth=2]", {"loss": 0.5 / 3, "depth": 2, "size": 20, "training_iteration": 3}),
            ("generator[a=1]", {"x": 2, "y": 1}),
            ("number[a=0]", {"score": 0, "training_iteration": 1}),
            ("number[a=3]", {"score": 3}),
            ("empty[{}]", {"training_iteration": 1}),
            ("method[a=2]", {"value": 20}),
            ("stacked[a=2-dogs]", {"legs": 8, "data": "dogs"}),
            ("threads[{}]", {"name": "threads[{}]"}),
            ("fails[how=error]", {"x": 1}),
            ("teardown_error[{}]", {"value": 1}),
        ],
    )
    def test_metrics(self, session: FinishedSession, trial: str, metrics: dict[str, object]) -> None:
        """The final metrics are those of the last report, completed by what the body returned."""
        found = session.trials[trial].metrics
        assert found is not None
        assert metrics.items() <= found.items()

    def test_without_metrics(self, session: FinishedSession) -> None:
        """A trial that reports and returns nothing has no metrics, one that is skipped neither."""
        assert session.trials["nothing[{}]"].metrics is None
        assert session.trials["marked[a=2]"].metrics is None
        assert session.trials["setup_error[{}]"].metrics is None

    def test_values_of_any_class(self, session: FinishedSession) -> None:
        """A configuration may hold objects of a class of the test file."""
        (result,) = session.results["unpicklable_by_name"]
        assert result.metrics is not None
        assert result.metrics["value"] == 3

    @pytest.mark.parametrize(
        ("trial", "last_line"),
        [
            ("fails[how=assertion]", "AssertionError: not as it should be"),
            ("fails[how=error]", "ValueError: two"),
            ("fails[how=exit]", "SystemExit: 3"),
            ("setup_error[{}]", "RuntimeError: cannot be built"),
            ("teardown_error[{}]", "RuntimeError: cannot be torn down"),
            ("never_recovers[{}]", "ValueError: attempt 2"),
        ],
    )
    def test_errors(self, session: FinishedSession, trial: str, last_line: str) -> None:
        """The last line of an error is the exception with its message; the line that raised it is in the text."""
        error = session.trials[trial].error
        assert error is not None
        assert error.splitlines()[-1] == last_line
        assert ("sweep_models.py:" in error) or ("conftest.py:" in error)

    def test_bad_returns(self, session: FinishedSession) -> None:
        """What is no metrics fails its trial with a sentence, without a traceback through our code."""
        returned, yielded = session.trials["fails[how=return]"].error, session.trials["fails[how=yields]"].error
        assert returned is not None
        assert "returned what is not metrics: metrics are a dict such as {'loss': 0.1}, not 'text' (str)" in returned
        assert yielded is not None
        assert "yielded what is not a report: metric 'x' is {1} (set)" in yielded
        assert "pytest_sweep" not in returned + yielded

    def test_assertions_are_rewritten(self, session: FinishedSession) -> None:
        """A failed assertion shows its values, as in any test."""
        assert "assert 'assertion' == 'something else'" in session.output

    def test_only_failures_have_errors(self, session: FinishedSession) -> None:
        """A trial that ended well, was stopped or recovered has no error."""
        for name in ("recovers[{}]", "stopped[start=4]", "marked[a=4]", "train[lr=0.5-depth=1]"):
            assert session.trials[name].error is None

    def test_stop_rules(self, session: FinishedSession) -> None:
        """A stop rule ends a trial at the very report that meets it."""
        assert session.history("stopped[start=4]", "loss") == [4, 2, 1]
        assert session.history("stopped[start=8]", "loss") == [8, 4, 2, 1]
        assert session.history("stopped_generator[{}]", "epoch") == [0, 1, 2]

    def test_retries(self, session: FinishedSession) -> None:
        """A trial is tried as often as its retries allow; only the last attempt counts."""
        attempts = {
            name: session.trials[name].attempts for name in ("recovers[{}]", "never_recovers[{}]", "nothing[{}]")
        }
        assert attempts == {"recovers[{}]": 3, "never_recovers[{}]": 2, "nothing[{}]": 1}
        assert session.history("recovers[{}]", "x") == [3]

    def test_checkpoints(self, session: FinishedSession) -> None:
        """A retry restores the newest checkpoint and goes on counting from it."""
        assert session.history("resumes[{}]", "step") == [1, 2, 3, 4]
        assert session.history("resumes[{}]", "training_iteration") == [1, 2, 3, 4]
        checkpoint = session.trials["resumes[{}]"].checkpoint
        assert isinstance(checkpoint, Path)
        assert (checkpoint / "step").read_text() == "2"

    def test_durations(self, session: FinishedSession) -> None:
        """Every trial that ran knows how long, in seconds."""
        for result in session.trials.values():
            assert result.duration is not None
            assert 0 <= result.duration < 60

    def test_folders(self, session: FinishedSession) -> None:
        """What a trial writes to its folder is kept; one that writes nothing has no folder."""
        result = session.trials["properties[{}]"]
        assert (result.path / "notes.txt").read_text() == f"seed {result.seed}"
        assert result.metrics is not None
        assert result.metrics["seed"] == result.seed
        assert session.trials["nothing[{}]"].path == session.results.path

    def test_junit(self, session: FinishedSession) -> None:
        """The junit file has one case for each trial, with its outcome, and its metrics as properties."""
        assert set(session.trials) <= set(session.cases)
        for name in session.trials:
            # pytest gives an error in the tear-down of a passed test a case of its own.
            assert len(session.cases[name]) == (2 if name in ("uses_late[{}]",) else 1), name
        children = {name: {child.tag for child in session.cases[name][0]} for name in session.trials}
        assert "failure" in children["fails[how=error]"]
        assert "error" in children["setup_error[{}]"]
        assert "skipped" in children["marked[a=1]"]
        assert not {"failure", "error", "skipped"} & children["recovers[{}]"]
        properties = {
            prop.attrib["name"]: prop.attrib["value"]
            for prop in session.cases["train[lr=0.5-depth=2]"][0].iter("property")
        }
        assert (properties["metric.size"], properties["config.lr"], properties["sweep.state"]) == (
            "20",
            "0.5",
            "TERMINATED",
        )
        own = [prop.attrib["value"] for prop in session.cases["properties[{}]"][0].iter("property")]
        assert "property" in own

    def test_captured_output(self, session: FinishedSession) -> None:
        """What a failed trial printed and logged is shown with it."""
        for line in ("printed by error", "complained by error"):
            assert re.search(f"^{line}$", session.output, re.MULTILINE)
        assert "logged by error" in session.output
        for section in ("Captured stdout call", "Captured stderr call", "Captured log call"):
            assert section in session.output

    def test_warnings(self, session: FinishedSession) -> None:
        """Warnings of trials, and those about a stop rule that was never judged, are in pytest's summary."""
        assert "UserWarning: mind the gap" in session.output
        assert "stop={'los': ...} of misspelt was never judged: no report has a metric of this name" in session.output
        assert session.output.count("mind the gap") <= 2

    def test_subtests(self, session: FinishedSession) -> None:
        """A failed subtest fails its trial, and is shown with its message."""
        assert "the second is wrong" in session.output
        assert session.trials["subtests_fail[{}]"].state is TrialState.ERROR

    def test_late_errors(self, session: FinishedSession) -> None:
        """A module's fixture that fails in its tear-down is an error of the session, and leaves its trial as it was."""
        assert "RuntimeError: failed at last" in session.output
        assert session.trials["uses_late[{}]"].state is TrialState.TERMINATED

    def test_function_fixtures(self, session: FinishedSession) -> None:
        """A function's fixture is built and torn down once for each attempt."""
        for name in ("train[lr=0.5-depth=1]", "train[lr=0.25-depth=2]"):
            assert session.noted(f"model up {name}") == session.noted(f"model down {name}") == 1

    def test_wider_fixtures(self, session: FinishedSession) -> None:
        """Fixtures of module and session are built at most once in each process, and torn down as often as built."""
        for name in ("server", "data"):
            built = [process for process, text in session.log if text == f"{name} up"]
            gone = [process for process, text in session.log if text == f"{name} down"]
            assert sorted(built) == sorted(gone)
            assert len(built) == len(set(built)) >= 1

    def test_where_trials_run(self, session: FinishedSession) -> None:
        """Trials run in the driver's process exactly where the executor says so."""
        (driver,) = {process for process, text in session.log if text == "run starts"}
        workers = {process for process, text in session.log if text.startswith("setup ")}
        assert (workers == {driver}) if self.in_driver else (driver not in workers)

    def test_worker_hooks(self, session: FinishedSession) -> None:
        """A trial's setup and teardown hooks are called once for each attempt, also where the set-up fails."""
        for name, attempts in (("number[a=0]", 1), ("recovers[{}]", 3), ("setup_error[{}]", 1)):
            assert session.noted(f"setup {name}") == session.noted(f"teardown {name}") == attempts

    def test_driver_hooks(self, session: FinishedSession) -> None:
        """The driver's hooks tell of each trial in order, and of the run once."""
        texts = [text for _, text in session.log if text.endswith(" 1") or "resumes" in text or "run " in text]
        story = [text for text in texts if "resumes" in text and not text.startswith(("setup", "teardown"))]
        assert story == [
            "starts resumes[{}] 1",
            "reports resumes[{}] 1",
            "reports resumes[{}] 2",
            "checkpoint resumes[{}] True",
            "reports resumes[{}] 3",
            "retry resumes[{}] RuntimeError: power cut",
            "starts resumes[{}] 2",
            "reports resumes[{}] 3",
            "reports resumes[{}] 4",
            "finishes resumes[{}] TERMINATED",
        ]
        assert session.noted("run starts") == session.noted("run finishes") == 1

    def test_pytest_exit(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        """A trial that calls pytest.exit ends the session with its reason and status; nothing more starts."""
        folder = tmp_path_factory.mktemp("exit")
        files = {"pytest.ini": "[pytest]\n", "sweep_a.py": sample_project.EXIT}
        session = run_session(folder, files, [*self.arguments, "--sweep-max-concurrent=1"])
        assert session.status == 7
        assert "enough of it" in session.output
        assert [str(result.state) for result in session.trials.values()] == ["INTERRUPTED", "NOT_RUN", "NOT_RUN"]

    def test_fail_fast(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        """After -x what was not run is NOT_RUN or, if it had begun, INTERRUPTED, never confused with done."""
        folder = tmp_path_factory.mktemp("failfast")
        files = {"pytest.ini": "[pytest]\n", "sweep_a.py": sample_project.FAILFAST}
        session = run_session(folder, files, [*self.arguments, "-x", "--sweep-max-concurrent=1"])
        states = Counter(str(result.state) for result in session.trials.values())
        assert session.status == 1
        assert states["ERROR"] == 1
        assert states["NOT_RUN"] > 0
        assert states["ERROR"] + states["INTERRUPTED"] + states["NOT_RUN"] + states["TERMINATED"] == 30
