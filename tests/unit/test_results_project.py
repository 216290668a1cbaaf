"""Where a project keeps its results, as its configuration for pytest says."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_sweep.errors import NoResultsError
from pytest_sweep.results.project import results_folder

FILES = {
    "pytest.ini": "[pytest]\nsweep_dir = out/runs\n",
    ".pytest.ini": "[pytest]\nsweep_dir = out/runs\n",
    "pytest.toml": '[pytest]\nsweep_dir = "out/runs"\n',
    "pyproject.toml": '[tool.pytest.ini_options]\nsweep_dir = "out/runs"\n',
    "tox.ini": "[testenv]\ndeps = x\n[pytest]\nsweep_dir = out/runs\n",
    "setup.cfg": "[metadata]\nname = x\n[tool:pytest]\nsweep_dir = out/runs\n",
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two folders that may have results, and the current folder below it."""
    for folder in ("out/runs", "sweep_results", "deep/er"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep" / "er")
    return tmp_path


@pytest.mark.parametrize("name", FILES)
def test_each_file(root: Path, name: str) -> None:
    """The key sweep_dir is read from every file that pytest reads, relative to its folder, from a folder below too."""
    (root / name).write_text(FILES[name])
    assert results_folder() == root / "out" / "runs"


def test_native_toml(root: Path) -> None:
    """So it is from the table tool.pytest."""
    (root / "pyproject.toml").write_text('[tool.pytest]\nsweep_dir = "out/runs"\n')
    assert results_folder() == root / "out" / "runs"


@pytest.mark.parametrize("options", ["-q --sweep-dir=out/runs", "--sweep-dir 'out/runs' -q", '--sweep-dir="out/runs"'])
def test_additional_options(root: Path, options: str) -> None:
    """--sweep-dir in addopts beats the key, as it does for pytest."""
    (root / "pytest.ini").write_text(f"[pytest]\nsweep_dir = other\naddopts = {options}\n")
    assert results_folder() == root / "out" / "runs"


def test_an_absolute_folder(root: Path) -> None:
    """An absolute path is taken as it is."""
    (root / "pytest.ini").write_text(f"[pytest]\nsweep_dir = {root / 'out'}\n")
    assert results_folder() == root / "out"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pytest.ini", ""),
        ("pytest.ini", "[pytest]\naddopts = --sweep-dir\n"),
        ("pytest.ini", "[pytest]\naddopts = 'open\n"),
        ("pyproject.toml", "[project]\nname = 'x'\n"),
        ("pyproject.toml", "no toml"),
        ("setup.cfg", "[pytest]\nsweep_dir = out/runs\n"),
        ("tox.ini", "[tox]\nsweep_dir = out/runs\n"),
    ],
)
def test_where_nothing_is_configured(root: Path, name: str, content: str) -> None:
    """The nearest sweep_results is taken where no configuration for pytest names a folder."""
    (root / name).write_text(content)
    assert results_folder() == root / "sweep_results"


def test_the_nearest_configuration_counts(root: Path) -> None:
    """As for pytest, the configuration of a folder above does not count where a nearer one is."""
    (root / "pytest.ini").write_text("[pytest]\nsweep_dir = out/runs\n")
    (root / "deep" / "pytest.ini").write_text("[pytest]\n")
    assert results_folder() == root / "sweep_results"
    (root / "deep" / "pytest.ini").write_text("[pytest]\nsweep_dir = er\n")
    assert results_folder() == root / "deep" / "er"


def test_it_is_the_one_that_pytest_uses(root: Path) -> None:
    """The folder is the one in which a session that is started in the same folder writes."""
    (root / "pyproject.toml").write_text('[tool.pytest.ini_options]\nsweep_dir = "elsewhere"\n')
    with pytest.raises(NoResultsError, match=r"no folder .*elsewhere, where .*pyproject.toml says that results are"):
        results_folder()


def test_what_is_given_counts(root: Path) -> None:
    """An argument beats all configuration."""
    (root / "pytest.ini").write_text("[pytest]\nsweep_dir = out/runs\n")
    assert results_folder("mine") == root / "deep" / "er" / "mine"
