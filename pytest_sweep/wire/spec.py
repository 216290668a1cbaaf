"""What a hosted session needs to be like the driver's: made on the driver, sent to workers, read there as it is meant there.

Imports no pytest: processes that host no session read it, too.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pytest_sweep.errors import ExecutorError
from pytest_sweep.model.code import KnownCode
from pytest_sweep.model.trials import Task
from pytest_sweep.permissions import is_private_folder
from pytest_sweep.wire.code import Code, Copy, scratch_folder
from pytest_sweep.wire.shadowing import use_same


@dataclass(frozen=True)
class SessionSpec:
    """How to start a hosted session.

    Attributes:
        args: the command line of the driver, and its rootdir and configuration file.
        cwd: the working directory of the driver.
        files: the files that have selected trials.
        basetemp: a folder for the temporary folders of all workers.
        sys_path: the driver's import path.
        environ: environment variables to set; never shown, for there are secrets among them.
        run: the name of the run.
        results: the folder of the run.
        workerinput: what the driver's side of other plugins tells their workers' sides: plain values, as pytest-xdist could send.
        code: where the driver's files are.
        versions: of the driver's software, as far as workers must have the same.
        scratch: a folder of this machine for what trials keep, where it does not see `results`; "" where it does.
        token: part of the name of such folders, made for the run, so that no other user of the machine can know it before.
        shadowed: modules of the standard library that the user has files of the same name for: whether the driver uses the library's.
        known: what the driver knows of the code of the sweeps.
    """

    args: tuple[str, ...]
    cwd: str
    files: tuple[str, ...]
    basetemp: str
    sys_path: tuple[str, ...]
    environ: Mapping[str, str] = field(repr=False)
    run: str
    results: str
    workerinput: Mapping[str, Any]
    code: Code
    versions: Mapping[str, str]
    scratch: str = ""
    token: str = field(default_factory=lambda: secrets.token_hex(8), repr=False)
    shadowed: Mapping[str, bool] = field(default_factory=dict)
    known: KnownCode = field(default_factory=KnownCode, repr=False)

    def localized(self) -> SessionSpec:
        """Return the spec as it is meant on this machine: with paths of the copy, where it does not see the driver's rootdir."""
        code = self.code
        if code.sign is None:
            return self
        scratch = "" if os.path.isdir(self.results) else scratch_folder(self.run, self.token)  # noqa: PTH112
        spec = replace(self, scratch=scratch, basetemp=self._local_basetemp(scratch))
        if code.is_seen() or not code.copied:
            return spec
        copy = Copy(code.copied, os.getcwd())  # noqa: PTH109 - where Ray starts a process that has a copy
        root = copy.path(code.root)
        imported = (copy.path(entry) for entry in self.sys_path if copy.holds(entry))
        return replace(
            spec,
            args=tuple(map(copy.argument, self.args)),
            cwd=copy.path(self.cwd) if copy.holds(self.cwd) else root,
            files=tuple(map(copy.path, self.files)),
            basetemp=str(Path(scratch or scratch_folder(self.run, self.token), "tmp")),
            sys_path=tuple(entry for entry in imported if os.path.isdir(entry)),  # noqa: PTH112
            code=Code(root, is_copy=True),
        )

    def _local_basetemp(self, scratch: str) -> str:
        # The driver's name is known to all. Where it does not exist, another user of this machine could make it first.
        if os.path.lexists(self.basetemp) and is_private_folder(self.basetemp):
            return self.basetemp
        return str(Path(scratch or scratch_folder(self.run, self.token), "tmp"))

    def placed(self, task: Task) -> Task:
        """Return a task whose trial keeps its files on this machine, where it does not see the folder of the run."""
        if not self.scratch:
            return task
        return replace(task, directory=str(Path(self.scratch, task.trial.path_name)), unseen=self.results)


def enter(spec: SessionSpec) -> None:
    """Make this process like the driver's: working directory, import path, environment.

    Args:
        spec: as it is meant on this machine.

    Raises:
        ExecutorError: this machine has not the driver's files; the text says what to do.
    """
    if not spec.code.is_seen():
        raise ExecutorError(
            f"this worker's machine does not see the folder {spec.code.root} of the driver, and no copy was shipped, because all nodes "
            f"that were there at the start see it: start the run again, now that the node is there, or share the folder with it"
        )
    for file in spec.files if spec.code.is_copy else ():
        if not os.path.exists(file):  # noqa: PTH110
            raise ExecutorError(_missing(file))
    os.environ.update(spec.environ)
    os.chdir(spec.cwd)
    use_same(spec.shadowed)
    sys.path[:] = [*spec.sys_path, *(entry for entry in sys.path if entry not in spec.sys_path)]


def _missing(file: str) -> str:
    return (
        f"{file} is not there for this worker: what is outside the rootdir does not travel to nodes that do not see it, nor does what "
        f".gitignore names, unless sweep_include brings it back"
    )
