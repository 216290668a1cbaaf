"""Which files travel to nodes that do not see the rootdir."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from pytest_sweep.executors.ray.code.files import Selection


def make(root: Path, *names: str) -> None:
    """Write files with one letter in each."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")


def shipped(root: Path, include: Sequence[str] = (), left_out: Sequence[Path] = ()) -> list[str]:
    """Return the names of the files that travel."""
    return [file.name for file in Selection(root, left_out, include).files()]


def ignore(folder: Path, *lines: str, name: str = ".gitignore") -> None:
    """Write an ignore file."""
    (folder / name).write_text("\n".join(lines) + "\n")


def test_code_and_data_travel(tmp_path: Path) -> None:
    """Whatever is in the folder travels, with its size, sorted by name; empty folders do not."""
    make(tmp_path, "test_a.py", "data/b.csv", "helpers/__init__.py")
    (tmp_path / "empty").mkdir()
    (tmp_path / "data" / "b.csv").write_text("12345")
    files = Selection(tmp_path).files()
    assert [(file.name, file.size) for file in files] == [
        ("data/b.csv", 5),
        ("helpers/__init__.py", 1),
        ("test_a.py", 1),
    ]


@pytest.mark.parametrize(
    "name",
    [
        ".git/HEAD",
        ".hg/a",
        "__pycache__/a.pyc",
        "lib/__pycache__/a.pyc",
        ".pytest_cache/v",
        "node_modules/a.js",
        ".tox/a",
    ],
)
def test_what_has_no_code(tmp_path: Path, name: str) -> None:
    """Version control and caches stay, at any depth; a pattern that names no folder does not bring them back."""
    make(tmp_path, "a.py", name)
    assert shipped(tmp_path) == ["a.py"]
    assert shipped(tmp_path, include=["*"]) == ["a.py"]


def test_environments_of_python(tmp_path: Path) -> None:
    """What is an environment stays, whatever its name is."""
    make(tmp_path, "a.py", "my-env/pyvenv.cfg", "my-env/lib/b.py", "conda/conda-meta/history", "conda/c.py")
    assert shipped(tmp_path) == ["a.py"]


def test_folders_that_are_left_out(tmp_path: Path) -> None:
    """The folder for results stays, also where its name is a link."""
    make(tmp_path, "a.py", "results/run.db", "other/results/b.py")
    (tmp_path / "link").symlink_to(tmp_path / "results")
    assert shipped(tmp_path, left_out=[tmp_path / "results"]) == ["a.py", "other/results/b.py"]


class TestGitignore:
    def test_what_it_names(self, tmp_path: Path) -> None:
        """What it names stays; what it takes back with ``!`` travels; it does not travel itself."""
        make(tmp_path, "a.py", "b.log", "keep.log", "build/c.py", "src/build/d.py")
        ignore(tmp_path, "*.log", "!keep.log", "/build/")
        assert shipped(tmp_path) == ["a.py", "keep.log", "src/build/d.py"]

    def test_in_a_folder(self, tmp_path: Path) -> None:
        """One in a folder speaks of that folder, and the nearest one decides."""
        make(tmp_path, "a.tmp", "in/a.tmp", "in/b.bin", "out/b.bin")
        ignore(tmp_path, "*.tmp")
        ignore(tmp_path / "in", "!a.tmp", "b.bin")
        assert shipped(tmp_path) == ["in/a.tmp", "out/b.bin"]

    def test_above_the_rootdir(self, tmp_path: Path) -> None:
        """Those of the repository that the rootdir is in count, too; above the repository none does."""
        root = tmp_path / "repository" / "ml"
        make(root, "a.py", "b.log", "c.out", "d.tmp")
        (root.parent / ".git").mkdir()
        ignore(root.parent, "*.log", "/ml/c.out")
        ignore(tmp_path, "*.tmp")
        assert shipped(root) == ["a.py", "d.tmp"]

    def test_rayignore(self, tmp_path: Path) -> None:
        """A .rayignore says what git should know and nodes need not."""
        make(tmp_path, "a.py", "paper/a.pdf")
        ignore(tmp_path, "paper/", name=".rayignore")
        assert shipped(tmp_path) == ["a.py"]

    def test_an_ignored_folder_is_ignored_whole(self, tmp_path: Path) -> None:
        """As for git, nothing within an ignored folder is taken back by an ignore file."""
        make(tmp_path, "a.py", "data/b.csv")
        ignore(tmp_path, "data/", "!data/b.csv")
        assert shipped(tmp_path) == ["a.py"]


class TestInclude:
    @pytest.mark.parametrize("pattern", ["data/b.csv", "data/*.csv", "data/", "*.csv", "/data/b.csv", "**/b.csv"])
    def test_what_is_brought_back(self, tmp_path: Path, pattern: str) -> None:
        """A pattern as in .gitignore brings back what that leaves out, within a folder that it leaves out, too."""
        make(tmp_path, "a.py", "data/b.csv", "logs/c.log")
        ignore(tmp_path, "data/", "logs/")
        assert shipped(tmp_path, include=[pattern]) == ["a.py", "data/b.csv"]

    def test_what_has_no_code_by_its_path(self, tmp_path: Path) -> None:
        """A path with a slash in it reaches into what has no code, too."""
        make(tmp_path, "a.py", ".git/HEAD", ".git/config", "results/best/model.bin", "results/run.db")
        found = shipped(tmp_path, include=[".git/HEAD", "results/best/"], left_out=[tmp_path / "results"])
        assert found == [".git/HEAD", "a.py", "results/best/model.bin"]

    def test_all_files_of_a_kind_but_caches(self, tmp_path: Path) -> None:
        """A name without a slash is looked for wherever code may be, and nowhere else."""
        make(tmp_path, "weights/m.pt", "deep/er/m.pt", "__pycache__/m.pt", ".git/m.pt")
        ignore(tmp_path, "*.pt")
        assert shipped(tmp_path, include=["m.pt"]) == ["deep/er/m.pt", "weights/m.pt"]


class TestLinks:
    def test_to_a_folder_outside(self, tmp_path: Path) -> None:
        """What a link leads to travels under the link's name."""
        make(tmp_path / "outside", "data.csv")
        make(tmp_path / "root", "a.py")
        (tmp_path / "root" / "data").symlink_to(tmp_path / "outside")
        assert shipped(tmp_path / "root") == ["a.py", "data/data.csv"]

    def test_round_and_round(self, tmp_path: Path) -> None:
        """A link to a folder that it is in ends the way there."""
        make(tmp_path, "in/a.py")
        (tmp_path / "in" / "again").symlink_to(tmp_path)
        assert shipped(tmp_path) == ["in/a.py"]

    def test_to_nothing(self, tmp_path: Path) -> None:
        """A link to what is not there is passed over."""
        make(tmp_path, "a.py")
        (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
        assert shipped(tmp_path) == ["a.py"]
