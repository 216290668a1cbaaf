"""The one writer of a run's database: the driver. What it has recorded is on the disk when the call returns."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from sqlalchemy import Executable, insert, update
from sqlalchemy.dialects.sqlite import insert as upsert

from pytest_sweep import clock
from pytest_sweep.errors import StoreError
from pytest_sweep.model import Run, Sweep, Trial, TrialState
from pytest_sweep.model.code import Used
from pytest_sweep.model.events import Accepted
from pytest_sweep.model.source import Source
from pytest_sweep.store import schema
from pytest_sweep.store.copying import copy_decisions, copy_trials
from pytest_sweep.store.database import RunDatabase
from pytest_sweep.store.decisions import Row
from pytest_sweep.store.folders import DATABASE, begin_run, path_in_run, run_name
from pytest_sweep.store.running import RunLock, this_driver
from pytest_sweep.store.writes import Batch

_CHUNK = 1000
"""How many trials are made into rows at once: few, so that the garbage collector does not walk all of them again and again."""


class RunStore:
    """Remembers one run, in a folder of its own. Used from the one thread that made it.

    Attributes:
        run: the run, as hooks and the terminal see it.
        path: its folder.
        points: the names of the runs that have tried configurations of slots before, by the keys of their points.
    """

    def __init__(self, run: Run, database: RunDatabase, lock: RunLock) -> None:
        self.run = run
        self._lock = lock
        self.path = Path(run.path)
        self.points: Mapping[str, str] = {}
        self._database = database
        self._trials = 0
        self._sources: dict[str, Source] = {}
        self._sweeps: dict[str, str] = {}
        self._slots: dict[str, str] = {}
        self._folders: dict[str, str] = {}
        self._made: dict[tuple[str, Used], Row] = {}

    @classmethod
    def create(  # noqa: PLR0913 - they are the columns of a run, each passed by name
        cls,
        results_dir: Path,
        *,
        seed: int,
        command: str,
        executor: str,
        rootdir: Path,
        versions: Mapping[str, str],
        git: tuple[str, bool] | None,
        resumed_from: Path | None = None,
        now: float | None = None,
    ) -> RunStore:
        """Make a folder for a new run in `results_dir`, and its database.

        Args:
            results_dir: made where it is absent.
            seed: the seed of the run.
            command: the command line.
            executor: where the trials run.
            rootdir: pytest's rootdir.
            versions: as `package_versions` returns them.
            git: as `git_state` returns it.
            resumed_from: the folder of the run that this one goes on from, or None.
            now: when the run began, in seconds since the epoch; default the current time.

        Raises:
            StoreError: the folder or the database cannot be written.
        """
        run = begin_run(results_dir, seed=seed, command=command, executor=executor, now=now)
        return cls.of(run, rootdir=rootdir, versions=versions, git=git, resumed_from=resumed_from)

    @classmethod
    def of(
        cls,
        run: Run,
        *,
        rootdir: Path,
        versions: Mapping[str, str],
        git: tuple[str, bool] | None,
        resumed_from: Path | None = None,
        lock: RunLock | None = None,
    ) -> RunStore:
        """Make the database of a run that has a folder.

        Args:
            run: as `begin_run` returns it.
            rootdir: pytest's rootdir.
            versions: as `package_versions` returns them.
            git: as `git_state` returns it.
            resumed_from: the folder of the run that this one goes on from, or None.
            lock: says that the run goes on; None makes it. It is released when the store is closed.

        Raises:
            StoreError: the database cannot be written.
        """
        folder = Path(run.path)
        lock = lock or RunLock(folder)
        try:
            store = cls(run, RunDatabase(folder / DATABASE, lock.note_commit), lock)
        except BaseException:
            lock.release()
            raise
        commit, dirty = git or (None, None)
        row = {
            "name": run.name,
            "seed": run.seed,
            "command": run.command,
            "executor": run.executor,
            "rootdir": str(rootdir),
            "started": run.started,
            "versions": dict(versions),
            "git_commit": commit,
            "git_dirty": dirty,
            "resumed_from": None if resumed_from is None else run_name(resumed_from, folder.parent),
            "driver": this_driver(),
        }
        with store._database.transaction() as connection:
            connection.execute(insert(schema.run), row)
        lock.note_stored()
        return store

    @property
    def repairs(self) -> Sequence[str]:
        """What has become of the database's file and was repaired, a sentence each."""
        return self._database.repairs

    @property
    def is_damaged(self) -> bool:
        """Whether the database's file does not hold what was stored, and could not be repaired."""
        return self._database.is_damaged

    def add_trials(self, trials: Iterable[Trial], sources: Mapping[str, Source] | None = None) -> None:
        """Store `trials` and their sweeps as PENDING, in this order, after those that are there.

        Args:
            trials: the trials.
            sources: what is known of the code of each sweep, by the sweep's id.
        """
        added = list(trials)
        if not added:
            return
        self._sources |= sources or {}
        codes = {sweep: code_row(source) for sweep, source in (sources or {}).items()}
        sweeps = {trial.sweep.id: _sweep_row(trial.sweep, codes.get(trial.sweep.id)) for trial in added}
        self._sweeps |= {trial.key: trial.sweep.id for trial in added}
        self._slots |= {trial.key: trial.point_key for trial in added if trial.slot is not None}
        with self._database.transaction() as connection:
            if codes:
                connection.execute(upsert(schema.code).on_conflict_do_nothing(), list(codes.values()))
            connection.execute(upsert(schema.sweep).on_conflict_do_nothing(), list(sweeps.values()))
            for start in range(0, len(added), _CHUNK):
                rows = enumerate(added[start : start + _CHUNK], self._trials + start)
                connection.execute(insert(schema.trial), [_trial_row(trial, ordinal) for ordinal, trial in rows])
        self._trials += len(added)

    def copy_trials(self, folder: Path, taken: Collection[str], continued: Collection[str]) -> None:
        """Copy what an earlier run, in `folder`, has stored of trials that were added: their outcomes, attempts and reports.

        Args:
            folder: the folder of the run, which is not changed. Its checkpoints stay where they are.
            taken: the keys of the trials that are not run: CACHED from now on, or ERROR as they were.
            continued: the keys of those that are: PENDING, with the attempts and the checkpoint that they had. Their folder is that of the
                earlier run until they run.

        Raises:
            StoreError: the database of either cannot be used.
        """
        self._folders |= copy_trials(self._database, folder, taken, continued)

    def copy_decisions(self, folder: Path) -> None:
        """Copy what searchers and schedulers have decided in an earlier run, in `folder`: also of trials that are not in this one.

        Raises:
            StoreError: the database of either cannot be used.
        """
        copy_decisions(self._database, folder)

    def record(self, events: Sequence[Accepted]) -> None:
        """Store what `events` change, all of them or, where that fails, none. Events of the session are not stored.

        Raises:
            StoreError: the disk is full, the database is locked, damaged or deleted beyond repair, or an event names a trial that was not
                added.
        """
        batch = Batch(partial(path_in_run, self.path), self._source, self.points, self._slots, self._folders)
        for event in events:
            batch.add(event)
        statements = list(batch.statements())
        if not statements:
            return
        self._execute(statements)

    def finish(self, exit_status: int, now: float | None = None) -> None:
        """Store how the run ended: pytest's exit status, and when in seconds since the epoch (default now)."""
        row = {"exit_status": exit_status, "finished": clock.wall() if now is None else now}
        self._execute([(update(schema.run), [row])])

    def _execute(self, statements: Sequence[tuple[Executable, Sequence[Row]]]) -> None:
        repairs = len(self.repairs)
        try:
            self._execute_once(statements)
        except StoreError:
            if len(self.repairs) == repairs:
                raise
            self._execute_once(statements)  # It was damaged, and has been written again.

    def _execute_once(self, statements: Sequence[tuple[Executable, Sequence[Row]]]) -> None:
        with self._database.transaction() as connection:
            for statement, rows in statements:
                connection.execute(statement, rows)

    def verify(self) -> None:
        """Compare what the database's file holds with all that was stored, and repair it if it differs: see `repairs`.

        Raises:
            StoreError: it cannot be repaired.
        """
        self._database.verify()

    def close(self) -> None:
        """Verify the database and close it; its file is then complete without others beside it. A second call does nothing.

        Raises:
            StoreError: as for `verify`.
        """
        try:
            if not self._database.is_closed:
                self._database.close()
        finally:
            self._lock.release()

    def _source(self, key: str, used: Used) -> Row:
        """Return what has made the result of a trial that has used more than is known of its sweep."""
        sweep = self._sweeps.get(key, "")
        if (sweep, used) not in self._made:
            self._made[sweep, used] = code_row(self._sources.get(sweep, Source(None, None)).with_used(used))
        return self._made[sweep, used]


def code_row(source: Source) -> Row:
    """Return a source as a row of the table `code`, whose id is a digest of it."""
    content = source.as_dict()
    text = json.dumps(content, sort_keys=True)
    return {"id": hashlib.sha256(text.encode()).hexdigest()[:16], "content": content}


def _sweep_row(sweep: Sweep, code: Row | None) -> Row:
    return {
        "id": sweep.id,
        "name": sweep.name,
        "metric": sweep.metric,
        "mode": sweep.mode,
        "varying": list(sweep.varying),
        "average_over": list(sweep.average_over) or None,
        "objectives": [[its.metric, its.mode] for its in sweep.objectives] or None,
        "feasible": list(sweep.feasible) or None,
        "search": sweep.search or None,
        "scheduler": sweep.scheduler or None,
        "source": None if code is None else code["id"],
    }


def _trial_row(trial: Trial, ordinal: int) -> Row:
    return {
        "key": trial.key,
        "ordinal": ordinal,
        "sweep_id": trial.sweep.id,
        "node_id": trial.id,
        "name": trial.name,
        "config": trial.config,
        "resources": trial.resources.as_dict(),
        "seed": trial.seed,
        "folder": trial.path_name,
        "replicate": trial.replicate,
        "group_key": trial.group_key,
        "params": dict(trial.params) or None,
        "configuration": trial.configuration or None,
        "study": trial.study or None,
        "slot": trial.slot,
        "point_key": trial.point_key or None,
        "state": TrialState.PENDING,
        "attempts": 0,
    }
