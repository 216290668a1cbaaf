"""pytest still has the private names that we use: a new version that drops one is named here, with what we needed it for."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.debugging import pytestPDB

import pytest_sweep
from pytest_sweep.items.private import ATTRIBUTES

PACKAGE = Path(pytest_sweep.__file__).parent
NAMES = [(owner, name) for owner, names in ATTRIBUTES.items() for name in names]


class _Witness:
    """Looks at pytest's objects while a session runs: some attributes are gone at its end."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], bool] = {}
        self._look("pytestPDB", pytestPDB)

    def _look(self, owner: str, it: object) -> None:
        self.found |= {(owner, name): hasattr(it, name) for name in ATTRIBUTES[owner]}

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        self._look("pytest.Metafunc", metafunc)

    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> None:
        self._look("FixtureDef", fixturedef)
        self._look("pytest.FixtureRequest", request)

    def pytest_runtest_setup(self, item: pytest.Function) -> None:
        manager = item.config.pluginmanager
        for owner, it in {
            "pytest.Module": item.parent,
            "pytest.Function": item,
            "callspec": item.callspec,
            "pytest.Session": item.session,
            "pytest.Config": item.config,
            "pytest.Cache": item.config.cache,
            "terminal reporter": manager.get_plugin("terminalreporter"),
            "terminal writer": item.config.get_terminal_writer(),
            "capture manager": manager.get_plugin("capturemanager"),
            "pytest.Item": item,
            "logging plugin": manager.get_plugin("logging-plugin"),
            "lfplugin": manager.get_plugin("lfplugin"),
        }.items():
            self._look(owner, it)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._look("pytest.TestReport", report)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], bool]:
    """Return which names of the table are there in a session."""
    folder = tmp_path_factory.mktemp("session")
    (folder / "test_one.py").write_text(
        "import pytest\n\n@pytest.mark.parametrize('n', [1])\ndef test_one(n):\n    pass\n"
    )
    (folder / "pytest.ini").write_text("[pytest]\n")
    witness = _Witness()
    assert pytest.main(["-q", f"--rootdir={folder}", str(folder)], plugins=[witness]) == 0
    return witness.found


@pytest.mark.parametrize(("owner", "name"), NAMES)
def test_pytest_has_it(found: dict[tuple[str, str], bool], owner: str, name: str) -> None:
    """A private name in use is there in this version of pytest."""
    assert found[owner, name], (
        f"pytest {pytest.__version__} has no {owner}.{name} any more; items/private.py uses it to {ATTRIBUTES[owner][name]}"
    )


def _private_uses(path: Path) -> Iterator[str]:
    known = {name for _, name in NAMES if name.startswith("_")}
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        is_own = (
            isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
        )
        if isinstance(node, ast.Attribute) and node.attr in known and not is_own:
            yield f"{path.relative_to(PACKAGE)}:{node.lineno} uses {node.attr}"


def test_used_in_one_module_only() -> None:
    """No other module uses a private attribute of pytest that the table names."""
    home = PACKAGE / "items" / "private.py"
    assert [use for path in PACKAGE.rglob("*.py") if path != home for use in _private_uses(path)] == []
