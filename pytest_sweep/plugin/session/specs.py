"""Describes the driver's session to workers, so that their sessions are like it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_sweep.items.private import temporary_root
from pytest_sweep.model.code import KnownCode
from pytest_sweep.wire.code import Code
from pytest_sweep.wire.shadowing import shadowed
from pytest_sweep.wire.spec import SessionSpec
from pytest_sweep.wire.versions import essential_versions


def session_spec(
    config: pytest.Config,
    files: Sequence[Path],
    run: str,
    results: Path,
    environ: Mapping[str, str],
    workerinput: Mapping[str, Any],
    known: KnownCode,
) -> SessionSpec:
    """Return the spec of sessions like the driver's own, whose `config` is given."""
    root, cwd = config.rootpath, Path(config.invocation_params.dir)
    given = [str(arg) for arg in config.invocation_params.args]
    if not cwd.is_relative_to(root):  # There is no such folder in a copy of the rootdir.
        given = [_absolute(arg, cwd) for arg in given]
    args = [*given, f"--rootdir={root}"]
    if config.inipath is not None:
        args.append(f"--config-file={config.inipath}")
    # In a worker's process much is imported before pytest starts, plugins too, so that their assertions cannot be rewritten.
    args += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    return SessionSpec(
        args=tuple(args),
        cwd=str(cwd),
        files=tuple(map(str, files)),
        basetemp=str(temporary_root(config)),
        sys_path=tuple(sys.path),
        shadowed=shadowed(sys.path),
        environ=dict(environ),
        run=run,
        results=str(results.absolute()),
        workerinput=dict(workerinput),
        code=Code(str(root)),
        versions=essential_versions(),
        known=known,
    )


def _absolute(argument: str, cwd: Path) -> str:
    path, colons, name = argument.partition("::")
    # It may be the value of an option, as long as a command line can be: then `Path.exists` raises.
    exists = not argument.startswith("-") and path and os.path.exists(cwd / path)  # noqa: PTH110
    return f"{cwd / path}{colons}{name}" if exists else argument
