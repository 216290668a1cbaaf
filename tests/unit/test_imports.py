"""Imports point downwards only, and loading the plugin costs next to nothing."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import pytest_sweep

PACKAGE = Path(pytest_sweep.__file__).parent

# Which rooms a room may import. What is not here may import nothing of ours.
ALLOWED: dict[str, frozenset[str]] = {
    room: frozenset(others.split())
    for room, others in {
        "errors": "",
        "clock": "",
        "durations": "",
        "sizes": "",
        "permissions": "",
        "model": "sizes errors",
        "space": "model errors",
        "search": "space model errors",
        "store": "clock space model errors",
        "checkpoints": "clock model errors",
        "hookcalls": "",
        "footer": "clock",
        "sharing": "errors",
        "sources": "clock model",
        "wire": "clock permissions model errors",
        "items": "clock search sources sharing wire space model durations errors",
        "worker": "clock sources items sharing wire space checkpoints model hookcalls durations sizes errors",
        "executors": "clock permissions engine sharing worker items wire model durations sizes errors",
        "engine": "clock search wire model durations errors",
        "results": "clock store space model errors",
        "reporting": "clock store space model durations errors",
        "wrapping": "errors",
        "decorator": "wrapping errors",
        "hookspecs": "",
        "trackers": "clock store space model errors",
        "page": "clock cli reporting store model errors",
        "plugin": "clock trackers sources engine executors page reporting results worker items wire store checkpoints search space model "
        "hookspecs hookcalls footer decorator sharing durations sizes errors",
        "cli": "clock footer trackers results reporting store checkpoints space model durations sizes errors",
        "testing": "clock trackers plugin engine executors reporting results worker items wire store checkpoints search space model "
        "hookcalls decorator errors",
        "__init__": "",
    }.items()
}
WITHOUT_PYTEST = (
    "clock",
    "footer",
    "durations",
    "sizes",
    "sources",
    "permissions",
    "space",
    "search",
    "engine",
    "store",
    "model",
    "results",
    "reporting",
    "checkpoints",
    "cli",
    "trackers",
    "page",
    "wire",
    "errors",
)

# Imports inside functions hide what a module depends on. These are here for a reason, and no others.
INSIDE_FUNCTIONS = {
    "trackers/tensorboard.py": "tensorboardX is an extra, and the driver imports no more of a tracker than its checks",
    "trackers/mlflow/tracker.py": "mlflow-skinny is an extra, and reads its environment when it is imported",
    "trackers/trackio.py": "trackio is an extra",
    "trackers/wandb.py": "wandb is an extra",
    "space/restoring.py": "numpy, which only its own values need, and which need not be installed",
    "checkpoints/remote.py": "fsspec is an extra",
    "store/opening.py": "SQLAlchemy takes a fifth of a second, and listing runs does without it",
    "plugin/__init__.py": "loaded at every start of pytest, where only --sweep may cost anything",
    "plugin/fixtures.py": "part of what is loaded at every start",
    "plugin/activate.py": "what an executor need not wait for; the database, which only --sweep-resume and --sweep-cache need early",
    "plugin/record/recorder.py": "only --pdb runs trials again",
    "items/searching.py": "many records, which only a sweep with search= or scheduler= needs",
    "plugin/collect/searches.py": "likewise",
    "plugin/session/warming.py": "imports the database, which only --sweep-warm needs that early",
    "plugin/session/trials.py": "imports the database, for which the first trials need not wait",
    "plugin/assembly.py": "only --co sums up",
    "plugin/executor.py": "each executor imports much that the others do not need, and the first trial waits for it",
    "plugin/runtime_env.py": "only a file of YAML needs what Ray brings for it",
    "plugin/session/page.py": "only --sweep-report writes a page, and when all else is done",
    "plugin/session/run.py": "imports the database, which a session without trials does not need, and what only --setup-only needs",
    "executors/groups.py": "only processes that others have started need it, and the first one is to start early",
    "executors/processes/process.py": "only the death of a process needs it, and the first one is to start early",
    "executors/ray/conductor.py": "importing Ray takes a second or two: done in the conductor's thread, while pytest collects",
    "executors/ray/code/visibility.py": "called in the conductor's thread, which has imported Ray",
    "store/scanning.py": "imports SQLAlchemy, which only the reports of few trials and damaged rows need",
    "cli/main.py": "only --version needs the metadata of packages",
    "cli/run_rows.py": "imports SQLAlchemy, which only a run with damaged rows needs",
    "cli/formats.py": "pyarrow is an extra",
    "cli/commands/show.py": "only one trial's details need SQLAlchemy",
    "results/grid.py": "pandas is an extra",
    "results/result.py": "pandas is an extra",
    "wire/threads.py": "threadpoolctl may not be installed, and is needed only where numpy came first",
    "space/strategies.py": "hypothesis is an extra",
    "search/searchers.py": "every process imports what users write; the searchers, and Optuna, only where a search is made",
    "search/bayesian.py": "every process imports what users write; the searcher, and numpy, which is an extra, only where a search is made",
    "search/library.py": "optuna is an extra",
    "search/population.py": "likewise",
    "search/schedulers.py": "every process imports what users write; the schedulers only where a search is made",
}


@dataclass(frozen=True)
class Import:
    """One import: the file it is in, what it imports, and where it stands."""

    file: str
    line: int
    module: str
    in_function: bool
    only_for_types: bool

    @property
    def room(self) -> str:
        """The top-level room of the file."""
        return self.file.removesuffix(".py").partition("/")[0]

    @property
    def target(self) -> str | None:
        """The room of ours that is imported, or None."""
        head, _, rest = self.module.partition(".")
        return rest.partition(".")[0] or "__init__" if head == "pytest_sweep" else None

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.module}"


def _imports(node: ast.AST, file: str, in_function: bool = False, for_types: bool = False) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.Import, ast.ImportFrom)):
            for module in _modules(child):
                yield Import(file, child.lineno, module, in_function, for_types)
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            for part in child.body:
                yield from _imports(ast.Module([part], []), file, in_function, True)
            for part in child.orelse:
                yield from _imports(ast.Module([part], []), file, in_function, for_types)
        else:
            is_function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from _imports(child, file, in_function or is_function, for_types)


def _modules(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    assert node.level == 0, "write imports of ours in full"
    if node.module in ("pytest_sweep", "pytest_sweep.executors"):
        return [f"{node.module}.{alias.name}" for alias in node.names]
    folder = PACKAGE.parent.joinpath(*str(node.module).split("."))
    modules = [alias.name for alias in node.names if (folder / f"{alias.name}.py").exists()]
    others = [str(node.module)] if len(modules) < len(node.names) else []
    return [*others, *(f"{node.module}.{name}" for name in modules)]


@cache
def all_imports() -> tuple[Import, ...]:
    found: list[Import] = []
    for path in sorted(PACKAGE.rglob("*.py")):
        found += _imports(ast.parse(path.read_text("utf-8")), path.relative_to(PACKAGE).as_posix())
    return tuple(found)


def texts(imports: Iterator[Import]) -> list[str]:
    return [str(found) for found in imports]


def graph_of_modules() -> dict[str, set[str]]:
    """Return which modules of ours each module of ours has Python import, the packages that these are in included."""
    names = {_name(path): path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py")}
    graph: dict[str, set[str]] = {name: set() for name in names}
    of_file = {file: name for name, file in names.items()}
    for found in all_imports():
        if found.only_for_types:
            continue
        name = of_file[found.file]
        parts = found.module.split(".")
        packages = (".".join(parts[:length]) for length in range(1, len(parts) + 1))
        # A package that a module is in has been imported before it.
        graph[name] |= {one for one in packages if one in names and not f"{name}.".startswith(f"{one}.")}
    return graph


def _name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def rings(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the sets of modules that import each other."""
    reached: dict[str, set[str]] = {}
    for start in graph:
        seen, waiting = set[str](), [start]
        while waiting:
            new = graph[waiting.pop()] - seen
            seen |= new
            waiting += new
        reached[start] = seen
    found = {tuple(sorted(other for other in seen if name in reached[other])) for name, seen in reached.items()}
    return sorted(list(ring) for ring in found if ring)


def in_new_process(code: str, folder: Path) -> str:
    """Run `code` in a new interpreter and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[-1]


class TestDirections:
    def test_every_room_is_known(self) -> None:
        """A new module or folder has its place in the table of this file."""
        assert {
            path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
        } == set(ALLOWED)

    def test_downwards_only(self) -> None:
        """A room imports only those below it, in functions too; what is imported for types only is free in the facades."""
        facades = ("__init__", "hookspecs", "decorator")
        assert (
            texts(
                found
                for found in all_imports()
                if found.target not in (None, found.room, *ALLOWED[found.room])
                and not (found.only_for_types and found.room in facades)
            )
            == []
        )

    def test_the_table_has_no_cycle(self) -> None:
        """The table itself points downwards: its rooms can be put in an order."""
        placed: set[str] = set()
        while len(placed) < len(ALLOWED):
            ready = {room for room, others in ALLOWED.items() if room not in placed and others <= placed}
            assert ready, f"{sorted(set(ALLOWED) - placed)} import each other"
            placed |= ready

    def test_executors_know_only_the_port(self) -> None:
        """Of the engine, executors import the port only."""
        found = {one.module for one in all_imports() if one.room == "executors" and one.target == "engine"}
        assert found <= {"pytest_sweep.engine.port"}

    def test_executors_know_not_each_other(self) -> None:
        """The protocol and the executor inline import nothing of the executor ray."""
        assert (
            texts(
                found
                for found in all_imports()
                if found.room == "executors"
                and not found.file.startswith("executors/ray/")
                and found.module.startswith("pytest_sweep.executors.ray")
            )
            == []
        )

    @pytest.mark.parametrize(("package", "home"), [("ray", "executors/ray/"), ("sqlalchemy", "store/")])
    def test_one_home_for_a_large_package(self, package: str, home: str) -> None:
        """Ray is imported in its executor only, the database's library in the store only."""
        users = [found for found in all_imports() if found.module.split(".")[0] == package]
        assert users
        assert texts(found for found in users if not found.file.startswith(home)) == []

    def test_without_pytest(self) -> None:
        """What decides, remembers and reads knows nothing of pytest."""
        assert (
            texts(
                found
                for found in all_imports()
                if found.room in WITHOUT_PYTEST and found.module.split(".")[0] in ("pytest", "_pytest", "pluggy")
            )
            == []
        )

    @pytest.mark.parametrize(
        ("package", "home"),
        [
            ("_pytest", "items/private.py"),
            ("ray._private", "executors/ray/private.py"),
            ("ray._raylet", "executors/ray/private.py"),
        ],
    )
    def test_one_home_for_private_names(self, package: str, home: str) -> None:
        """What is private to another package is imported in one module only."""
        users = [found for found in all_imports() if f"{found.module}.".startswith(f"{package}.")]
        assert users
        assert texts(found for found in users if found.file != home) == []

    def test_imports_inside_functions(self) -> None:
        """An import inside a function has its reason in the table of this file, and the table has no more than there are."""
        users = {found.file for found in all_imports() if found.in_function and not found.only_for_types}
        assert users - set(INSIDE_FUNCTIONS) == set()
        assert set(INSIDE_FUNCTIONS) - users == set()

    def test_tests_are_not_imported(self) -> None:
        """What is for tests is used by nothing else."""
        assert texts(found for found in all_imports() if found.target == "testing" and found.room != "testing") == []

    def test_no_module_imports_itself_in_the_end(self) -> None:
        """No chain of imports leads back to where it began, counting those inside functions; what is for types only is not counted."""
        assert rings(graph_of_modules()) == []

    def test_modules_are_short(self) -> None:
        """No module has more than 300 lines: such a one has two concerns."""
        lengths = {
            path.relative_to(PACKAGE).as_posix(): len(path.read_text("utf-8").splitlines())
            for path in PACKAGE.rglob("*.py")
        }
        assert {name: length for name, length in lengths.items() if length > 300} == {}


@pytest.mark.parametrize(
    ("graph", "found"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}, [["a", "b", "c"]]),
        ({"a": {"b"}, "b": {"a"}, "c": {"d"}, "d": {"c", "a"}}, [["a", "b"], ["c", "d"]]),
    ],
)
def test_rings(graph: Mapping[str, set[str]], found: list[list[str]]) -> None:
    """Modules that import each other over any number of others are a ring."""
    assert rings(graph) == found


class TestLoading:
    PYTEST = (
        "pytest",
        "_pytest",
        "pluggy",
        "iniconfig",
        "packaging",
        "pygments",
        "exceptiongroup",
        "typing_extensions",  # of exceptiongroup, on Python 3.10
        "tomli",
        "colorama",
        "py",
    )
    HEAVY = ("ray", "sqlalchemy", "cloudpickle", "numpy", "psutil", "greenlet", "tabulate", "pandas", "fsspec")

    @pytest.mark.parametrize("module", ["pytest_sweep", "pytest_sweep.plugin"])
    def test_loading_imports_pytest_only(self, module: str, tmp_path: Path) -> None:
        """Loading the package or the plugin imports the standard library, pytest and what pytest itself needs."""
        code = (
            "import sys, json; before = set(sys.modules)\n"
            f"import {module}\n"
            "print(json.dumps(sorted({name.partition('.')[0] for name in set(sys.modules) - before})))"
        )
        loaded = set(json.loads(in_new_process(code, tmp_path)))
        assert loaded - set(sys.stdlib_module_names) - set(self.PYTEST) == {"pytest_sweep"}

    @pytest.mark.parametrize("arguments", [["--co"], ["--fixtures"], []])
    def test_a_session_without_sweeps(self, tmp_path: Path, arguments: list[str]) -> None:
        """A plain session loads nothing that only a run of sweeps needs."""
        (tmp_path / "pytest.ini").write_text("[pytest]\n")
        code = (
            "import sys, json, pytest\n"
            f"pytest.main({['-q', '-p', 'no:cacheprovider', *arguments]!r})\n"
            f"print(json.dumps(sorted(set({self.HEAVY!r}) & set(sys.modules))))"
        )
        assert json.loads(in_new_process(code, tmp_path)) == []

    def test_the_first_trial_does_not_wait_for_the_database(self, tmp_path: Path) -> None:
        """When the first trial is handed out, neither SQLAlchemy nor Ray nor what draws tables is there; in the end the trial is stored."""
        (tmp_path / "pytest.ini").write_text("[pytest]\n")
        (tmp_path / "test_models.py").write_text(
            "from pytest_sweep import sweep\n\n@sweep(grid={'n': [1]})\ndef train(n): return {'n': n}\n"
        )
        code = (
            "import json, sys, pytest\n"
            "from pytest_sweep.executors.processes.executor import ProcessesExecutor\n"
            "from pytest_sweep.model.commands import RunTrials\n"
            "loaded, execute = [], ProcessesExecutor.execute\n"
            "def noting(self, command, tasks=()):\n"
            "    if isinstance(command, RunTrials):\n"
            "        names = ('ray', 'sqlalchemy', 'tabulate', 'pytest_sweep.search.settings')\n"
            "        loaded.append([name for name in names if name in sys.modules])\n"
            "    execute(self, command, tasks)\n"
            "ProcessesExecutor.execute = noting\n"
            "import pytest_sweep.plugin.session.trials as trials\n"
            "trials.QUIET_SECONDS = 600.0  # Nothing is said on a slow machine either while the process starts.\n"
            "pytest.main(['--sweep', '--sweep-executor=processes', '-p', 'no:cacheprovider'])\n"
            "from pytest_sweep import load_results\n"
            "print(json.dumps([loaded, load_results()['train'][0].metrics['n']]))"
        )
        assert json.loads(in_new_process(code, tmp_path)) == [[[]], 1]

    @pytest.mark.parametrize("command", ["ls", "show", "path", "tag", "prune", "watch"])
    def test_the_command_starts_at_once(self, tmp_path: Path, command: str) -> None:
        """What lists runs and trials loads neither pytest nor Ray, nor SQLAlchemy, which would take longer than all of it."""
        code = (
            "import sys, json\n"
            "from pytest_sweep.cli.main import parser_for\n"
            f"parser_for([{command!r}])\n"
            f"print(json.dumps(sorted(({{'pytest', *{self.HEAVY!r}}} - {{'tabulate'}}) & set(sys.modules))))"
        )
        assert json.loads(in_new_process(code, tmp_path)) == []

    def test_the_public_names(self) -> None:
        """Each public name can be had, they are sorted, and dir() knows them before they are loaded."""
        assert pytest_sweep.__all__ == sorted(pytest_sweep.__all__)
        assert set(pytest_sweep.__all__) <= set(dir(pytest_sweep))
        assert all(getattr(pytest_sweep, name) is not None for name in pytest_sweep.__all__)

    def test_a_name_that_is_not_there(self) -> None:
        """A misspelt name is an AttributeError, as of any module."""
        with pytest.raises(AttributeError, match="module 'pytest_sweep' has no attribute 'swep'"):
            _ = pytest_sweep.swep


def test_no_room_hides_a_public_name() -> None:
    """Python sets a sub-module as an attribute of its package when it is imported: it would replace what users import by that name."""
    modules = {path.stem for path in PACKAGE.iterdir()}
    assert not modules & {*pytest_sweep.__all__}
