"""Reads ``--sweep-runtime-env``: what the processes of workers are to have, in the words of Ray's runtime environments."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

_NOT_HERE = {
    "working_dir": "the rootdir travels by itself to nodes that do not see it; sweep_include brings back what .gitignore leaves out",
    "excludes": "name in .gitignore or .rayignore what is not to travel",
    "env_vars": "they would stand in Ray's logs: name them in sweep_env, and their values are handed to the workers",
}


def read_runtime_env(given: str, rootdir: Path) -> dict[str, Any]:
    """Return what `given` says: JSON, or the path of a file of JSON or YAML; paths in it are relative to rootdir, as its own.

    Raises:
        pytest.UsageError: it cannot be read, or asks for what there is another way to.
    """
    environment = _parsed(given, rootdir)
    if not isinstance(environment, dict):
        raise pytest.UsageError(f'--sweep-runtime-env={given}: it is no mapping, such as {{"pip": ["torch"]}}')
    for name, instead in _NOT_HERE.items():
        if name in environment:
            raise pytest.UsageError(f"--sweep-runtime-env: {name} is not for here: {instead}")
    return {str(name): _located(value, rootdir) for name, value in environment.items()}


def refuse_runtime_env(config: pytest.Config, executor: str) -> None:
    """Refuse the option where trials do not run on Ray; the ini key is for the runs that do.

    Raises:
        pytest.UsageError: it was given.
    """
    if config.getoption("sweep_runtime_env") is not None:
        raise pytest.UsageError(
            f"--sweep-runtime-env is of Ray, and the executor {executor} runs trials in the environment that pytest runs in: leave it away"
        )


def _parsed(given: str, rootdir: Path) -> Any:
    if given.lstrip().startswith(("{", "[")):
        return _from_json(given, "--sweep-runtime-env")
    path = rootdir / os.path.expanduser(given)  # noqa: PTH111 - it raises nothing
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise pytest.UsageError(
            f"--sweep-runtime-env={given}: it is neither JSON nor a file that can be read: {error}"
        ) from error
    if path.suffix not in (".yaml", ".yml"):
        return _from_json(text, str(path))
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise pytest.UsageError(f"--sweep-runtime-env={given}: {error}") from error


def _from_json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise pytest.UsageError(f"{where} cannot be read as JSON: {error}") from error


def _located(value: Any, rootdir: Path) -> Any:
    """Return a value of the environment with paths of files that are there in full: Ray would look for them elsewhere."""
    if isinstance(value, str):
        is_path = "://" not in value and ("/" in value or "." in value) and os.path.exists(rootdir / value)  # noqa: PTH110 - of any length
        return str(rootdir / value) if is_path else value
    if isinstance(value, list):
        return [_located(entry, rootdir) for entry in value]
    if isinstance(value, Mapping):
        return {name: _located(entry, rootdir) for name, entry in value.items()}
    return value
