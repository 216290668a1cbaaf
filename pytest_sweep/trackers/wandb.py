"""What a run is in W&B: a W&B run for each trial, all of them in one process. Loading it does not import wandb."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_sweep.errors import SweepError
from pytest_sweep.model import TrialState
from pytest_sweep.model.metrics import METRIC_PREFIX, flattened
from pytest_sweep.store.outgoing import Outgoing
from pytest_sweep.store.records import StoredReport
from pytest_sweep.trackers.base import (
    TrackedRun,
    TrackedTrial,
    TrackerDown,
    check_settings,
    numbers,
    parameters,
    require,
    time_of,
)

SETTINGS = {
    "project": "the project; default WANDB_PROJECT, or the name of pytest's rootdir",
    "entity": "the user or team; default WANDB_ENTITY, or your own",
    "mode": "online or offline; default WANDB_MODE, or online",
    "dir": "the folder in which wandb makes its folder wandb; default WANDB_DIR, or the current one",
}
_MODES = ("online", "offline")
_ITERATION = "training_iteration"
_SECONDS = 10
"""How long W&B has to answer until it counts as down."""

_OTHERS = (
    "WANDB_SERVICE",
    "WANDB_RUN_ID",
    "WANDB_RESUME",
    "WANDB_SWEEP_ID",
    "WANDB_SWEEP_PARAM_PATH",
)
"""What the environment says about another W&B run, such as the one of a W&B agent that has called pytest."""

_QUIET: dict[str, Any] = {
    "console": "off",
    "silent": True,
    "disable_git": True,
    "disable_code": True,
    "label_disable": True,
    "init_timeout": _SECONDS,
    "x_disable_stats": True,
    "x_disable_meta": True,
    "x_disable_machine_info": True,
    "x_disable_viewer": True,
    "x_save_requirements": False,
    "x_file_stream_retry_max": 1_000_000,
}
"""wandb sees the process that follows a run, and not the one of the trial: what it would find out of itself means nothing.

Without its many retries, it would give up a run after some hours, and say so nowhere but in its log.
"""

_NOTES = ".wandb-open"
"""The folder, in that of the run, of notes on trials that go on."""

_NO_USE = re.compile(r"returned error 4(?!08|29)\d\d|permission denied|created and deleted", re.IGNORECASE)
_LONGEST_ERROR = 2000


@dataclass(slots=True)
class _Open:
    """A W&B run that goes on.

    Attributes:
        run: wandb's object.
        first: the first step that W&B does not have yet.
        step: the last step.
        note: the file that says from where on an earlier process has logged: its step then, and the number of its first report.
        begun: the number of the first report that was logged in this session, 0 for none.
        again: the numbers of the reports that `WandbTracker.begin` has logged.
        ending: the thread that waits until all is uploaded, or None.
    """

    run: Any
    first: int
    note: Path
    step: int
    begun: int = 0
    again: frozenset[int] = frozenset()
    ending: threading.Thread | None = None


class WandbTracker:
    """Sends runs to W&B, or writes them to a folder in offline mode. `docs/trackers.md` says what is where there.

    wandb writes its file in blocks of 32 KB, and the process that does so dies with ours, so what an earlier process has logged of a trial
    that goes on may be lost. All that this session has logged of it is logged again, with the same steps, of which W&B online has some
    already: these are left out.
    """

    def __init__(self) -> None:
        self._wandb: Any
        self._run: TrackedRun
        self._settings: Mapping[str, str] = {}
        self._open: dict[str, _Open] = {}

    @classmethod
    def check(cls, settings: Mapping[str, str]) -> None:
        """Raise MissingExtraError without wandb, SweepError for settings that make no sense."""
        require("wandb", "wandb", "wandb")
        check_settings("wandb", settings, SETTINGS)
        if (mode := settings.get("mode", "online")) not in _MODES:
            raise SweepError(f"the tracker wandb has no mode {mode!r}: write mode=online or mode=offline")

    def open(self, run: TrackedRun, settings: Mapping[str, str]) -> None:
        """Import wandb. W&B itself is asked when the first trial begins."""
        self.check(settings)
        for name in _OTHERS:
            os.environ.pop(name, None)
        import wandb

        self._wandb, self._run, self._settings = wandb, run, settings

    def begin(self, trial: TrackedTrial, remote: str | None) -> str:
        """Begin the W&B run of a trial, or go on with it: its id follows from the trial's."""
        run = self._init(trial)
        run.define_metric(_ITERATION)
        run.define_metric("*", step_metric=_ITERATION)
        note = self._run.folder / _NOTES / trial.id
        there = run.starting_step if remote is not None or trial.may_exist else 0
        its = self._open[trial.id] = _Open(run, there, note, max(there - 1, trial.logged or -1))
        if note.exists():
            its.step, its.begun = json.loads(note.read_text("utf-8"))
            earlier = Outgoing(self._run.folder).reports_of(trial.key) if its.begun else []
            again = [report for report in earlier if report.id >= its.begun]
            self._log(its, again)
            its.again = frozenset(report.id for report in again)
        return trial.id

    def log(self, remote: str, reports: Sequence[StoredReport]) -> None:
        """Log all metrics that are numbers. A step is the iteration as long as no attempt was restarted: W&B's steps only rise."""
        its = self._open[remote]
        if not its.begun and reports and reports[0].id:
            its.begun = reports[0].id
            its.note.parent.mkdir(exist_ok=True)
            its.note.write_text(json.dumps([its.step, its.begun]), "utf-8")
        self._log(its, [report for report in reports if report.id not in its.again])

    def restart(self, remote: str, iteration: int) -> None:
        """Do nothing: what was logged stays, and repeated iterations are drawn once more."""

    def end(self, remote: str, trial: TrackedTrial) -> None:
        """Finish the W&B run, and wait until W&B has all of it."""
        its = self._open.get(remote)
        if its is None:  # It has ended before, which nobody has kept.
            return
        if its.ending is None:
            with self._telling():
                its.run.summary.update(_summary(trial, again=bool(its.run.resumed)))
            code = {TrialState.ERROR: 1, TrialState.INTERRUPTED: 255}.get(trial.stored.state, 0)
            # A thread, since wandb waits as long as W&B is down; in it, what it has still waits for W&B while we say so.
            its.ending = threading.Thread(target=its.run.finish, args=(code,), name=f"wandb-{remote}", daemon=True)
            its.ending.start()
        its.ending.join(_SECONDS)
        if its.ending.is_alive():
            raise TrackerDown(f"W&B has not taken all of {trial.name} within {_SECONDS} s")
        its.note.unlink(missing_ok=True)
        del self._open[remote]

    def close(self, run: TrackedRun) -> None:
        """End wandb's process."""
        self._wandb.teardown()
        with suppress(OSError):  # There is none, or there are notes in it.
            (run.folder / _NOTES).rmdir()

    def _init(self, trial: TrackedTrial) -> Any:
        wandb, settings, stored = self._wandb, self._settings, trial.stored
        about = {"run": self._run.origin, "key": stored.key, "group": stored.group_key, "seed": stored.seed}
        known = wandb.Settings.model_fields
        try:
            return wandb.init(
                entity=settings.get("entity"),
                project=settings.get("project") or os.environ.get("WANDB_PROJECT") or self._project(),
                dir=settings.get("dir"),
                mode=settings.get("mode"),
                id=trial.id,
                name=trial.name,
                group=self._run.origin,
                job_type=trial.sweep.name,
                config={**parameters(trial), "pytest_sweep": about},
                resume="allow",
                reinit="create_new",
                settings=wandb.Settings(**{name: value for name, value in _QUIET.items() if name in known}),
            )
        except wandb.errors.CommError as error:
            text = " ".join(str(error).split())
            if _NO_USE.search(text):
                raise SweepError(f"W&B refuses the run of {trial.name}: {text}") from error
            raise TrackerDown(f"W&B cannot be used now: {text}") from error
        except (wandb.errors.UsageError, wandb.errors.AuthenticationError) as error:
            raise SweepError(
                f"W&B: {error}. Call 'wandb login', set WANDB_API_KEY, or write wandb:mode=offline"
            ) from error

    def _log(self, its: _Open, reports: Sequence[StoredReport]) -> None:
        for report in reports:
            its.step = max(its.step + 1, report.iteration if report.id else 0)
            if its.step < its.first:
                continue
            values = {_name(name): value for name, value in numbers(report.metrics, automatic=True).items()}
            values[_ITERATION] = report.iteration
            if (time := time_of(report)) is not None:
                values["_timestamp"] = time
            with self._telling():
                its.run.log(values, step=its.step)
        with self._telling():
            its.run.status()  # wandb's process answers it when it has all that came before.

    def _project(self) -> str:
        return re.sub(r"[/\\#?%:]", "-", Path(self._run.stored.rootdir).name) or "pytest-sweep"

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Tell wandb's process something."""
        try:
            yield
        except (OSError, EOFError, RuntimeError, self._wandb.errors.Error) as error:
            raise SweepError(
                f"wandb's own process has ended ({type(error).__name__}: {error}): its log is in the folder wandb"
            ) from error


def _name(name: str) -> str:
    """Return the name of a metric in W&B, which keeps those with an underscore at their beginning, and takes no half surrogate pairs."""
    name = name.encode("utf-8", "backslashreplace").decode("utf-8")
    return f"{METRIC_PREFIX}{name}" if not name or name.startswith("_") else name


def _summary(trial: TrackedTrial, *, again: bool) -> dict[str, Any]:
    """Return what a W&B run shows in tables besides its last metrics: results that are no numbers, and how it has ended.

    Args:
        trial: the trial.
        again: whether it may have ended before, in another way: what that end alone has said is "" then.
    """
    stored = trial.stored
    others = {
        _name(name): value if isinstance(value, str) else str(value)
        for name, value in flattened(stored.metrics or {}).items()
        if not isinstance(value, (bool, int, float)) and value is not None
    }
    how = {"state": stored.state.value, "attempts": stored.attempts, "reason": stored.reason}
    error = (stored.error or "")[-_LONGEST_ERROR:] or None  # Its end says most.
    told = {**how, "error": error, "checkpoint": stored.checkpoint}
    return {**others, **{f"sweep/{name}": value or "" for name, value in told.items() if value is not None or again}}
