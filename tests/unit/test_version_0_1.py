"""What counted as the code of a sweep for version 0.1.0: what it has stored is compared in the same way."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from pytest_sweep.plugin.collect.version_0_1 import read_file


def texts(path: Path, source: str) -> tuple[str, list[str]]:
    """Return what counts of a file, whole and by function."""
    path.write_text(textwrap.dedent(source), encoding="utf-8")
    file = read_file(str(path))
    assert file is not None
    return file.text, list(file.functions.values())


class TestFiles:
    @pytest.mark.parametrize(
        "decorator",
        [
            "@sweep({'n': [1, 2]}, metric='loss')",
            "@sweep(grid={'n': [1]}, metric='loss')",
            "@sweep(metric='loss', grid={'n': [1]})",
            "@sweep(grid={'ü': ['ä', 1]}, where='n > 1', num_samples=3, metric='loss')",
            "@sweep(space=grid(n=[1]), repeats=2, metric='loss')",
            "@sweep(configs=[\n    {'n': 1},\n], metric='loss')",
        ],
    )
    def test_the_space_does_not_count(self, tmp_path: Path, decorator: str) -> None:
        """However the space is written in the decorator, the code is the same."""
        body = "\ndef train(n): ...\n"
        assert texts(tmp_path / "a.py", decorator + body) == texts(tmp_path / "b.py", "@sweep(metric='loss')" + body)

    def test_one_argument_a_line(self, tmp_path: Path) -> None:
        """Where each argument has its line, lines of the space may come and go."""
        long = """
            @pytest.mark.sweep(
                grid={"n": [1, 2]},
                num_samples=3,
                metric="loss",
            )
            def train(n): ...
        """
        short = """
            @pytest.mark.sweep(
                grid={"n": [1]},
                metric="loss",
            )
            def train(n): ...
        """
        assert texts(tmp_path / "a.py", long) == texts(tmp_path / "b.py", short)

    @pytest.mark.parametrize(
        "other",
        [
            "@sweep(grid={}, metric='acc')",
            "@sweep(grid={}, metric='loss', stop={'loss': 1})",
            "@other(grid={1: 2}, metric='loss')",
        ],
    )
    def test_everything_else_counts(self, tmp_path: Path, other: str) -> None:
        """What else is in the decorator is code, and so are the arguments of other decorators."""
        body = "\ndef train(n): ...\n"
        one, two = (
            texts(tmp_path / "a.py", "@sweep(grid={}, metric='loss')" + body),
            texts(tmp_path / "b.py", other + body),
        )
        assert one[0] != two[0]
        assert one[1] != two[1]

    def test_a_function_is_its_own_lines(self, tmp_path: Path) -> None:
        """What stands beside a function changes the file and not the function."""
        one = texts(tmp_path / "a.py", "import os\n\n\n@sweep(grid={})\ndef train(n):\n    return 1\n")
        two = texts(tmp_path / "b.py", "@sweep(grid={})\ndef train(n):\n    return 1\nX = 1\n")
        assert one[0] != two[0]
        assert one[1] == two[1] == ["@sweep()\ndef train(n):\n    return 1\n"]

    @pytest.mark.parametrize("content", [b"def", b"\xff\xfe\x00", b"# coding: nonsense\n"])
    def test_what_cannot_be_read(self, tmp_path: Path, content: bytes) -> None:
        """A file that is no Python, or is not there, is unknown."""
        (tmp_path / "a.py").write_bytes(content)
        assert read_file(str(tmp_path / "a.py")) is None
        assert read_file(str(tmp_path / "absent.py")) is None
