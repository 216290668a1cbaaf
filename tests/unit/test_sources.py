"""The project's code: what counts of a file, what it imports, which files that is, and what a process imports by name."""

from __future__ import annotations

import ast
import importlib
import os
import sys
import textwrap
import time
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path

import pytest

from pytest_sweep.model.code import KnownCode, KnownFile, KnownSweep, Used
from pytest_sweep.sources import Closure, CodeGraph, Files, LoadedCode, Module, Project, Root
from pytest_sweep.sources.files import CodeFile, read_code
from pytest_sweep.sources.names import Names, names_in

BODY = '''
    """Docstring."""
    import os

    @sweep(grid={"n": [1]}, metric="loss")
    def train(n):
        return n + 1

    @pytest.fixture
    def data():
        return 1

    def helper():
        return 2
'''


def code(path: Path, text: str = BODY) -> CodeFile:
    """Return what a file says that has this text."""
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    file = read_code(str(path))
    assert file is not None
    return file


class TestFiles:
    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("return n + 1", "return n+1  # More."),
            ("def train(n):\n", "def train(\n    n,\n    ):\n\n\n"),
            ('grid={"n": [1]}', "grid={'n': [1, 2], 'm': [1]}, where='n > 1', repeats=3"),
            ('grid={"n": [1]}, ', ""),
            ('grid={"n": [1]}', '{"n": [2]}'),
        ],
    )
    def test_what_does_not_count(self, tmp_path: Path, old: str, new: str) -> None:
        """Comments, formatting and the space of a sweep are no code."""
        one, two = code(tmp_path / "a.py"), code(tmp_path / "b.py", BODY.replace(old, new))
        assert old in BODY
        assert (one.whole, one.rest) == (two.whole, two.rest)
        assert sorted(one.functions.values()) == sorted(two.functions.values())

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("Docstring", "Other docstring"),
            ('metric="loss"', 'metric="acc"'),
            ("return n + 1", "return n + 1.0"),
            ("return 2", "return 3"),
            ("import os", "import sys"),
            ("@sweep", "@pytest.mark.slow\n    @sweep"),
        ],
    )
    def test_what_counts(self, tmp_path: Path, old: str, new: str) -> None:
        """All else is code, also what stands in docstrings, which programs read."""
        one, two = code(tmp_path / "a.py"), code(tmp_path / "b.py", BODY.replace(old, new))
        assert one.whole != two.whole
        assert one.rest != two.rest

    def test_a_fixture_counts_by_itself(self, tmp_path: Path) -> None:
        """The rest of a file is what is not a fixture; each of those has its own digest."""
        one, two = code(tmp_path / "a.py"), code(tmp_path / "b.py", BODY.replace("return 1", "return 10"))
        assert one.rest == two.rest
        assert one.whole != two.whole
        (place,) = (place for place in one.functions if place[0] == "data")
        assert one.functions[place] != two.functions[place]

    def test_a_sweep_that_is_called(self, tmp_path: Path) -> None:
        """The space of ``sweep(grid=...)(function)`` is no code either."""
        texts = [f"train = sweep(grid={{'n': [{n}]}}, metric='x')(library.train)" for n in (1, 2)]
        one, two = (code(tmp_path / "a.py", text) for text in texts)
        assert one.whole == two.whole

    def test_what_is_no_python(self, tmp_path: Path) -> None:
        """A compiled module goes by its bytes; what is not there is unknown."""
        (tmp_path / "a.so").write_bytes(b"\x7fELF\0")
        (tmp_path / "b.so").write_bytes(b"\x7fELF\1")
        files = Files()
        one, two = files.digest(str(tmp_path / "a.so")), files.digest(str(tmp_path / "b.so"))
        assert None not in (one, two)
        assert one != two
        assert files.digest(str(tmp_path / "absent.py")) is None

    def test_what_is_too_deep(self, tmp_path: Path) -> None:
        """A file that is nested too deeply to be taken apart goes by its bytes."""
        texts = ["x = " + "-" * count + "1" for count in (5000, 5001)]
        one, two = (code(tmp_path / "a.py", text) for text in texts)
        assert one.whole != two.whole


class TestNames:
    @pytest.mark.parametrize(
        ("text", "modules"),
        [
            ("import a.b, c", ["a.b", "c"]),
            ("def f():\n    from a import b", ["a"]),
            ("from . import b", [""]),
            ("from ..a import b", ["a"]),
            ("importlib.import_module('a.b')", ["a.b"]),
            ("import_module('.b', package='a')", ["b"]),
            ("__import__('a')", ["a"]),
            ("pytest.importorskip('a')", ["a"]),
            ("pytest_plugins = ['a.b']", []),
        ],
    )
    def test_imports(self, text: str, modules: list[str]) -> None:
        """Imports are found wherever they stand, and where a function gets a name."""
        assert [its.module for its in _names(text).imports] == modules

    @pytest.mark.parametrize(
        ("text", "by_name"),
        [
            ("import_module(name)", False),  # Its calls are noted.
            ("__import__(name)", True),
            ("exec(text)", True),
            ("runpy.run_path(path)", True),
            ("sys.modules[name]", True),
            ("torch.load(path)", False),
            ("application.exec(path)", False),
        ],
    )
    def test_what_nobody_knows(self, text: str, by_name: bool) -> None:
        """A file may import what its text does not say."""
        assert _names(text).by_name is by_name

    def test_strings(self) -> None:
        """Strings may name modules and scripts."""
        names = _names("x = ['a.b', 'a.b:C', 'c', 'run.py', 'two words.x', 'line\\n.py']")
        assert (names.dotted, names.paths) == (("a.b", "a.b:C"), ("run.py",))


def _names(text: str) -> Names:
    return names_in(ast.parse(text))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A rootdir on the import path, whose modules are forgotten in the end."""
    folder = tmp_path / "root"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        del sys.modules[name]


def closure(root: Path, files: dict[str, str], begin: str = "begin.py", package: str = "begin") -> Closure:
    """Return what the file `begin` is made of."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    importlib.invalidate_caches()
    return CodeGraph(Project(root), Files()).closure([Root(Module(package, str(root / begin)))])


PACKAGE = {"zz/__init__.py": "", "zz/a/__init__.py": "", "zz/a/b.py": ""}
GRAPHS: dict[str, tuple[dict[str, str], set[str]]] = {
    "import zz_a": ({"zz_a.py": "import zz_b", "zz_b.py": "", "zz_c.py": ""}, {"zz_a.py", "zz_b.py"}),
    "import zz_a  # in a circle": ({"zz_a.py": "import zz_b", "zz_b.py": "import zz_a"}, {"zz_a.py", "zz_b.py"}),
    "import zz.a.b": (PACKAGE, set(PACKAGE)),
    "from zz import a": ({"zz/__init__.py": "", "zz/a.py": "", "zz/b.py": ""}, {"zz/__init__.py", "zz/a.py"}),
    "from zz import a  # without __init__": ({"zz/a.py": ""}, {"zz/a.py"}),
    "import zz": (
        {"zz/__init__.py": "from .a import x", "zz/a.py": "from . import b", "zz/b.py": ""},
        {"zz/__init__.py", "zz/a.py", "zz/b.py"},
    ),
    "from zz.a.b import x": ({**PACKAGE, "zz/a/b.py": "from ..c import x", "zz/c.py": ""}, {*PACKAGE, "zz/c.py"}),
    "from . import zz_a": ({"zz_a.py": ""}, {"zz_a.py"}),
    "x = 'zz_a.Model'": ({"zz_a.py": "class Model: ..."}, {"zz_a.py"}),
    "x = 'zz_a.csv'": ({"zz_a.py": "class Model: ..."}, set()),
    "x = 'zz.a:Model'": ({"zz/a.py": "class Model: ..."}, {"zz/a.py"}),
    "x = 'scripts/run.py'": ({"scripts/run.py": ""}, {"scripts/run.py"}),
    "try:\n    import zz_absent\nexcept ImportError:\n    import zz_a": ({"zz_a.py": ""}, {"zz_a.py"}),
    "import zz_bad": ({"zz_bad.py": "def"}, {"zz_bad.py"}),
}


class TestGraph:
    @pytest.mark.parametrize("text", GRAPHS)
    def test_imports_are_followed(self, root: Path, text: str) -> None:
        """A file is made of what it imports, of the packages that this is in, and of what that imports; nothing is imported for it."""
        before = set(sys.modules)
        files, used = GRAPHS[text]
        assert closure(root, {"begin.py": text, **files}).files.keys() - {"begin.py"} == used
        assert not any(name.startswith("zz") for name in set(sys.modules) - before)

    def test_an_editable_install(self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Editable installs bring finders of their own, which know where the files are."""
        (tmp_path / "src").mkdir()
        (tmp_path / "src" / "zz_editable.py").write_text("import zz_a")

        class Finder:
            """As setuptools writes them."""

            @staticmethod
            def find_spec(name: str, *_: object) -> ModuleSpec | None:
                """Know one module."""
                file = tmp_path / "src" / f"{name}.py"
                return spec_from_file_location(name, file) if name == "zz_editable" else None

        monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder])
        found = closure(root, {"begin.py": "import zz_editable", "zz_a.py": ""})
        assert set(found.files) == {"begin.py", "../src/zz_editable.py", "zz_a.py"}

    def test_packages(self, root: Path) -> None:
        """What is installed goes by its version, and the standard library and this plugin by none."""
        found = closure(root, {"begin.py": "import os, numpy.random, sklearn, pytest_sweep\nfrom xml import etree"})
        assert set(found.packages) == {"numpy", "scikit-learn"}
        assert set(found.files) == {"begin.py"}

    def test_vendored_packages(self, root: Path) -> None:
        """A package in the project with metadata beside it goes by its files and by its version."""
        metadata = "Metadata-Version: 2.1\nName: zz-other\nVersion: 1.5\n"
        files = {
            "begin.py": "import zz_other",
            "zz_other/__init__.py": "",
            "zz_other-1.5.dist-info/METADATA": metadata,
        }
        assert closure(root, files).packages == {"zz-other": "1.5"}


class TestProject:
    def test_keys(self, tmp_path: Path) -> None:
        """All is the project's that is not installed as a copy: an editable install may be anywhere."""
        project = Project(tmp_path / "root")
        assert project.key(str(tmp_path / "root" / "a" / "b.py")) == "a/b.py"
        assert project.key(str(tmp_path / "other" / "b.py")) == "../other/b.py"
        assert project.path("../other/b.py") == os.path.realpath(tmp_path / "other" / "b.py")
        for foreign in (pytest.__file__, os.__file__, importlib.import_module("pytest_sweep").__file__):
            assert project.key(str(foreign)) is None
        assert project.key(str(tmp_path / "root" / ".venv" / "lib" / "site-packages" / "x.py")) is None

    def test_a_rootdir_that_is_installed(self, tmp_path: Path) -> None:
        """``pytest --pyargs package`` has its rootdir among what is installed."""
        root = tmp_path / "site-packages" / "package"
        assert Project(root).key(str(root / "tests" / "test_a.py")) == "tests/test_a.py"


class TestLoaded:
    """What a process notes of imports while trials run."""

    @pytest.fixture
    def loaded(self, root: Path) -> Iterator[LoadedCode]:
        """What watches this process."""
        for name in ("zz_known", "zz_late", "zz_deep"):
            (root / f"{name}.py").write_text("import zz_deep\nVALUE = 1\n" if name == "zz_late" else "VALUE = 1\n")
        importlib.invalidate_caches()
        loaded = LoadedCode(Project(root), Files())
        yield loaded
        loaded.close()

    @staticmethod
    def known(root: Path, *names: str, by_name: bool = False) -> KnownCode:
        """Return what a driver knows that has read these modules of the sweep ``s``."""
        files = {}
        for name in names:
            file = read_code(str(root / f"{name}.py"))
            assert file is not None
            files[f"{name}.py"] = KnownFile(file.whole, *file.stamp)
        return KnownCode(files, {"s": KnownSweep(frozenset(files), by_name), "t": KnownSweep(frozenset())})

    @staticmethod
    def names(used: Used | None) -> list[str]:
        """Return the files that were used."""
        return [] if used is None else [key for key, _ in used.files]

    def test_what_is_known_is_not_told(self, root: Path, loaded: LoadedCode) -> None:
        """A trial that imports what its files say has nothing to tell."""
        loaded.begin(self.known(root, "zz_known"))
        importlib.import_module("zz_known")
        assert loaded.used("s", loaded.take_asked()) is None

    def test_a_computed_name(self, root: Path, loaded: LoadedCode) -> None:
        """What a trial imports by name is its own, with what that imports; also where another trial has imported it before."""
        loaded.begin(self.known(root))
        for _ in range(2):
            importlib.import_module("zz_late")
            assert self.names(loaded.used("s", loaded.take_asked())) == ["zz_deep.py", "zz_late.py"]
            assert loaded.used("t", loaded.take_asked()) is None

    def test_what_nobody_can_name(self, root: Path, loaded: LoadedCode) -> None:
        """What was imported in another way counts for all trials that may have done it, or may find it now."""
        loaded.begin(self.known(root))
        __import__("zz_deep")
        assert self.names(loaded.used("s", ())) == ["zz_deep.py"]
        assert self.names(loaded.used("t", ())) == ["zz_deep.py"]

    def test_one_that_may_look(self, root: Path, loaded: LoadedCode) -> None:
        """A sweep whose text imports what it does not say uses all that was imported; another one is not touched by that."""
        loaded.begin(self.known(root, by_name=True))
        __import__("zz_deep")
        assert self.names(loaded.used("s", ())) == ["zz_deep.py"]
        assert loaded.used("t", ()) is None

    def test_an_edit_before_the_import(self, root: Path, loaded: LoadedCode) -> None:
        """A file that was edited since the driver has read it is told as it was imported."""
        known = self.known(root, "zz_known")
        loaded.begin(known)
        (root / "zz_known.py").write_text("VALUE = 2222\n")
        __import__("zz_known")
        file = read_code(str(root / "zz_known.py"))
        assert file is not None
        assert loaded.used("s", ()) == Used((("zz_known.py", file.whole),))

    def test_an_edit_after_the_import(self, root: Path, loaded: LoadedCode) -> None:
        """Of a file that was edited after it was imported nobody knows what it said."""
        loaded.begin(self.known(root))
        __import__("zz_deep")
        later = time.time() + 10
        (root / "zz_deep.py").write_text("VALUE = 3\n")
        os.utime(root / "zz_deep.py", (later, later))
        assert loaded.used("s", ()) == Used((("zz_deep.py", None),))

    def test_a_touched_file(self, root: Path, loaded: LoadedCode) -> None:
        """A file that says what it said is not told."""
        loaded.begin(self.known(root, "zz_known"))
        __import__("zz_known")
        os.utime(root / "zz_known.py", (1.0, 1.0))
        assert loaded.used("s", ()) is None

    def test_it_leaves_no_trace(self, loaded: LoadedCode) -> None:
        """After the session all is as it was."""
        replaced, finders = importlib.import_module, len(sys.meta_path)
        loaded.close()
        assert importlib.import_module is not replaced
        assert len(sys.meta_path) == finders - 1
        loaded.close()
