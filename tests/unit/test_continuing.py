"""The command that continues a run has the user's own arguments, and can be pasted."""

from __future__ import annotations

import shlex

import pytest

from pytest_sweep.plugin.session.continuing import continuing_command


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["--sweep"], "pytest --sweep --sweep-resume=RUN"),
        (["--sweep", "-n2", "-q", "tests"], "pytest --sweep --sweep-resume=RUN -n2 -q tests"),
        (["tests", "--sweep", "-k", "not slow"], "pytest --sweep --sweep-resume=RUN tests -k 'not slow'"),
        (["-n2"], "pytest --sweep-resume=RUN -n2"),
        (["--sweep", "--sweep-resume=OLD", "a.py"], "pytest --sweep --sweep-resume=RUN a.py"),
        (["--sweep", "--sweep-resume", "OLD", "a.py"], "pytest --sweep --sweep-resume=RUN a.py"),
        (["--sweep", "--sweep-resume", "-q"], "pytest --sweep --sweep-resume=RUN -q"),
        (["--sweep-resume-strict", "--sweep"], "pytest --sweep --sweep-resume=RUN --sweep-resume-strict"),
        (["--sweep", "--", "--sweep-resume"], "pytest --sweep --sweep-resume=RUN -- --sweep-resume"),
        (["--sweep", "a.py::train[x='1 $HOME']"], "pytest --sweep --sweep-resume=RUN 'a.py::train[x='\"'\"'1 $HOME'\"'\"']'"),
    ],
)  # fmt: skip
def test_the_command(arguments: list[str], command: str) -> None:
    """It names the run, whichever run this one was continued from."""
    found = continuing_command(arguments, "RUN", "/usr/bin/pytest")
    assert found == command
    assert shlex.split(found)[0] == "pytest"


@pytest.mark.parametrize(
    ("arguments", "rest"),
    [
        (["-x", "-n2"], ["-n2"]),
        (["--exitfirst", "a.py"], ["a.py"]),
        (["--maxfail=3", "a.py"], ["a.py"]),
        (["--maxfail", "3", "a.py"], ["a.py"]),
        (["-vxk", "x"], ["-vk", "x"]),
        (["-kx", "-k", "x", "-px"], ["-kx", "-k", "x", "-px"]),
        (["--sw", "--stepwise-skip", "-q"], ["-q"]),
        (["-q", "--", "-x", "--sw", "--maxfail=1"], ["-q", "--", "-x", "--sw", "--maxfail=1"]),
    ],
)  # fmt: skip
def test_what_would_end_the_next_session(arguments: list[str], rest: list[str]) -> None:
    """What ends a session at a failure is left out: the failure is taken, and would end the next one before anything runs."""
    found = shlex.split(continuing_command(["--sweep", *arguments], "RUN", "/usr/bin/pytest"))
    assert found == ["pytest", "--sweep", "--sweep-resume=RUN", *rest]


def test_an_ini_file_that_ends_at_a_failure() -> None:
    """Where -x comes from addopts, the command undoes it."""
    found = continuing_command(["--sweep", "-q"], "RUN", "/usr/bin/pytest", maxfail=1)
    assert found == "pytest --sweep --sweep-resume=RUN --maxfail=0 -q"


def test_how_python_was_started() -> None:
    """Who has called ``python -m pytest`` does so again: it puts another folder on the import path."""
    found = continuing_command(["--sweep"], "RUN", "/lib/pytest/__main__.py")
    assert found == "python -m pytest --sweep --sweep-resume=RUN"
