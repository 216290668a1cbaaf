"""What a running trial sees: the `trial` fixture's object, and the same from code that has no fixture. Knows no Ray."""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pytest_sweep import clock
from pytest_sweep.checkpoints import Keeping, Name, Recent, Restored, TrialCheckpoints
from pytest_sweep.errors import MetricsError, SweepError
from pytest_sweep.model.events import CheckpointDamaged, TrialReported
from pytest_sweep.model.metrics import check_iteration, metric_value, plain_metrics
from pytest_sweep.model.resources import Resources
from pytest_sweep.model.stop import StopRule
from pytest_sweep.model.trials import Task
from pytest_sweep.worker.judgement import Judgement
from pytest_sweep.worker.lending import Gang, Lender

RECENT_SECONDS = 5.0
"""How long a report goes into the checkpoints after it: its own way to the driver takes a tenth of a second, on a busy machine more.

Where the link to the driver is cut, the way is as long as the cut, and what is reported meanwhile goes into the checkpoints, too.
"""
MOST_RECENT = 10_000


class ActiveTrial:
    """A trial while it runs: what the fixture ``trial`` gives.

    Attributes:
        id: the node id.
        key: 16 hexadecimal digits that identify the trial in every run.
        name: the last part of the node id.
        config: the whole configuration.
        attempt: which execution of the trial this is, from 1.
        resources: what it holds.
        seed: a number below 2**32, stable for the trial: seed your generators with it.
        checkpoint: a folder of this machine with the newest good checkpoint of an earlier attempt, or None. Where it was downloaded, it
            is there as long as the attempt.
        metrics: the last reported metrics, or None.
    """

    def __init__(
        self,
        task: Task,
        emit: Callable[[object], None],
        lender: Lender | None = None,
        behind: Callable[[], float] = lambda: 0.0,
        judgement: Judgement | None = None,
    ) -> None:
        trial = task.trial
        self.id = trial.id
        self.key = trial.key
        self.name = trial.name
        self.config: Mapping[str, Any] = trial.config
        self.attempt = task.attempt
        self.resources: Resources = trial.resources
        self.seed = trial.seed
        self.checkpoint: Path | None = None
        self.metrics: dict[str, Any] | None = None
        self._task = task
        self._sweep = trial.sweep
        self._emit = emit
        self._behind = behind
        self._lender = lender or Lender()
        self._gang: Gang | None = None
        self._directory = Path(task.directory)
        self._has_used_dir = False
        self._iteration, self._spent = 0, 0.0
        keeping = Keeping(task.keep_checkpoints, trial.sweep.keep_best, trial.sweep.mode)
        self._location = task.checkpoints or str(self._directory / "checkpoints")
        self._checkpoints = TrialCheckpoints(self._location, task.attempt, keeping)
        self._restored: Restored | None = None
        self._recent: deque[tuple[float, Recent]] = deque(maxlen=MOST_RECENT)
        self._lock = threading.Lock()
        self._ended = False
        self._pid = os.getpid()
        self._is_scored: bool | None = None
        self._judgement = judgement or Judgement(task)
        self._began = self._last_report = clock.monotonic()

    @property
    def dir(self) -> Path:
        """The trial's own folder in the results, made on first use; what is written there stays."""
        self._has_used_dir = True
        self._directory.mkdir(parents=True, exist_ok=True)
        return self._directory

    @property
    def gang(self) -> Gang:
        """The workers that it holds beside its own process: ``trial.gang.run(function, ...)``.

        Raises:
            SweepError: it asks for none; ``@pytest.mark.resources(workers=4)`` does.
        """
        __tracebackhide__ = True
        if self._gang is None:
            self._gang = self._lender.gang(self._task.trial)
        return self._gang

    @property
    def should_stop(self) -> bool:
        """Whether the trial is to end now, stopped or paused; a body that does not call `report` on its main thread looks here."""
        return self._judgement.should_stop

    @property
    def stopped_by(self) -> StopRule | None:
        """The stop rule that was met, or None."""
        return self._judgement.stopped_by

    def report(self, metrics: Mapping[str, Any], checkpoint: str | os.PathLike[str] | None = None) -> None:
        """Report metrics of a running trial; works in any thread. Never waits for the driver, except at the milestones of a scheduler.

        There it waits for the verdict: some milliseconds, at most a second. A verdict that comes later is obeyed at the next report.

        Each report counts as one ``training_iteration`` and is stored with it, ``time_total_s``, ``time_this_iter_s`` (seconds) and
        ``timestamp`` (seconds since the epoch), as in Ray Tune; iterations and the total time go on from the checkpoint.

        Args:
            metrics: a dict of numbers, strings, booleans, None, or lists and dicts of them; scalars of numpy and torch are converted.
            checkpoint: a file or folder to keep with these metrics; it is copied before this returns.

        Raises:
            MetricsError: `metrics` is not that.
            SweepError: `checkpoint` does not exist, or could not be kept; or the trial has ended; or this is a process that it has
                forked. It is no report then.
            TrialStopped: a stop rule of the sweep is met, or its scheduler stops or pauses the trial, on the main thread: it ends here.
        """
        __tracebackhide__ = True
        self.check_process()
        plain = plain_metrics(metrics)
        if "training_iteration" in plain:
            raise MetricsError("'training_iteration' is counted for you, one a report: report yours under another name")
        with self._lock:
            if self._ended:
                raise SweepError(
                    f"{self.name} has ended, so that it can report no more: wait for its threads before it returns"
                )
            full = self._publish(plain, checkpoint)
            asks = self._judgement.judge(full, has_checkpoint=checkpoint is not None)
        if asks:
            self._judgement.ask(full["training_iteration"])
        self._judgement.obey()

    def check_process(self) -> None:
        """Raise SweepError in another process than the trial's own: nobody hears what a forked child says."""
        __tracebackhide__ = True
        if os.getpid() != self._pid:
            raise SweepError(
                f"no trial is running in this process, which {self.name} has forked: report() and current_trial() work in the process of "
                "the trial only. Send the metrics to it, through a queue or a pipe, and report them there"
            )

    def end_forked(self) -> None:
        """End this process, if the trial has forked it: it has left the body, and is not to run fixtures, hooks and further trials, too."""
        if os.getpid() == self._pid:
            return
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, SystemExit):
            traceback.print_exception(error)
        code = error.code if isinstance(error, SystemExit) else error is not None
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)

    def restore(self, scratch: Path) -> list[str]:
        """Find the checkpoint to go on from, and report what of it the driver has not heard; return what is wrong, a sentence each.

        Args:
            scratch: a folder that is made, where a checkpoint must be downloaded.

        Raises:
            SweepError: the place of the checkpoints cannot be read.
        """
        __tracebackhide__ = True
        task = self._task
        if not task.is_continued:
            return []
        self._check_seen(task.checkpoint)
        restored = self._restored = self._checkpoints.restore(scratch, task.checkpoint, is_lent=task.is_lent)
        iteration = 0
        if restored is not None:
            self.checkpoint, iteration = restored.path, restored.manifest.name.iteration
            self._spent = restored.manifest.seconds
            self._recover(restored)
        self._iteration = iteration
        address = None if restored is None else restored.address
        for damaged in self._checkpoints.damaged:
            self._emit(CheckpointDamaged(self.key, damaged, address, iteration))
        onwards = "starts from the beginning" if address is None else f"goes on from {address}"
        return [
            f"checkpoint {damaged} of {self.name} is damaged: {problem}. Attempt {self.attempt} {onwards}"
            for damaged, problem in self._checkpoints.damaged.items()
        ]

    def begin(self) -> None:
        """Start the clock of this attempt: the body begins, unless it is to pause where it was restored."""
        __tracebackhide__ = True
        self._began = self._last_report = clock.monotonic()
        self._judgement.begin(self._iteration)

    def finish(self, final: dict[str, Any] | None) -> None:
        """Take the metrics that the body returned: they complete the last report, of this attempt or before, or are the only one."""
        __tracebackhide__ = True
        check_iteration(final)
        with self._lock:
            if final is not None:
                last = self.final_metrics
                self.metrics = self._publish(final, None) if last is None else {**last, **final}

    def end(self) -> None:
        """Take no more reports: a thread of the trial that lives on is told so; and end its gang."""
        with self._lock:
            self._ended = True
        if self._gang is not None:
            self._gang.close()

    @property
    def final_metrics(self) -> dict[str, Any] | None:
        """Those of the last report, completed by what the body returned; where none was made, those that it was restored with."""
        if self.metrics is None and self._restored is not None:
            return dict(self._restored.manifest.metrics)
        return self.metrics

    def unknown_stop_metrics(self) -> list[str]:
        """Return the metrics that stop rules name and that none of the reports had."""
        return [] if self.metrics is None else self._judgement.unknown_metrics

    def unknown_keep_metric(self) -> str | None:
        """Return the metric of ``keep_best=`` where checkpoints were reported, but none with it."""
        return self._sweep.keep_best if self._is_scored is False else None

    def left_behind(self) -> Path | None:
        """Return the folder of this machine that `dir` was made in, where that is not among the results; None where nothing was."""
        return self._directory.parent if self._task.unseen and self._has_used_dir else None

    def _with_auto_metrics(self, plain: dict[str, Any], now: float) -> dict[str, Any]:
        auto = {
            "training_iteration": self._iteration + 1,
            "time_total_s": self._spent + now - self._began,
            "time_this_iter_s": now - self._last_report,
            "timestamp": clock.wall(),
        }
        return {**auto, **plain}

    def _publish(self, plain: dict[str, Any], checkpoint: str | os.PathLike[str] | None) -> dict[str, Any]:
        now = clock.monotonic()
        full = self._with_auto_metrics(plain, now)
        # First the copy, which may fail: only what is reported counts as an iteration.
        saved = None if checkpoint is None else self._save(Path(checkpoint), full, now)
        self._iteration, self._last_report = self._iteration + 1, now
        self._recent.append((now, Recent(full, None if saved is None else str(Name(self.attempt, self._iteration)))))
        self.metrics = full
        if saved is not None and self._sweep.keep_best is not None:
            self._is_scored = bool(self._is_scored) or metric_value(full, self._sweep.keep_best) is not None
        kept = None if saved is None else self._checkpoints.kept
        self._emit(TrialReported(self.key, self.attempt, full, saved, kept, self._task.lease))
        return full

    def _check_seen(self, location: str | None) -> None:
        """Refuse a place of checkpoints that is among the results, where this machine does not see those."""
        results = Path(self._task.unseen).parent
        if self._task.unseen and location is not None and Path(location).is_relative_to(results):
            raise SweepError(
                f"{self.name} runs on a machine that does not see {results}, where its checkpoints go. Name a place that all nodes reach: "
                "--sweep-storage=s3://bucket/sweeps, or a path of a file system that they share"
            )

    def _save(self, source: Path, metrics: dict[str, Any], now: float) -> str:
        self._check_seen(self._location)
        since = now - self._behind() - RECENT_SECONDS
        recent = [earlier for reported, earlier in self._recent if reported > since]
        return self._checkpoints.save(source, self._iteration + 1, metrics, recent)

    def _recover(self, restored: Restored) -> None:
        """Report what an earlier attempt had reported up to its last checkpoint, and what died with its worker."""
        name, task = restored.manifest.name, self._task
        if name <= self._known(restored):
            return
        attempt, iteration = task.reported
        heard = iteration if attempt >= name.attempt else 0
        for report in (*restored.manifest.recent, Recent(restored.manifest.metrics, str(name))):
            if report.metrics["training_iteration"] > heard:
                # Should this worker die at once, too, they are in its own checkpoints.
                self._recent.append((clock.monotonic(), report))
                named = None if report.checkpoint is None else Name.parse(report.checkpoint)
                saved = None if named is None else restored.complete.get(named)
                kept = None if saved is None else self._checkpoints.kept
                self._emit(TrialReported(self.key, self.attempt, dict(report.metrics), saved, kept, task.lease))

    def _known(self, restored: Restored) -> Name:
        """Return the name of the newest checkpoint that the driver knows of, which is less than all where it lies elsewhere."""
        known = self._task.checkpoint
        if known == restored.address:
            return restored.manifest.name
        return next((name for name, address in restored.complete.items() if address == known), Name(0, 0))
