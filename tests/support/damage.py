"""Damages each file of a run in each way, in a run or before it is resumed, and tells what becomes of it: the table in docs/reliability.md.

``python -m tests.support.damage`` prints the table as Markdown.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

FILES = ("run.db", "run.db-wal", "run.db-shm", "manifest", "checkpoint", "running")
KINDS = ("garbage", "zeroed", "halved", "deleted", "folder", "pipe", "link", "unreadable")
WHEN = ("in the run", "before the resume")
LIMIT = 120.0
"""Seconds that a session may take; nothing may wait for ever."""

TRIALS = 6
REPORTS = 3
_BROKEN = 4
"""The trial in which a file is damaged, or the driver killed."""

SWEEP = f"""
import os, subprocess, sys, time
from pathlib import Path
import pytest
from pytest_sweep import sweep
sys.path.insert(0, {str(Path(__file__).parents[2])!r})

HERE = Path(__file__).parent

@sweep(grid={{"n": list(range(1, {TRIALS} + 1))}}, metric="loss", mode="min", retries=1)
def train(n, trial, tmp_path):
    start = 0
    if trial.checkpoint is not None:
        start = int((trial.checkpoint / "epoch").read_text().split()[0])
    with (HERE / "begun").open("a") as file:
        file.write(f"{{n}} from {{start}}\\n")
    for epoch in range(start + 1, {REPORTS} + 1):
        (tmp_path / "epoch").write_text(f"{{epoch}} " * 200)
        trial.report({{"loss": n / epoch}}, checkpoint=tmp_path / "epoch" if n == {_BROKEN} else None)
        if n == {_BROKEN} and epoch == 2 and start == 0 and trial.attempt == 1:
            if "KILL" in os.environ:
                while not (HERE / "seen").exists():
                    time.sleep(0.05)
            elif "HARM" in os.environ:
                # In another process: closing a file of SQLite's would drop the locks of this one.
                subprocess.run([sys.executable, "-m", "tests.support.damage", "--harm", *os.environ["HARM"].split(":"),
                                str(HERE / "sweep_results")], check=True, cwd={str(Path(__file__).parents[2])!r})
                raise RuntimeError("once more")
"""


@dataclass(frozen=True)
class Case:
    """What is done to which file, and when."""

    file: str
    kind: str
    when: str

    def __str__(self) -> str:
        return f"{self.file}-{self.kind}-{self.when}".replace(" ", "_")


@dataclass(frozen=True)
class Outcome:
    """What became of a case.

    Attributes:
        status: the exit status of the session that met the damage.
        output: what it has written.
        results: of how many trials the result is read back: they have ended well, and have final metrics.
        complete: of how many of them all reports are read back, too.
        taken: how many of them were taken from the run before.
        message: the line about the damage; "" if there is none.
    """

    status: int
    output: str
    results: int
    complete: int
    taken: int
    message: str

    @property
    def is_honest(self) -> bool:
        """Whether nothing is lost, or the status or a line says so."""
        return self.complete == TRIALS if self.status == 0 else bool(self.message)


CASES = [Case(file, kind, when) for when in WHEN for file in FILES for kind in KINDS]


def harm(path: Path, kind: str) -> None:
    """Damage a file; nothing is done to one that is not there."""
    if not path.exists():
        return
    size = path.stat().st_size
    if kind in ("garbage", "zeroed"):
        with path.open("r+b") as file:
            file.write(os.urandom(size) if kind == "garbage" else bytes(size))
        return
    if kind == "halved":
        os.truncate(path, size // 2)
        return
    if kind == "unreadable":
        path.chmod(0)
        return
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("/etc/hostname")


def file_of(results: Path, file: str) -> Path:
    """Return the path of a file of the newest run."""
    run = max(path for path in results.iterdir() if path.is_dir())
    if file in ("manifest", "checkpoint"):
        newest = max(path for path in run.glob("*/checkpoints/*") if path.is_dir())
        return newest / "epoch" if file == "checkpoint" else newest.with_name(f"{newest.name}.json")
    return run / file


def killed_run(folder: Path) -> None:
    """Make a project whose run was killed in one of its trials, after two checkpoints, and another one."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_models.py").write_text(SWEEP)
    process = subprocess.Popen(
        _command(folder, "processes"),
        cwd=folder,
        env={**os.environ, "KILL": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
    limit = time.monotonic() + LIMIT
    while time.monotonic() < limit and _reported(folder) < 2 + REPORTS * (_BROKEN - 1):
        time.sleep(0.05)
    process.kill()
    process.wait()
    (folder / "seen").touch()


def run_case(case: Case, folder: Path, executor: str = "inline", killed: Path | None = None) -> Outcome:
    """Run a case in an empty folder.

    Args:
        case: the case.
        folder: the folder of the project, which is made.
        executor: where trials run.
        killed: what `killed_run` has made, to be copied; made anew if there is none and it is needed.
    """
    environ = {}
    if case.when == WHEN[0]:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "test_models.py").write_text(SWEEP)
        environ["HARM"] = f"{case.file}:{case.kind}"
        extra: tuple[str, ...] = ()
    else:
        if killed is None:
            killed_run(folder)
        else:
            # Workers may still be deleting what is temporary.
            shutil.copytree(killed, folder, ignore=shutil.ignore_patterns("tmp"))
        harm(file_of(folder / "sweep_results", case.file), case.kind)
        extra = ("--sweep-resume",)
    done = subprocess.run(
        _command(folder, executor, *extra),
        cwd=folder,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    output = done.stdout + done.stderr
    return Outcome(done.returncode, output, *_read_back(folder), _message(output))


def _command(folder: Path, executor: str, *extra: str) -> list[str]:
    # Root would read what nobody may read.
    user = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    which = ["-n1"] if executor == "processes" else [f"--sweep-executor={executor}"]
    return [
        *user, sys.executable, "-m", "pytest", "--sweep", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "-p", "no:hypothesispytest",
        f"--basetemp={folder / 'tmp'}", *which, *extra,
    ]  # fmt: skip


def _reported(folder: Path) -> int:
    # In another process, as whoever looks at a run that goes on.
    script = """
import sqlite3, sys
from pathlib import Path
try:
    (path,) = Path(sys.argv[1]).glob("sweep_results/*/run.db")
    print(sqlite3.connect(f"file:{path}?mode=ro", uri=True).execute("SELECT count(*) FROM report").fetchone()[0])
except (ValueError, sqlite3.Error):
    print(0)
"""
    command = [sys.executable, "-S", "-c", script, str(folder)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _read_back(folder: Path) -> tuple[int, int, int]:
    """Return of how many trials of the newest run there are results, and all reports, and how many were taken, as they are read back."""
    from pytest_sweep import SweepError, load_results

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            grid = load_results(dir=folder / "sweep_results")["train"]
            results = [result for result in grid if result.ended_well and result.metrics]
            complete = [result for result in results if len(result.metrics_history) == REPORTS]
    except (SweepError, KeyError):
        return 0, 0, 0
    return len(results), len(complete), sum(str(result.state) == "CACHED" for result in results)


_SIGNS = re.compile(r" (damaged|written again|passed over|cannot be|nothing to resume|not a regular|lost|deleted)")


def _message(output: str) -> str:
    return next((line.removeprefix("ERROR: ").strip() for line in output.splitlines() if _SIGNS.search(line)), "")


def table(executor: str, files: Sequence[str] = FILES, when: Sequence[str] = WHEN) -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| when | file | what | status | results | with all reports | taken | message |"
    yield "|---|---|---|---|---|---|---|---|"
    with tempfile.TemporaryDirectory() as name:
        base = Path(name, "killed")
        killed_run(base)
        for number, case in enumerate(case for case in CASES if case.file in files and case.when in when):
            outcome = run_case(case, Path(name, str(number)), executor, base)
            message = re.sub(r"/\S*/(?=run\.db|sweep_results)", "", outcome.message).replace("|", "\\|")
            message = re.sub(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d_\w{4}", "NAME", message)
            taken = "" if case.when == WHEN[0] else str(outcome.taken)
            mark = "" if outcome.is_honest else " **dishonest**"
            cells = [
                case.when,
                case.file,
                case.kind,
                f"{outcome.status}{mark}",
                str(outcome.results),
                str(outcome.complete),
                taken,
                message,
            ]
            yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--harm", nargs=3, metavar=("FILE", "KIND", "RESULTS"))
    parser.add_argument("--executor", default="inline")
    parser.add_argument("--file", action="append", choices=FILES)
    parser.add_argument("--when", type=int, choices=(0, 1))
    arguments = parser.parse_args()
    if arguments.harm:
        harm(file_of(Path(arguments.harm[2]), arguments.harm[0]), arguments.harm[1])
    else:
        for line in table(
            arguments.executor, arguments.file or FILES, [WHEN[arguments.when]] if arguments.when is not None else WHEN
        ):
            print(line, flush=True)
