"""What a hosted session needs to be like the driver's: made on the driver, sent to workers."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class SessionSpec:
    """How to start a hosted session.

    Attributes:
        args: the command line of the driver, and its rootdir and configuration file.
        cwd: the working directory of the driver.
        files: the files that have selected trials.
        basetemp: a folder for the temporary folders of all workers.
        sys_path: the driver's import path.
        environ: environment variables to set.
        run: the name of the run.
        workerinput: what the driver's side of other plugins tells their workers' sides: plain values, as pytest-xdist could send.
    """

    args: tuple[str, ...]
    cwd: str
    files: tuple[str, ...]
    basetemp: str
    sys_path: tuple[str, ...]
    environ: Mapping[str, str]
    run: str
    workerinput: Mapping[str, Any]


def session_spec(
    config: pytest.Config,
    files: Sequence[Path],
    run: str,
    environ: Mapping[str, str],
    workerinput: Mapping[str, Any],
) -> SessionSpec:
    """Return the spec of sessions like the driver's own, whose `config` is given."""
    args = [*config.invocation_params.args, f"--rootdir={config.rootpath}"]
    if config.inipath is not None:
        args.append(f"--config-file={config.inipath}")
    # In a worker's process much is imported before pytest starts, plugins too, so that their assertions cannot be rewritten.
    args += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    return SessionSpec(
        args=tuple(map(str, args)),
        cwd=str(config.invocation_params.dir),
        files=tuple(map(str, files)),
        basetemp=str(config._tmp_path_factory.getbasetemp()),  # type: ignore[attr-defined]
        sys_path=tuple(sys.path),
        environ=dict(environ),
        run=run,
        workerinput=dict(workerinput),
    )


def enter(spec: SessionSpec) -> None:
    """Make this process like the driver's: working directory, import path, environment.

    Raises:
        FileNotFoundError: this machine does not see the driver's working directory.
    """
    os.environ.update(spec.environ)
    os.chdir(spec.cwd)
    sys.path[:] = [*spec.sys_path, *(entry for entry in sys.path if entry not in spec.sys_path)]
