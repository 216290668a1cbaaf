"""Whether a run is worse than another one. Without statistics as yet: `ResultGrid.compare` will take the place of `judge`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_sweep.cli.comparison import SweepComparison, direction
from pytest_sweep.reporting.text import cell_text, counted

BASIS = (
    "Judged by trials that failed newly and by the best value of each sweep; how far values scatter is not considered."
)
"""What the verdict goes by, as it is said below it."""


@dataclass(frozen=True)
class Verdict:
    """What came out of a comparison.

    Attributes:
        word: ``worse``, ``better`` or ``same``.
        reasons: why it is worse, a sentence each; empty otherwise.
    """

    word: str
    reasons: tuple[str, ...] = ()

    @property
    def is_worse(self) -> bool:
        """Whether the later run is worse."""
        return self.word == "worse"


def judge(sweeps: Sequence[SweepComparison]) -> Verdict:
    """Return whether the later run is worse: a trial fails that did not, or the best value of a sweep is worse."""
    reasons = [reason for sweep in sweeps for reason in _reasons(sweep)]
    if reasons:
        return Verdict("worse", tuple(reasons))
    return Verdict("better" if any(_of_best(sweep) == "better" for sweep in sweeps) else "same")


def _reasons(its: SweepComparison) -> list[str]:
    reasons = []
    if failed := its.of_status("newly failed"):
        verb = "fails" if len(failed) == 1 else "fail"
        reasons.append(f"{its.sweep.name}: {counted(len(failed), 'trial')} {verb} that did not fail before")
    if _of_best(its) == "worse" and its.goal is not None:
        was = "none" if its.best_before is None else cell_text(its.best_before.value)
        now = "none" if its.best is None else cell_text(its.best.value)
        reasons.append(f"{its.sweep.name}: the best {its.goal.metric} was {was} and is {now} ({its.goal.mode})")
    return reasons


def _of_best(its: SweepComparison) -> str:
    if its.goal is None or its.best_before is None or all(pair.now is None for pair in its.pairs):
        return "same"  # There was nothing to be worse than, or the sweep was not run.
    return "worse" if its.best is None else direction(its.best_before.value, its.best.value, its.goal)
