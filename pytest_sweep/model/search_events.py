"""What happens in a search: answers of searchers, and decisions that are stored, so that a resumed run goes on exactly.

Every decision has a number that is unique and ascending in its run. Replaying the decisions of a study in the order of their numbers
gives its searcher and its scheduler the state that they had.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_sweep.model.record import Record
from pytest_sweep.model.study import Observation, Resumption, Verdict
from pytest_sweep.model.trials import Trial


@dataclass(frozen=True, slots=True)
class Proposed(Record):
    """A searcher has chosen a configuration for a slot.

    Attributes:
        key: the slot's trial.
        config: the whole configuration.
        label: its text, as in the node id of a trial whose configuration is known at collection: ``lr=0.003-depth=4``.
        point_key: the key that a trial of this configuration would have.
        values: what the searcher itself has chosen, by dotted key; the rest was drawn.
        marks: pytest's marks of the values that were chosen.
        slot: the slot's number in its study, from 0.
        refused: how many configurations ``where=`` had refused for the slot before: what the searcher left out is drawn anew each time.
    """

    key: str
    config: Mapping[str, Any] = field(hash=False)
    label: str
    point_key: str
    values: Mapping[str, Any] = field(default_factory=dict, hash=False)
    marks: tuple[Any, ...] = field(default=(), hash=False)
    slot: int = 0
    refused: int = 0

    def applied_to(self, trial: Trial) -> Trial:
        """Return the trial of the slot with this configuration."""
        return replace(
            trial, config=self.config, label=self.label, point_key=self.point_key, marks=(*trial.marks, *self.marks)
        )


@dataclass(frozen=True, slots=True)
class ProposalDeferred(Record):
    """A searcher proposes nothing for a slot before more results are there: it is asked again after the next observation."""

    key: str
    study: str


@dataclass(frozen=True, slots=True)
class ProposalsEnded(Record):
    """A searcher proposes nothing more; the slots that are left are not needed. `reason` is shown with each."""

    study: str
    reason: str


@dataclass(frozen=True, slots=True)
class ProposalFailed(Record):
    """A searcher has raised. The run ends with `error`, its traceback; what is stored stays."""

    study: str
    error: str


@dataclass(frozen=True, slots=True)
class StudyNoted(Record):
    """Something is to be said of a study, once: that it stops trials instead of pausing them, since they save no checkpoints.

    Made by the engine; `text` is a sentence that names the sweep.
    """

    study: str
    text: str


@dataclass(frozen=True, slots=True)
class TrialConfigured(Record):
    """Decision: a slot of `study` has got its configuration. Made by the engine of `proposed`.

    `asked_after` says how many observations of the study the searcher had been told when it chose: others may have come since.
    """

    number: int
    proposed: Proposed
    study: str = ""
    asked_after: int = 0

    @property
    def key(self) -> str:
        """The slot's trial."""
        return self.proposed.key


@dataclass(frozen=True, slots=True)
class TrialJudged(Record):
    """Decision: a study has taken an observation. Made by the engine.

    Attributes:
        number: of the decision.
        attempt: the attempt that has reported.
        observation: what was seen.
        verdict: what the scheduler decided; None where the trial had ended by itself. An end that the scheduler has caused has its
            verdict, too: of a trial that was stopped at a milestone, or that was paused and never goes on.
        can_pause: whether the trial had a checkpoint of that iteration, as the scheduler was told.
        study: the id of the study.
    """

    number: int
    attempt: int
    observation: Observation
    verdict: Verdict | None = None
    can_pause: bool = False
    study: str = ""

    @property
    def key(self) -> str:
        """The trial."""
        return self.observation.key


@dataclass(frozen=True, slots=True)
class TrialResumed(Record):
    """Decision: a paused trial of `study` goes on. Made by the engine."""

    number: int
    resumption: Resumption
    study: str = ""

    @property
    def key(self) -> str:
        """The trial."""
        return self.resumption.key


ProposalEvent = Proposed | ProposalDeferred | ProposalsEnded | ProposalFailed
Decision = TrialConfigured | TrialJudged | TrialResumed
