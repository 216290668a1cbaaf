"""What works on a test works on a trial: each feature of pytest, in this process and in others. The name says feature and executor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .project import Project, output

Run = Callable[..., pytest.RunResult]

SEEN = """
    import logging, sys, time, warnings

    @pytest.fixture
    def noisy():
        print("set up")
        yield
        print("torn down")

    @sweep(grid={"n": [1, 2]})
    def train(n, noisy):
        print(f"out of {n}")
        print(f"err of {n}", file=sys.stderr)
        logging.getLogger("models").warning("log of %s", n)
        warnings.warn(f"beware of {n}")
        time.sleep(0.02)
        assert n == 1, f"wrong: {n}"
"""


@pytest.fixture(params=["inline", "processes"])
def run(request: pytest.FixtureRequest, project: Project) -> Run:
    """Return a function that runs pytest --sweep on the executor with the given arguments."""
    # What the session around this one makes of warnings is not for the one in it.
    options = ("--sweep", f"--sweep-executor={request.param}", "--sweep-max-concurrent=1", "-W", "default")
    return lambda *arguments: project.plain(*options, *arguments)


def line_of(text: str, path: Path) -> int:
    """Return the number of the line of a file that has a text."""
    return next(number for number, line in enumerate(path.read_text().splitlines(), 1) if text in line)


@pytest.mark.parametrize(
    ("arguments", "there", "absent"),
    [
        ([], ["out of 2", "err of 2", "log of 2", "set up", "torn down", "E       AssertionError: wrong: 2"], ["out of 1"]),
        (["-q"], ["1 failed, 1 passed", "== Status =="], ["platform linux", "rootdir"]),
        (["-v"], ["train[n=1] PASSED", "train[n=2] FAILED"], []),
        (["-vv"], ["train[n=1] PASSED", "train[n=2] FAILED"], []),
        (["-rA"], ["PASSED test_models.py::train[n=1]", "FAILED test_models.py::train[n=2] - AssertionError: wrong: 2", "out of 1"], []),
        (["--tb=no"], ["FAILED test_models.py::train[n=2]"], ["E       "]),
        (["--tb=line"], ["test_models.py:LINE: AssertionError: wrong: 2"], ["E       "]),
        (["--tb=short"], ["test_models.py:LINE: in train", "E   AssertionError: wrong: 2"], []),
        (["--tb=native"], ["Traceback (most recent call last)", "AssertionError: wrong: 2"], ["E       "]),
        (["-l"], ["n          = 2"], []),
        (["--show-capture=no"], ["AssertionError: wrong: 2"], ["out of 2", "log of 2"]),
        (["--show-capture=stderr"], ["err of 2"], ["out of 2", "log of 2"]),
        (["--no-summary"], ["1 failed, 1 passed"], ["AssertionError", "== Status =="]),
        (["--durations=3", "-vv"], ["slowest 3 durations", "s call     test_models.py::train[n=1]"], []),
        (["--color=yes"], ["\x1b[31m"], []),
        (["--disable-warnings"], ["2 warnings"], ["beware of 1"]),
        (["--capture=no"], ["out of 1", "err of 2"], ["Captured stdout"]),
        (["-W", "error"], ["UserWarning: beware of 1", "2 failed"], []),
        (["--setup-show"], ["2 items"], []),
        (["-p", "no:logging"], ["out of 2"], ["Captured log"]),
        (["--maxfail=1"], ["1 failed"], []),
        (["--strict-markers", "--strict-config"], ["1 failed, 1 passed"], []),
    ],
    ids=lambda value: " ".join(value) or "plain" if isinstance(value, list) and (not value or value[0].startswith("-")) else "",
)  # fmt: skip
def test_seeing(project: Project, run: Run, arguments: list[str], there: list[str], absent: list[str]) -> None:
    """Each way to look at tests shows of a trial what it shows of a test."""
    line = line_of("assert n == 1", project.write(SEEN))
    text = output(run(*arguments))
    there = [part.replace("LINE", str(line)) for part in there]
    assert [part for part in there if part not in text] == []
    assert [part for part in absent if part in text] == []


def test_warnings_have_their_places(project: Project, run: Run) -> None:
    """The warnings summary names the file, the line and the trials."""
    line = line_of("warnings.warn", project.write(SEEN))
    text = output(run())
    assert "test_models.py::train[n=1]" in text.partition("warnings summary")[2]
    assert f"/test_models.py:{line}: UserWarning: beware of 1" in text


FIXTURES = """
    import asyncio, os, warnings

    class TestModels:
        def setup_method(self):
            self.ready = True

        @sweep(grid={"n": [1]})
        def fit(self, n, request, shared):
            assert self.ready and request.cls is TestModels and shared == "of the folder"

    @pytest.fixture(params=["adam", "sgd"])
    def optimizer(request):
        return request.param

    @pytest.fixture
    def doubled(request):
        return 2 * request.param

    @sweep(grid={"n": [1]})
    def parametrized(n, optimizer):
        assert optimizer in ("adam", "sgd")

    @pytest.mark.parametrize("doubled", [1, 2], indirect=True)
    @sweep(grid={"n": [1]})
    def indirect(n, doubled):
        assert doubled in (2, 4)

    @sweep(grid={"n": [1]})
    def usual(n, request, monkeypatch, capsys, tmp_path, tmp_path_factory, pytestconfig, recwarn, cache, shared, automatic):
        monkeypatch.setenv("SOME", "thing")
        assert os.environ["SOME"] == "thing"
        print("caught")
        assert capsys.readouterr().out == "caught\\n"
        (tmp_path / "file").write_text("x")
        assert tmp_path_factory.mktemp("more").is_dir()
        assert pytestconfig.getoption("sweep") and request.config is pytestconfig
        warnings.warn("noted")
        assert len(recwarn) == 1
        cache.set("of/trial", 1)
        assert request.getfixturevalue("late") == "late"
        assert request.node.name == "usual[n=1]" and request.node.get_closest_marker("sweep")
        assert shared == "of the folder" and automatic == ["autouse"]

    @sweep(grid={"n": [1]})
    def descriptors(n, capfd, caplog):
        os.write(1, b"caught\\n")
        assert capfd.readouterr().out == "caught\\n"
        import logging
        with caplog.at_level("INFO"):
            logging.getLogger("models").info("noted")
        assert caplog.messages == ["noted"]

    @sweep(grid={"n": [1]})
    def parts(n, subtests):
        for part in range(3):
            with subtests.test(part=part):
                assert part < 3
"""
CONFTEST = """
    import pytest

    LOG = []

    @pytest.fixture(scope="package")
    def shared():
        return "of the folder"

    @pytest.fixture(autouse=True)
    def automatic():
        LOG[:] = ["autouse"]
        return LOG

    @pytest.fixture
    def late():
        return "late"
"""


def test_fixtures(project: Project, run: Run) -> None:
    """Fixtures of every kind and scope, pytest's own, those of conftest files and of classes, work in a trial."""
    project.write("", "pack/__init__.py")
    project.write(CONFTEST, "pack/conftest.py")
    project.write(FIXTURES, "pack/test_fixtures.py")
    # One for each trial, and three for the subtests.
    run("pack").assert_outcomes(passed=8)


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ("pytest.skip('why')", {"skipped": 1}),
        ("pytest.xfail('why')", {"xfailed": 1}),
        ("pytest.importorskip('no_such_module')", {"skipped": 1}),
        ("pytest.fail('why')", {"failed": 1}),
        ("raise SystemExit(3)", {"failed": 1}),
        ("pytest.raises(ValueError, int, 'x')", {"passed": 1}),
    ],
)
def test_outcomes(project: Project, run: Run, body: str, outcome: dict[str, int]) -> None:
    """A trial skips, fails and is expected to fail as a test does."""
    project.write(f"""
        @sweep(grid={{"n": [1]}})
        def train(n):
            {body}
    """)
    run().assert_outcomes(**outcome)


def test_exit_ends_the_session(project: Project, run: Run) -> None:
    """pytest.exit() in a trial ends the session with its status; what did not run is not run."""
    project.write("""
        @sweep(grid={"n": [1, 2, 3]})
        def train(n):
            if n == 2:
                pytest.exit("enough", 7)
    """)
    result = run()
    assert result.ret == 7
    assert "enough" in output(result)
    assert [str(trial.state) for trial in project.grid()] == ["TERMINATED", "NOT_RUN", "NOT_RUN"]


@pytest.mark.parametrize(("policy", "kept"), [("all", 2), ("failed", 1), ("none", 0)])
def test_tmp_path_retention(project: Project, run: Run, policy: str, kept: int) -> None:
    """The retention policy of tmp_path holds for trials."""
    project.write(f"[pytest]\ntmp_path_retention_policy = {policy}\n", "pytest.ini")
    project.write("""
        from pathlib import Path

        @sweep(grid={"n": [1, 2]})
        def train(n, tmp_path):
            with Path(__file__).with_name("paths").open("a") as paths:
                paths.write(f"{tmp_path}\\n")
            (tmp_path / "file").touch()
            assert n == 1
    """)
    run()
    paths = [project.path / line for line in (project.path / "paths").read_text().splitlines()]
    assert sum(path.exists() for path in paths) == kept


def test_a_timeout_of_faulthandler(project: Project, run: Run) -> None:
    """faulthandler_timeout dumps the stacks of a trial that takes too long, and lets it go on."""
    project.write("[pytest]\nfaulthandler_timeout = 0.3\n", "pytest.ini")
    project.write("""
        import time

        @sweep(grid={"n": [1]})
        def train(n):
            time.sleep(0.8)
    """)
    run().assert_outcomes(passed=1)


def test_live_logging(project: Project, run: Run) -> None:
    """log_cli shows the log of a trial while it runs, with its name."""
    project.write("[pytest]\nlog_cli = true\nlog_cli_level = INFO\n", "pytest.ini")
    project.write("""
        import logging

        @sweep(grid={"n": [1, 2]})
        def train(n):
            logging.getLogger("models").info("epoch of %s", n)
    """)
    text = output(run())
    assert "epoch of 1" in text
    assert "epoch of 2" in text


def test_log_file(project: Project, run: Run) -> None:
    """--log-file has what trials log."""
    project.write("""
        import logging

        @sweep(grid={"n": [1, 2]})
        def train(n):
            logging.getLogger("models").warning("epoch of %s", n)
    """)
    run("--log-file=all.log")
    text = (project.path / "all.log").read_text()
    assert text.count("epoch of 1") == text.count("epoch of 2") == 1
