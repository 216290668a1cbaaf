"""A file beside the tests that is named like a module of the standard library does what it does without a sweep."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from .project import Project, output

PYTEST = Path(sys.executable).with_name("pytest")
"""Not ``python -m pytest``, which imports from the working directory before anything else."""

EXECUTORS = [("--sweep-executor=inline",), ("-n2",), ("--sweep-executor=processes", "--sweep-max-concurrent=1")]


def _sweep(project: Project, *arguments: str) -> pytest.RunResult:
    return project.pytester.run(
        PYTEST, "--sweep", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", *arguments, timeout=120
    )


@pytest.mark.parametrize("executor", EXECUTORS, ids=["inline", "n2", "processes"])
@pytest.mark.parametrize("folder", ["tests", "tests/deep"])  # The root itself pytester puts on PYTHONPATH.
def test_what_must_not_be_imported(project: Project, executor: tuple[str, ...], folder: str) -> None:
    """Workers start and trials run beside files that nobody imports without a sweep."""
    names = (
        "asyncio", "bdb", "code", "concurrent", "csv", "email", "getpass", "inspect", "json", "logging", "multiprocessing", "pdb",
        "platform", "queue", "random", "resource", "secrets", "select", "signal", "socket", "sqlite3", "statistics", "string",
        "subprocess", "tempfile", "token", "tokenize", "types", "typing", "unittest", "uuid", "zipfile",
    )  # fmt: skip
    for name in names:
        project.write(f"raise ImportError('the wrong {name}')\n", f"{folder}/{name}.txt").rename(
            project.path / folder / f"{name}.py"
        )
    project.write("@sweep(grid={'n': [1, 2]})\ndef train(n): ...\n", f"{folder}/test_models.py")
    result = _sweep(project, *executor)
    assert result.ret == 0, output(result)
    assert "the wrong" not in output(result)
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("executor", EXECUTORS, ids=["inline", "n2", "processes"])
def test_what_the_tests_import(project: Project, executor: tuple[str, ...]) -> None:
    """Tests get their own module where pytest has not imported the library's, and the library's where it has."""
    for name in ("colorsys", "statistics", "sched", "csv", "queue", "netrc"):
        project.write("", f"tests/{name}.txt").rename(project.path / "tests" / f"{name}.py").write_text("OWN = True\n")
    source = """
        import colorsys, statistics, sched, csv, queue

        def own(*modules):
            return {module.__name__: hasattr(module, "OWN") for module in modules}

        FOUND = own(colorsys, statistics, sched, csv, queue)
    """
    project.write(
        f"{source}\n        def test_it():\n            print('plain', sorted(FOUND.items()))\n", "tests/test_plain.py"
    )
    plain = project.pytester.run(
        PYTEST, "-s", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "tests/test_plain.py"
    )
    expected = next(line for line in plain.outlines if "plain [" in line).partition("plain ")[2]
    assert "('colorsys', True)" in expected
    assert "('queue', False)" in expected
    (project.path / "tests/test_plain.py").unlink()
    project.write(
        f"""{source}
        @sweep(grid={{"n": [1, 2]}})
        def train(n):
            return {{"found": str(sorted(FOUND.items()))}}
    """,
        "tests/test_models.py",
    )
    result = _sweep(project, *executor)
    assert result.ret == 0, output(result)
    assert {r.metrics["found"] for r in project.grid() if r.metrics} == {expected}
