"""Decisions of searchers and schedulers as rows of the table `decision`, and back. Knows no connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_sweep.model.search_events import Decision, Proposed, TrialConfigured, TrialJudged, TrialResumed
from pytest_sweep.model.study import Observation, Outcome, Resumption, Verdict, VerdictKind
from pytest_sweep.space import restored, stored

CONFIGURED, JUDGED, RESUMED = "configured", "judged", "resumed"

Row = dict[str, Any]


def row_of(decision: Decision) -> Row:
    """Return a decision as a row."""
    attempt = iteration = None
    if isinstance(decision, TrialConfigured):
        kind, content = CONFIGURED, {**_configured(decision.proposed), "asked_after": decision.asked_after}
    elif isinstance(decision, TrialJudged):
        kind, content = JUDGED, _judged(decision)
        attempt, iteration = decision.attempt, decision.observation.iteration
    else:
        kind, content = RESUMED, _resumed(decision.resumption)
    return {
        "number": decision.number,
        "kind": kind,
        "study": decision.study,
        "trial_key": decision.key,
        "attempt": attempt,
        "iteration": iteration,
        "content": content,
    }


def decision_of(row: Mapping[str, Any]) -> Decision:
    """Return the decision of a row.

    Raises:
        ValueError: this version knows no such decision, or it is damaged.
    """
    try:
        return _decision(row)
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"decision {row['number']} of trial {row['trial_key']} is damaged: {error}") from error


def _decision(row: Mapping[str, Any]) -> Decision:
    number, study, key, content = row["number"], row["study"], row["trial_key"], row["content"]
    if row["kind"] == CONFIGURED:
        its, values = restored(content["config"]), restored(content["values"])
        slot, refused = _count(content["slot"]), _count(content.get("refused", 0))
        proposed = Proposed(key, its, content["label"], content["point_key"], values, slot=slot, refused=refused)
        return TrialConfigured(number, proposed, study, content["asked_after"])
    if row["kind"] == JUDGED:
        values, constraints = (tuple(map(float, content[name])) for name in ("values", "constraints"))
        seen = Observation(key, row["iteration"], values, Outcome(content["outcome"]), constraints)
        verdict = content["verdict"] and Verdict(VerdictKind(content["verdict"]), content["reason"])
        return TrialJudged(number, row["attempt"], seen, verdict, content["can_pause"], study)
    if row["kind"] == RESUMED:
        its = None if content["config"] is None else restored(content["config"])
        return TrialResumed(
            number, Resumption(key, content["pause_at"], content["donor"], its, content["reason"]), study
        )
    raise ValueError(f"no decision is called {row['kind']!r}")


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value


def _configured(proposed: Proposed) -> Row:
    return {
        "slot": proposed.slot,
        "refused": proposed.refused,
        "label": proposed.label,
        "point_key": proposed.point_key,
        "config": stored(dict(proposed.config)),
        "values": stored(dict(proposed.values)),
    }


def _judged(decision: TrialJudged) -> Row:
    seen, verdict = decision.observation, decision.verdict
    return {
        "outcome": seen.outcome.value,
        "values": list(seen.values),
        "constraints": list(seen.constraints),
        "verdict": None if verdict is None else verdict.kind.value,
        "reason": "" if verdict is None else verdict.reason,
        "can_pause": decision.can_pause,
    }


def _resumed(resumption: Resumption) -> Row:
    return {
        "pause_at": resumption.pause_at,
        "donor": resumption.donor,
        "config": None if resumption.config is None else stored(dict(resumption.config)),
        "reason": resumption.reason,
    }
