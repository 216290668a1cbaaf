"""What ``--sweep-runtime-env`` says is read, and what there is another way to is refused with that way."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_sweep.plugin.runtime_env import read_runtime_env


def test_json(tmp_path: Path) -> None:
    """An object is taken as it stands; names of packages are no paths."""
    given = '{"pip": ["torch==2.13", "rich"], "py_modules": ["s3://bucket/mod.zip"]}'
    assert read_runtime_env(given, tmp_path) == {"pip": ["torch==2.13", "rich"], "py_modules": ["s3://bucket/mod.zip"]}


@pytest.mark.parametrize(
    ("name", "text"), [("env.json", '{"pip": ["rich"]}'), ("env.yaml", "pip: [rich]\n"), ("env.yml", "pip:\n- rich\n")]
)
def test_files(tmp_path: Path, name: str, text: str) -> None:
    """A file of JSON or YAML is found in the rootdir."""
    (tmp_path / name).write_text(text)
    assert read_runtime_env(name, tmp_path) == {"pip": ["rich"]}


def test_paths(tmp_path: Path) -> None:
    """Paths that are there are those of the rootdir, wherever pytest was started, at any depth."""
    (tmp_path / "lib" / "mine").mkdir(parents=True)
    (tmp_path / "requirements.txt").touch()
    given = '{"pip": {"packages": ["./lib/mine", "rich"]}, "py_modules": ["lib/mine"], "uv": "requirements.txt"}'
    assert read_runtime_env(given, tmp_path) == {
        "pip": {"packages": [f"{tmp_path}/lib/mine", "rich"]},
        "py_modules": [f"{tmp_path}/lib/mine"],
        "uv": f"{tmp_path}/requirements.txt",
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ('{"working_dir": "."}', "working_dir is not for here: the rootdir travels by itself"),
        ('{"excludes": ["data"]}', "excludes is not for here: name in .gitignore"),
        (
            '{"env_vars": {"TOKEN": "x"}}',
            "env_vars is not for here: they would stand in Ray's logs: name them in sweep_env",
        ),
        ('["pip"]', "it is no mapping"),
        ('{"pip": ', "cannot be read as JSON"),
        ("nowhere.json", "it is neither JSON nor a file that can be read"),
    ],
)
def test_bad_input(tmp_path: Path, given: str, message: str) -> None:
    """What makes no sense is an error that names the option and the way out."""
    with pytest.raises(pytest.UsageError) as raised:
        read_runtime_env(given, tmp_path)
    assert message in str(raised.value)
    assert "--sweep-runtime-env" in str(raised.value)


def test_a_secret_is_not_shown(tmp_path: Path) -> None:
    """Where variables are refused, their values are not in the text."""
    with pytest.raises(pytest.UsageError) as raised:
        read_runtime_env('{"env_vars": {"TOKEN": "s3cret"}}', tmp_path)
    assert "s3cret" not in str(raised.value)
