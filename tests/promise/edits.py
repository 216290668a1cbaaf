"""A small project, and edits of it: which of its sweeps run again because of each, and what is said to have changed."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

FILES = {
    "pytest.ini": "[pytest]\n",
    "conftest.py": '''
        """The fixtures."""
        import pytest
        pytest_plugins = ["project_plugin"]

        @pytest.fixture
        def data():
            return 1

        @pytest.fixture
        def dyn():
            return 2

        @pytest.fixture
        def unused():
            return 3

        @pytest.fixture(autouse=True)
        def always():
            return 4

        def pytest_sweep_trial_setup(trial):
            trial.dir
    ''',
    "project_plugin.py": """
        import pytest

        @pytest.fixture
        def of_plugin():
            return 1
    """,
    "base.py": """
        class Base:
            scale = 1
    """,
    "mixin.py": """
        class Mixin:
            offset = 1
    """,
    "helper.py": """
        import deeper

        def double(x):
            return deeper.twice(x)
    """,
    "deeper.py": """
        def twice(x):
            return 2 * x
    """,
    "constants.py": "FACTOR = 100\n",
    "decorators.py": """
        import functools

        def plain(function):
            @functools.wraps(function)
            def wrapped(*args, **kwargs):
                return function(*args, **kwargs)
            return wrapped
    """,
    "lazy.py": "VALUE = 1\n",
    "literal.py": "VALUE = 1\n",
    "script.py": "print(1)\n",
    "package/__init__.py": "VALUE = 1\n",
    "package/part.py": "from .sibling import VALUE\n",
    "package/sibling.py": "VALUE = 1\n",
    "package/unused.py": "VALUE = 1\n",
    "data.json": "[1]\n",
    "unrelated.py": "VALUE = 1\n",
    "models/__init__.py": "",
    "models/first.py": "VALUE = 1\n",
    "test_models.py": '''
        import importlib
        import json
        import subprocess
        import sys
        from pathlib import Path

        import editable
        import pytest
        import third
        from base import Base
        from constants import FACTOR
        from decorators import plain
        from helper import double
        from mixin import Mixin
        from package.part import VALUE
        from pytest_sweep import sweep

        class TestModels(Mixin, Base):
            factor = 1

            @plain
            @sweep(grid={"n": [1, 2]})
            def train(self, n, data, of_plugin, request):
                """Train."""
                import lazy
                # This is a comment.
                literal = importlib.import_module("literal")
                dyn = request.getfixturevalue("dyn")
                script = Path(__file__).parent / "script.py"
                subprocess.run([sys.executable, str(script)], check=True, stdout=subprocess.DEVNULL)
                data = json.loads((Path(__file__).parent / "data.json").read_text())[0] * data
                return {"x": double(n) * FACTOR * self.scale * self.factor + data + dyn + literal.VALUE + lazy.VALUE}

        def test_ordinary():
            assert VALUE
    ''',
    "test_other.py": """
        import unrelated
        from pytest_sweep import sweep

        @sweep(grid={"n": [1]})
        def other(n):
            return {"x": unrelated.VALUE}
    """,
    "test_named.py": """
        import importlib
        from pytest_sweep import sweep

        @sweep(configs=[{"model": "first"}])
        def named(model):
            return {"x": importlib.import_module(f"models.{model}").VALUE}
    """,
    "../outside/editable.py": "VALUE = 1\n",
    "../site-packages/third/__init__.py": "VALUE = 1\n",
    "../site-packages/third-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: third\nVersion: 1.0\n",
}
ALL = frozenset({"train", "other", "named"})


@dataclass(frozen=True)
class Edit:
    """A change of the project.

    Attributes:
        file: the file that is edited.
        old: what is replaced in it.
        new: by what; where `old` is empty, all that the file has then.
        runs: the sweeps that run again.
        says: what is said to have changed.
        do: does something else instead.
    """

    file: str = ""
    old: str = ""
    new: str = ""
    runs: frozenset[str] = frozenset()
    says: str = ""
    do: Callable[[Path, pytest.MonkeyPatch], object] | None = None

    def apply(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make the change in the project in `folder`."""
        if self.do is not None:
            self.do(folder, monkeypatch)
            return
        path = folder / self.file
        path.parent.mkdir(exist_ok=True)
        text = path.read_text() if path.exists() else ""
        assert self.old in text, "the edit does nothing"
        path.write_text(text.replace(self.old, self.new) if self.old else self.new)


def edit(file: str, old: str, new: str, *runs: str, says: str = "") -> Edit:
    """Return an edit after which the sweeps `runs` run, because the file, or what it `says`, has changed."""
    return Edit(file, old, new, frozenset(runs), says or (f"{file} has changed" if runs else ""))


def _other_python(folder: Path, _: object) -> None:
    for database in folder.glob("sweep_results/*/run.db"):
        with closing(sqlite3.connect(database)) as connection, connection:
            changed = connection.execute(
                """UPDATE code SET content = json_set(content, '$.packages.python', '3.0.0')"""
            )
            assert changed.rowcount >= len(ALL)


def _move(old: str, new: str) -> Callable[[Path, object], object]:
    return lambda folder, _: (folder / old).rename(folder / new)


THIRD = "../site-packages/third-1.0.dist-info/METADATA"
LATE = "@pytest.fixture(autouse=True)\ndef late(): ...\n"
DYN = "@pytest.fixture\ndef dyn(): return 5\n"
TRAIN = "test_models.py::TestModels::train has changed"

EDITS = {
    # What counts
    "a helper": edit("helper.py", "twice(x)", "twice(x) + 0", "train"),
    "a helper of a helper": edit("deeper.py", "2 * x", "x + x", "train"),
    "a constant": edit("constants.py", "100", "200", "train"),
    "a base class": edit("base.py", "scale = 1", "scale = 2", "train"),
    "a mixin": edit("mixin.py", "offset = 1", "offset = 2", "train"),
    "a class attribute": edit("test_models.py", "factor = 1", "factor = 2", "train"),
    "the function": edit("test_models.py", "+ lazy.VALUE", "- lazy.VALUE", "train", says=TRAIN),
    "another test of the file": edit("test_models.py", "assert VALUE", "assert VALUE == 1", "train"),
    "a docstring": edit("test_models.py", "Train.", "Train it.", "train", says=TRAIN),
    "a mark": edit("test_models.py", "@plain", "@plain\n    @pytest.mark.filterwarnings('default')", "train", says=TRAIN),
    "an argument of the sweep": edit("test_models.py", '[1, 2]}', '[1, 2]}, metric="x", mode="max"', "train", says=TRAIN),
    "a decorator": edit("decorators.py", "return function", "return 0 or function", "train"),
    "a fixture": edit("conftest.py", "return 1", "return 10", "train", says="the fixture data in conftest.py has changed"),
    "a fixture that is asked for": edit("conftest.py", "return 2", "return 20", "train", says="the fixture dyn in conftest.py"),
    "an autouse fixture": edit("conftest.py", "return 4", "return 40", *ALL, says="the fixture always in conftest.py has changed"),
    "a new autouse fixture": edit("conftest.py", "def pytest_sweep", LATE + "def pytest_sweep", *ALL, says="the fixture late is new"),
    "a hook": edit("conftest.py", "trial.dir", "str(trial.dir)", *ALL),
    "a fixture of a plugin": edit("project_plugin.py", "return 1", "return 2", "train", says="the fixture of_plugin in project_plugin.py"),
    "a fixture is overridden": edit("test_models.py", "class TestModels", DYN + "class TestModels", "train"),
    "a lazily imported module": edit("lazy.py", "1", "2", "train"),
    "a module imported by name": edit("literal.py", "1", "2", "train"),
    "a module imported by a computed name": edit("models/first.py", "1", "2", "named"),
    "a relative import": edit("package/sibling.py", "1", "2", "train"),
    "an __init__": edit("package/__init__.py", "1", "2", "train"),
    "an __init__ of a computed name": edit("models/__init__.py", "", "X = 1\n", "named"),
    "a script that is run": edit("script.py", "1", "2", "train"),
    "an editable install": edit("../outside/editable.py", "1", "2", "train"),
    "a package's version": edit(THIRD, "Version: 1.0", "Version: 1.1", "train", says="third 1.0 is now 1.1"),
    "Python's version": Edit(do=_other_python, runs=ALL, says="Python 3.0.0 is now 3."),
    "a helper that is hidden": edit("package/sibling/__init__.py", "", "VALUE = 1\n", "train", says="package/sibling/__init__.py is new"),
    "a helper is gone": Edit(do=_move("models/first.py", "models/second.py"), runs=frozenset({"named"}), says="models/first.py is gone"),
    "an unrelated file": edit("unrelated.py", "1", "2", "other"),
    # What does not count
    "a renamed function": edit("test_other.py", "def other", "def other_name", "other_name", says="of which there is no earlier result"),
    "a comment": edit("test_models.py", "# This is a comment.", "# This is another one.\n"),
    "a comment of a helper": edit("helper.py", "def double", "# Doubles.\ndef double"),
    "white space": edit("helper.py", "def double(x):", "\n\ndef double( x ) :"),
    "the space": edit("test_models.py", "[1, 2]", "[1,\n     2]"),
    "an unused fixture": edit("conftest.py", "return 3", "return 30"),
    "an unused module": edit("package/unused.py", "1", "2"),
    "a new file": edit("new.py", "", "VALUE = 1\n"),
    "a data file": edit("data.json", "1", "2"),
    "the environment": Edit(do=lambda _, patch: patch.setenv("SOMETHING", "else")),
    "a touched file": Edit(do=lambda folder, _: os.utime(folder / "helper.py")),
}  # fmt: skip

BY_PATH = {
    "spec_from_file_location": "by_spec",
    "run_path": "by_run_path",
    "exec": "by_exec",
}
"""Ways to run a file without importing it. They have a project of their own: such code may use all that its process has imported."""

BY_PATH_FILES = {
    "conftest.py": """
        import importlib.util
        import runpy
        from pathlib import Path

        import pytest

        def by_spec(path):
            spec = importlib.util.spec_from_file_location(path.stem, path)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module.VALUE

        def by_run_path(path):
            return runpy.run_path(str(path))["VALUE"]

        def by_exec(path):
            names = {}
            exec(path.read_text(), names)
            return names["VALUE"]

        def load(name):
            return WAY(Path(__file__).parent / f"model_{name}.py")

        @pytest.fixture(scope="session")
        def wide():
            return load("c")
    """,
    "model_a.py": "import layers\nVALUE = layers.SIZE + 0\n",
    "model_b.py": "VALUE = 1\n",
    "model_c.py": "VALUE = 1\n",
    "layers.py": "SIZE = 1\n",
    "unrelated.py": "VALUE = 1\n",
    "test_fixed.py": """
        from pytest_sweep import sweep

        @sweep(configs=[{}])
        def fixed(wide): ...
    """,
    "test_train.py": """
        from conftest import load
        from pytest_sweep import sweep

        B = load("b")

        @sweep(grid={"name": ["a"]})
        def train(name, wide):
            return {"x": load(name) + B + wide}
    """,
}
BY_PATH_EDITS = {
    "a file that is run by its path": edit("model_a.py", "0", "1", "train", says="model_a.py has changed"),
    "what that imports": edit("layers.py", "1", "2", "train", says="layers.py has changed"),
    "a file that is run when the tests are collected": edit(
        "model_b.py", "1", "2", "train", says="model_b.py has changed"
    ),
    "a file that a fixture runs": edit("model_c.py", "1", "2", "train", "fixed", says="model_c.py has changed"),
    "a comment": edit("model_a.py", "import layers", "import layers  # All of them."),
    "an unrelated file": edit("unrelated.py", "1", "2"),
}
