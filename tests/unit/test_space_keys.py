"""Equal values have equal keys with every Python, every hash seed and both import modes of pytest.

Where several Pythons are installed by pyenv, all of them are asked; elsewhere the one that runs the tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_sweep
from tests.support import kinds
from tests.support.kinds import KINDS, numpy_kinds

ASK = """
import importlib.util, json, sys
file, mode, with_numpy = sys.argv[1:]
if mode == "prepend":
    sys.path.insert(0, file.rpartition("/")[0])
    import test_kinds as kinds
else:
    # As pytest does it with --import-mode=importlib.
    spec = importlib.util.spec_from_file_location("tests.models.test_kinds", file)
    kinds = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(kinds)

from pytest_sweep.space.identity import trial_key
values = {**kinds.KINDS, **(kinds.numpy_kinds() if with_numpy == "True" else {})}
print(json.dumps({name: trial_key("test_models.py::train", {"v": value}, {}, 0) for name, value in values.items()}))
"""


def _pythons() -> list[str]:
    found = Path.home().glob(".pyenv/versions/3.1[0-9]*/bin/python")
    return [sys.executable, *sorted(map(str, found))]


@pytest.fixture(scope="module")
def test_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The values as a test file in folders that are no packages."""
    path = tmp_path_factory.mktemp("keys") / "tests" / "models" / "test_kinds.py"
    path.parent.mkdir(parents=True)
    path.write_text(Path(kinds.__file__).read_text("utf-8"), "utf-8")
    return path


def _keys(python: str, file: Path, mode: str, seed: int, with_numpy: bool) -> dict[str, str]:
    environment = {**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": str(Path(pytest_sweep.__file__).parents[1])}
    command = [python, "-c", ASK, str(file), mode, str(with_numpy)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    keys: dict[str, str] = json.loads(done.stdout)
    return keys


@pytest.fixture(scope="module")
def expected(test_file: Path) -> dict[str, str]:
    """The keys with this Python, one hash seed and one import mode."""
    return _keys(sys.executable, test_file, "prepend", 1, with_numpy=True)


@pytest.mark.parametrize("mode", ["prepend", "importlib"])
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("python", _pythons())
def test_equal_values_have_equal_keys(
    python: str, seed: int, mode: str, test_file: Path, expected: dict[str, str]
) -> None:
    """A kind of value has one key, whatever runs it; numpy is asked where it is installed."""
    has_numpy = python == sys.executable
    found = _keys(python, test_file, mode, seed, with_numpy=has_numpy)
    assert found == {name: key for name, key in expected.items() if has_numpy or name in KINDS}


def test_all_kinds_have_keys_of_their_own(expected: dict[str, str]) -> None:
    """No two kinds share a key, but for those that are the same number."""
    assert expected.keys() == KINDS.keys() | numpy_kinds().keys()
    same = {"int": "numpy int", "nan": "numpy nan", "float": "numpy double", "true": "numpy bool", "str": "numpy str"}
    for one, two in same.items():
        assert expected.pop(two) == expected[one]
    assert len(set(expected.values())) == len(expected)
