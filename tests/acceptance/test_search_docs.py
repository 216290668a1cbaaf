"""The examples of docs/search.md, as a user would run them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.acceptance.project import Project, output

PAGE = Path(__file__).resolve().parents[2] / "docs" / "search.md"
BLOCKS = {
    found[1]: found[2]
    for found in re.finditer(r"^```python\n# (\S+\.py)\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
}
pytest.importorskip("optuna")


@pytest.mark.parametrize("name", [name for name in BLOCKS if name.startswith("test_")])
def test_an_example_runs(project: Project, name: str) -> None:
    """Each file of the page passes, its tests of the results included."""
    (project.path / name).write_text(BLOCKS[name], encoding="utf-8")
    result = project.sweep(name)
    assert result.ret == 0, output(result)


def test_the_plugin_of_the_page_makes_a_searcher(project: Project) -> None:
    """The conftest.py of the page is asked for the searcher that only it knows."""
    (project.path / "conftest.py").write_text(BLOCKS["conftest.py"], encoding="utf-8")
    project.write(
        """
        from pytest_sweep import uniform

        @sweep(space={"x": uniform(0, 1), "y": uniform(2, 3)}, num_samples=4, search="corners", metric="loss", mode="min")
        def fit(x, y):
            return {"loss": round(x) + round(y)}
        """
    )
    result = project.sweep()
    assert result.ret == 0, output(result)
    assert sorted(one.metrics["loss"] for one in project.grid("fit") if one.metrics) == [2, 3, 3, 4]
