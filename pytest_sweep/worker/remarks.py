"""What people are warned of when an attempt has ended: settings that had no effect, files that stay where nobody looks."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_sweep.model.trials import TrialState
from pytest_sweep.worker.trial import ActiveTrial


def remarks(trial: ActiveTrial, sweep: str, state: TrialState, location: str) -> Iterator[str]:
    """Yield the warnings about an attempt, a sentence each.

    Args:
        trial: the attempt, which has ended.
        sweep: the name of its sweep.
        state: what became of it; one that is paused may still report what is missing.
        location: ``ip:pid`` of this process.
    """
    if state is not TrialState.PAUSED:
        for metric in trial.unknown_stop_metrics():
            yield f"stop={{{metric!r}: ...}} of {sweep} was never judged: no report has a metric of this name"
        if (keep := trial.unknown_keep_metric()) is not None:
            yield (
                f"keep_best={keep!r} of {sweep} was never judged: no report with a checkpoint has a metric of this name. The newest "
                "checkpoints are kept"
            )
    if (folder := trial.left_behind()) is not None:
        yield (
            f"trial.dir is in {folder} on {location.rpartition(':')[0]}, which does not see the folder for results, and stays there: "
            "report what is to be kept as a checkpoint, with --sweep-storage"
        )
