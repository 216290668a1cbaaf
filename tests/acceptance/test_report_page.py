"""With --sweep-report the run is written as a page when it ends, and nothing that goes wrong with it costs the run anything."""

from __future__ import annotations

import base64
import gzip
import json
import re

import pytest

from .project import Project, output

TRAIN = """
    @sweep(grid={"n": [1, 2]}, metric="loss", mode="min")
    def train(n, trial):
        trial.report({"loss": n})
        INTERRUPT
"""


def test_a_page_at_the_end(project: Project) -> None:
    """The page is there when the session has ended, with how it ended, and the summary names it; the folder is made."""
    project.write(TRAIN.replace("INTERRUPT", ""))
    result = project.sweep("--sweep-report=new/page.html")
    page = project.path / "new" / "page.html"
    assert result.ret == pytest.ExitCode.OK
    assert f"Report page: {page}" in output(result)
    assert "</html>" in page.read_text("utf-8")
    (run,) = project.runs()
    assert run.name in page.read_text("utf-8")


def test_a_page_of_an_interrupted_run(project: Project) -> None:
    """An interrupted run has a page, too, and without a summary the line is written all the same."""
    project.write(TRAIN.replace("INTERRUPT", "raise KeyboardInterrupt"))
    result = project.sweep("--sweep-report=page.html", "--no-summary")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert output(result).count("Report page: ") == 1
    assert "interrupted" in _facts(project)


def test_a_page_that_cannot_be_written(project: Project) -> None:
    """Where the page cannot be written, the exit status stays, and a sentence says why and which command writes it."""
    project.write(TRAIN.replace("INTERRUPT", ""))
    (project.path / "file").write_text("")
    result = project.sweep("--sweep-report=file/page.html")
    assert result.ret == pytest.ExitCode.OK
    text = output(result)
    (run,) = project.runs()
    assert f"The report page was not written: {project.path / 'file' / 'page.html'} cannot be written: " in text
    assert f"To write it: pytest-sweep report {run}" in text
    assert "Traceback" not in text


def _facts(project: Project) -> str:
    found = re.search(r'id="data">([^<]*)</script>', (project.path / "page.html").read_text("utf-8"))
    assert found
    return str(json.loads(gzip.decompress(base64.b64decode(found[1])))["run"]["status"])
