"""What is seen of trials: outcomes, failures, output, logs, warnings, durations, junit files. One session shows many features."""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from tests.acceptance.project import Project

from .base import NOTE, Done, Executor

SEEN = """
    import ctypes, logging, os, sys, time, warnings

    @pytest.fixture
    def noisy():
        print("set up")
        yield
        print("torn down")

    @sweep(grid={"n": [1, 2]})
    def train(n, noisy, trial):
        trial.report({"loss": n / 4})
        print(f"out of {n}")
        print(f"err of {n}", file=sys.stderr)
        logging.getLogger("models").warning("log of %s", n)
        warnings.warn(f"beware of {n}")
        time.sleep(0.02)
        assert n == 1, f"wrong: {n}"
"""
ENDS = """
    @sweep(grid={"how": ["skip", "xfail", "import", "fail", "exit", "raises"]})
    def ends(how):
        if how == "skip":
            pytest.skip("why")
        if how == "xfail":
            pytest.xfail("why")
        if how == "import":
            pytest.importorskip("no_such_module")
        if how == "fail":
            pytest.fail("why")
        if how == "exit":
            raise SystemExit(3)
        with pytest.raises(ValueError):
            int("x")
"""
LOUD = f"""{ENDS}
    import ctypes, logging, os

    @sweep(grid={{"n": [1, 2]}})
    def train(n):
        print("begins")  # pytest may not have ended its own line.
        for line in range(50):
            print(f"line {{line}} of {{n}}")
        os.system(f"echo child of {{n}}")
        ctypes.CDLL(None).puts(f"C code of {{n}}".encode())
        ctypes.CDLL(None).fflush(None)
        logging.getLogger("models").info("epoch of %s", n)
"""

# The sessions, by their arguments. What does not get in each other's way stands in one.
PLAIN: tuple[str, ...] = ()
DETAILED = ("-rA", "-l", "--durations=3", "--junitxml=junit.xml", "--log-file=all.log")
LINE = ("-v", "--tb=line", "--color=yes", "--show-capture=no")
SHORT = ("-q", "--tb=short", "--disable-warnings", "--show-capture=stderr", "--setup-show")
NATIVE = ("--tb=native", "-vv", "-o", "filterwarnings=default\nignore:beware of 2")
BARE = ("--no-summary", "-W", "error")
LIVE = ("-s", "-v", "-rfs", "--tb=no", "-o", "log_cli=true", "-o", "log_cli_level=INFO")


PLANNED = f"""{NOTE}
    @pytest.fixture(scope="session")
    def data():
        note("data")
        yield
        note("over")

    @pytest.fixture
    def model(data, trial):
        trial.report({{"step": 1}})
        note(f"model-{{trial.config['n']}}")
        if trial.config["n"] == 2:
            raise RuntimeError("no model for 2")

    @sweep(grid={{"n": [1, 2]}})
    def train(n, model): note("ran")

    def test_ordinary(data): note("ran")
"""


class Seeing(Executor):
    """The promises of output."""

    @pytest.fixture
    def see(self, project: Project, ended: dict[object, Done]) -> Any:
        """Return a function that returns what a session with the given arguments has said; each runs once in a class."""

        def run_once(arguments: tuple[str, ...], source: str = SEEN) -> Done:
            project.write(source)
            return self.shared(ended, (arguments, source), lambda: self.run(project, *arguments))

        return run_once

    def test_q(self, see: Any) -> None:
        """-q leaves out the header, not what failed, nor the results of the sweep."""
        done = see(SHORT)
        assert "1 failed, 1 passed" in done.text
        assert "== Status ==" in done.text
        assert "FAILED test_models.py::train[n=2]" in done.text
        assert "rootdir" not in done.text
        assert "rootdir" in see(PLAIN).text

    @pytest.mark.parametrize("arguments", [LINE, NATIVE], ids=["-v", "-vv"])
    def test_v(self, see: Any, arguments: tuple[str, ...]) -> None:
        """-v and -vv show a line for each trial; without them there is a letter for each."""
        plain = re.sub(r"\x1b\[\d*m", "", see(arguments).text)
        assert re.search(r"^test_models.py::train\[n=1\] PASSED .*\[ 50%\]$", plain, re.MULTILINE)
        assert re.search(r"^test_models.py::train\[n=2\] FAILED .*\[100%\]$", plain, re.MULTILINE)
        assert re.search(r"^test_models.py \.F +\[100%\]$", see(PLAIN).text, re.MULTILINE)

    def test_address(self, see: Any) -> None:
        """With -v the address of its process stands beside a trial's outcome, without it nothing does."""
        plain = re.sub(r"\x1b\[\d*m", "", see(LINE).text)
        found = re.findall(r"train\[n=\d\] (?:PASSED|FAILED) \((\S+):(\d+)\)", plain)
        assert len(found) == 2
        assert (int(found[0][1]) != os.getpid()) is self.hosted
        assert not re.search(r"\.F \(", see(PLAIN).text)

    def test_ra(self, see: Any) -> None:
        """-rA lists each trial with its outcome, and shows the output of those that passed, too."""
        done = see(DETAILED)
        assert "PASSED test_models.py::train[n=1]" in done.lines
        assert "FAILED test_models.py::train[n=2] - AssertionError: wrong: 2" in done.text
        assert "out of 1" in done.lines
        assert "out of 1" not in see(PLAIN).lines

    def test_tb(self, see: Any) -> None:
        """--tb says how much of a traceback is shown: all by default, short, line, native, no."""
        path = see(PLAIN).path / "test_models.py"
        line = next(number for number, text in enumerate(path.read_text().splitlines(), 1) if "assert n == 1" in text)
        assert "E       AssertionError: wrong: 2" in see(PLAIN).text
        assert f"test_models.py:{line}: in train" in see(SHORT).text
        assert "E   AssertionError: wrong: 2" in see(SHORT).text
        assert f"test_models.py:{line}: AssertionError: wrong: 2" in see(LINE).text
        assert "Traceback (most recent call last)" in see(NATIVE).text
        for arguments in (LINE, NATIVE):
            assert "E       " not in see(arguments).text
        no = see(LIVE, LOUD)
        assert re.search(r"^FAILED .*test_models.py::ends\[how=fail\] - Failed: why$", no.text, re.MULTILINE)
        assert "= FAILURES =" not in no.text

    def test_l(self, see: Any) -> None:
        """-l shows the local variables of the line that failed."""
        assert "n          = 2" in see(DETAILED).lines
        assert "n          = 2" not in see(PLAIN).lines

    def test_durations(self, see: Any) -> None:
        """--durations has the phases of trials."""
        done = see(DETAILED)
        assert "slowest 3 durations" in done.text
        assert re.search(r"0\.0\ds call +test_models.py::train\[n=1\]", done.text)

    def test_color(self, see: Any) -> None:
        """--color=yes colours the outcomes of trials."""
        assert re.search(r"train\[n=1\] \x1b\[32mPASSED", see(LINE).text)
        assert re.search(r"train\[n=2\] \x1b\[31mFAILED", see(LINE).text)
        assert "\x1b[" not in see(PLAIN).text

    def test_no_summary(self, see: Any) -> None:
        """--no-summary leaves out the failures, and the tables too."""
        done = see(BARE)
        assert "2 failed" in done.text
        for text in ("AssertionError", "== Status ==", "warnings summary"):
            assert text not in done.text
            assert text in see(PLAIN).text

    def test_show_capture(self, see: Any) -> None:
        """--show-capture says what of a failed trial's output is shown: all, stderr only, nothing."""
        shown = {"out of 2", "err of 2", "set up", "torn down"}
        assert shown <= set(see(PLAIN).lines)
        assert "log of 2" in see(PLAIN).text
        assert shown & set(see(SHORT).lines) == {"err of 2"}
        assert shown & set(see(LINE).lines) == set()
        assert "log of 2" not in see(SHORT).text + see(LINE).text

    def test_warnings_summary(self, see: Any) -> None:
        """The warnings summary names the trial, the file and the line; --disable-warnings leaves it out, and they are counted."""
        path = see(PLAIN).path / "test_models.py"
        line = next(number for number, text in enumerate(path.read_text().splitlines(), 1) if "warnings.warn" in text)
        summary = see(PLAIN).text.partition("warnings summary")[2]
        assert "test_models.py::train[n=1]" in summary
        assert f"/test_models.py:{line}: UserWarning: beware of 1" in summary
        assert "2 warnings" in see(SHORT).text
        assert "beware of" not in see(SHORT).text

    def test_w_error(self, see: Any) -> None:
        """With -W error a trial that warns fails."""
        done = see(BARE)
        assert "2 failed" in done.text
        assert str(done.grid()[0].error).endswith("UserWarning: beware of 1")

    def test_filterwarnings(self, see: Any) -> None:
        """The filterwarnings of the configuration file are those of trials."""
        done = see(NATIVE)
        assert "beware of 1" in done.text
        assert "UserWarning: beware of 2" not in done.text
        assert "1 warning" in done.text

    def test_log_file(self, see: Any) -> None:
        """--log-file has what trials log, once."""
        text = (see(DETAILED).path / "all.log").read_text()
        assert text.count("log of 1") == text.count("log of 2") == 1

    def test_junitxml(self, see: Any) -> None:
        """--junitxml has a case for each trial, with its metrics as properties."""
        suite = ET.parse(see(DETAILED).path / "junit.xml").getroot()
        cases = {case.attrib["name"]: case for case in suite.iter("testcase")}
        assert sorted(cases) == ["train[n=1]", "train[n=2]"]
        metrics = [
            {one.attrib["name"]: one.attrib["value"] for one in case.iter("property")}["metric.loss"]
            for case in cases.values()
        ]
        assert metrics == ["0.25", "0.5"]
        assert cases["train[n=1]"].find("failure") is None
        assert cases["train[n=2]"].find("failure") is not None

    def test_setup_show(self, see: Any) -> None:
        """--setup-show shows the fixtures of a trial; from a worker, each line with its trial."""
        done = see(SHORT)
        assert "1 failed, 1 passed" in done.text
        prefix = "[train[n=1]] " if self.hosted else ""
        assert f"{prefix}        SETUP    F noisy" in done.lines
        assert f"{prefix}        TEARDOWN F noisy" in done.lines

    def test_s(self, see: Any) -> None:
        """With -s output is shown while a trial runs, complete and in order; what comes from a worker has its trial before each line."""
        done = see(LIVE, LOUD)
        for n in (1, 2):
            lines = [*(f"line {line} of {n}" for line in range(50)), *self.beyond(n)]
            expected = [f"[train[n={n}]] {line}" if self.hosted else line for line in lines]
            shown = [line for line in done.lines if line.endswith(f" of {n}") and "INFO" not in line]
            assert shown == expected
            if self.hosted:
                ended = next(
                    i for i, line in enumerate(done.lines) if line.startswith(f"test_models.py::train[n={n}] P")
                )
                assert done.lines.index(expected[-1]) < ended
        assert "Captured stdout" not in done.text

    def beyond(self, n: int) -> list[str]:
        """Return what is shown of child processes and C code; inline that goes past all of pytest."""
        return [f"child of {n}", f"C code of {n}"] if self.hosted else []

    def test_log_cli(self, see: Any) -> None:
        """log_cli shows the log of a trial while it runs; from a worker, each line with its trial."""
        done = see(LIVE, LOUD)
        for n in (1, 2):
            (line,) = [line for line in done.lines if f"epoch of {n}" in line]
            assert line.startswith(f"[train[n={n}]] INFO " if self.hosted else "INFO ")
        assert ("live log call" in done.text) is not self.hosted

    def test_outcomes(self, see: Any) -> None:
        """A trial is skipped, fails, and is expected to fail as a test is; SystemExit is a failure like others."""
        done = see(LIVE, LOUD)
        assert done.outcomes == {"passed": 3, "failed": 2, "skipped": 2, "xfailed": 1}
        assert re.search(r"SKIPPED.* \[1\] test_models.py:\d+: why", done.text)

    @pytest.mark.parametrize("at_once", [1, 2])
    def test_setup_plan(self, project: Project, at_once: int) -> None:
        """--setup-plan shows the fixtures of ordinary tests and trials in one plan; nothing is built, run or stored."""
        project.write(PLANNED)
        done = self.run(project, "--setup-plan", at_once=at_once)
        shown = [line.strip() for line in done.lines if line.startswith(("SETUP", "TEARDOWN", "     "))]
        assert shown == [
            "SETUP    S data",
            "test_models.py::test_ordinary (fixtures used: data)",
            *(
                line.format(n)
                for n in (1, 2)
                for line in (
                    "SETUP    F n[{0}]",
                    "SETUP    F trial",
                    "SETUP    F model (fixtures used: data, trial)",
                    "test_models.py::train[n={0}] (fixtures used: data, model, n, request, trial)",
                    "TEARDOWN F model",
                    "TEARDOWN F trial",
                    "TEARDOWN F n[{0}]",
                )
            ),
            "TEARDOWN S data",
        ]
        assert (done.status, done.notes) == (0, [])
        assert "no tests ran" in done.text
        assert "sweep results" not in done.text
        assert project.runs() == []

    def test_setup_only(self, project: Project) -> None:
        """--setup-only builds and tears down the fixtures of trials, which may use the trial; one that fails is an error."""
        project.write(PLANNED)
        done = self.run(project, "--setup-only")
        assert (done.status, done.outcomes) == (pytest.ExitCode.TESTS_FAILED, {"errors": 1})
        assert done.notes == ["data", "model-1", "model-2", "over"]
        assert "RuntimeError: no model for 2" in done.text
        assert project.runs() == []
