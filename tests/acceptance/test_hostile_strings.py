"""One list of hostile texts as values, names and messages, through every output there is: each is read by a strict parser."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NoReturn
from xml.etree import ElementTree

import pytest

from pytest_sweep import list_runs, load_results
from pytest_sweep.reporting.text import text_width
from tests.support.hostile import HOSTILE

from .project import Project

TEXTS = list(HOSTILE.values())
KEYS = [text for text in TEXTS if text]
EXECUTORS = ["inline", "processes"]

SWEEPS = """
    import logging, sys, warnings
    from hostile import HOSTILE

    TEXTS = list(HOSTILE.values())
    KEYS = [text for text in TEXTS if text]
    METRIC = "a\\nb\\x1b[2J\\u202e,=1\\ud800</script>"

    @sweep(grid={"value": TEXTS}, metric=METRIC, mode="min")
    def values(value, trial):
        print(value[:1000])
        print(value[:1000], file=sys.stderr)
        logging.warning("%s", value[:1000])
        warnings.warn(value[:1000])
        trial.report({METRIC: TEXTS.index(value), "text": value, "nested": {"text": [value]}})

    @sweep(configs=[{"n": n, "inner": {key: n}} for n, key in enumerate(KEYS)], metric="loss", mode="max")
    def keys(config, trial):
        return {"loss": config["n"]}

    @sweep(grid={"n": range(len(KEYS))})
    def names(n, trial):
        trial.report({KEYS[n]: 0.5})
        return {"nested": {KEYS[n]: n}}

    @sweep(grid={"n": range(len(TEXTS))})
    def failing(n, record_property):
        record_property("text", TEXTS[n])
        record_property(f"name {TEXTS[n][:1000]}", n)
        raise ValueError(TEXTS[n])

    @sweep(grid={"n": [1]}, metric="\\x1b]0;never\\x07\\n" * 100, mode="min")
    def unreported(n):
        return {key: 1 for key in KEYS}

    @pytest.mark.skip(reason=TEXTS[6])
    @sweep(grid={"n": [1]})
    def skipped(n):
        pass

    def test_gate(sweep_results):
        assert len(sweep_results.get_results("values")) == len(TEXTS)
"""


@pytest.fixture(autouse=True)
def _sweeps(project: Project) -> None:
    source = Path(__file__).parent.parent / "support" / "hostile.py"
    (project.path / "hostile.py").write_bytes(source.read_bytes())
    project.write(SWEEPS)


def strict(text: str) -> Any:
    """Return what strict JSON says."""

    def refuse(token: str) -> NoReturn:
        raise AssertionError(f"{token} is no JSON")

    return json.loads(text, parse_constant=refuse)


def ours(lines: list[str]) -> list[str]:
    """Return the lines of our own section."""
    start = next(index for index, line in enumerate(lines) if re.fullmatch("=+ sweep results =+", line))
    end = next(index for index, line in enumerate(lines[start + 1 :], start + 1) if line.startswith("===="))
    return lines[start + 1 : end]


def written(project: Project, *arguments: str, width: int, terminal: bool = False) -> list[str]:
    """Return the lines that a session in a process of its own writes: into a pipe, or to a terminal of this width."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:hypothesispytest",
        "-p",
        "no:asyncio",
        "--color=no",
        "--sweep",
        *arguments,
    ]
    environ = {**os.environ, "COLUMNS": str(width), "TERM": "xterm"}
    if not terminal:
        done = subprocess.run(command, cwd=project.path, env=environ, capture_output=True, check=False, timeout=120)
        assert done.stderr == b"", done.stderr
        return done.stdout.decode("utf-8", "surrogateescape").split("\n")
    end, other = pty.openpty()
    process = subprocess.Popen(command, cwd=project.path, env=environ, stdin=other, stdout=other, stderr=other)
    os.close(other)
    content = b""
    with suppress(OSError):  # That is how it ends.
        while part := os.read(end, 65536):
            content += part
    os.close(end)
    process.wait(60)
    text = content.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    return re.sub(r"\x1b\]9;4;[\d;]*\x1b\\", "", text).split(
        "\n"
    )  # By which pytest 9.0.0 tells terminals how far it is.


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")
@pytest.mark.parametrize(
    ("executor", "width", "terminal", "options"),
    [
        ("inline", 80, False, ()),
        ("inline", 200, False, ("-v", "--sweep-status-interval=600")),
        ("inline", 80, True, ("--tb=no", "--sweep-status-interval=0.05")),
        pytest.param("processes", 80, False, ("-rA", "--sweep-status-interval=0.05"), marks=pytest.mark.slow),
        ("processes", 200, True, ("-v", "-rA", "--sweep-status-interval=600")),
    ],
    ids=str,
)
def test_the_terminal(project: Project, executor: str, width: int, terminal: bool, options: tuple[str, ...]) -> None:
    """Our lines have no control character, tables keep their shape and width, and pytest's summary comes after them."""
    own = (f"--sweep-executor={executor}", "--sweep-abort-after=0", *options)
    lines = written(project, *own, width=width, terminal=terminal)
    outcomes = rf"=+ {len(TEXTS)} failed, {len(TEXTS) + 2 * len(KEYS) + 2} passed, 1 skipped.* in .*=+"
    assert re.fullmatch(outcomes, lines[-2]), lines[-2]
    shown = ours(lines)
    assert [line for line in shown if not line.isprintable()] == []
    assert "Best trial of values: " in "\n".join(shown)
    assert "judged: values: " in "\n".join(shown)
    assert max(map(text_width, shown)) < 2_000
    tables = [line for line in shown if line.startswith(("|", "+"))]
    assert len(tables) > 20
    assert {text_width(line) for line in tables if line.startswith("+")} >= {text_width(line) for line in tables}
    assert max(map(text_width, tables)) <= width
    before = lines[: lines.index("== Status ==", lines.index(shown[0]) - 1)]
    told = [
        line for line in before if line.startswith(("sweep: ", "Best so far", "| ", "+-", "Number of trials", "ERROR "))
    ]
    assert [line for line in told if not line.isprintable()] == []
    assert told or "--sweep-status-interval=0.05" not in options
    verbose = [line for line in before if re.match(r"test_models\.py::\S.* (PASSED|FAILED)", line)]
    assert len(verbose) == ("-v" in options) * (2 * len(TEXTS) + 2 * len(KEYS) + 2)
    assert [line for line in verbose if not line.isprintable()] == []


@pytest.mark.parametrize("executor", EXECUTORS)
def test_what_is_stored(project: Project, executor: str) -> None:
    """Results have each text as it was, the database has strict JSON, folders lie in the run, and junit and CSV files are well-formed."""
    # In a process of its own: what this one prints, pytest-xdist could not send.
    own = (f"--sweep-executor={executor}", "--sweep-abort-after=0", "--junitxml=junit.xml")
    assert f"{len(TEXTS)} failed" in written(project, *own, width=80)[-2]
    by_value = {trial.config["value"]: trial for trial in project.grid("values")}
    assert list(by_value) == TEXTS
    for value, trial in by_value.items():
        assert trial.metrics is not None
        assert (trial.metrics["text"], trial.metrics["nested"]) == (value, {"text": [value]})
    assert [set(trial.config["inner"]) for trial in project.grid("keys")] == [{key} for key in KEYS]
    for key, trial in zip(KEYS, project.grid("names"), strict=True):
        assert trial.metrics is not None
        assert trial.metrics[key] == 0.5
    assert all("ValueError" in str(trial.error) for trial in project.grid("failing"))
    assert project.grid("values").get_best_result().config["value"] == TEXTS[0]
    check_database(project.runs()[-1])
    check_junit(project.path / "junit.xml")
    check_frame(project)
    (run,) = list_runs(project.path / "sweep_results")
    assert (run.note, run.exit_status) == (None, 1)
    shown = [run.name, run.command, repr(run), *repr(load_results(run)).split("\n")]
    assert [text for text in shown if not text.isprintable()] == []


def check_database(run: Path) -> None:
    with closing(sqlite3.connect(run / "run.db")) as connection:
        for query in (
            "SELECT config FROM trial",
            "SELECT metrics FROM trial WHERE metrics IS NOT NULL",
            "SELECT metrics FROM report",
            "SELECT varying FROM sweep",
        ):
            for (text,) in connection.execute(query):
                strict(text)
        folders = [folder for (folder,) in connection.execute("SELECT folder FROM trial")]
    assert len(set(folders)) == len(folders)
    assert [
        folder for folder in folders if not re.fullmatch(r"\w[\w.=-]*", folder, re.ASCII) or len(folder) > 200
    ] == []


def check_junit(path: Path) -> None:
    cases = list(ElementTree.parse(path).iter("testcase"))
    assert len(cases) == 2 * len(TEXTS) + 2 * len(KEYS) + 3
    found = {}
    for case in cases:
        properties = [(one.attrib["name"], one.attrib["value"]) for one in case.iter("property")]
        assert len(dict(properties)) == len(properties)
        found[case.attrib["name"]] = dict(properties)
    script = next(its for name, its in found.items() if its.get("config.value") == HOSTILE["script"])
    assert script["metric.text"] == HOSTILE["script"]


def check_frame(project: Project) -> None:
    """The frame has the texts as they are, and with all values quoted a strict parser reads them back from a CSV file."""
    frame = project.grid("values").get_dataframe()
    assert list(frame["config/value"]) == TEXTS
    if sys.hexversion < 0x030B0000:  # csv of Python 3.10 takes no NUL.
        return
    path = project.path / "results.csv"
    frame.to_csv(path, index=False, errors="surrogatepass", quoting=csv.QUOTE_ALL)
    csv.field_size_limit(10_000_000)
    with path.open(encoding="utf-8", errors="surrogatepass", newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    assert [row["config/value"] for row in rows] == TEXTS
