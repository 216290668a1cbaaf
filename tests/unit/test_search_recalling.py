"""How a slot gets its configuration again in a resumed run, and what a warm searcher is told: units between engine, store and plugin."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_sweep.engine.proposing import Proposer
from pytest_sweep.engine.study import Study
from pytest_sweep.errors import SpaceError
from pytest_sweep.model import Trial, TrialState
from pytest_sweep.model.commands import Propose
from pytest_sweep.model.search_events import Decision, Proposed, TrialConfigured
from pytest_sweep.model.spread import judged_float
from pytest_sweep.model.study import Objective, Outcome
from pytest_sweep.plugin.collect.sweeps import TRIAL
from pytest_sweep.plugin.session.recalling import recall_slots
from pytest_sweep.plugin.session.warming import _observations
from pytest_sweep.search.protocols import Values
from pytest_sweep.search.space import SearchSpace
from pytest_sweep.space.functions import sample_from
from pytest_sweep.space.sampling import uniform
from pytest_sweep.store.decisions import decision_of, row_of
from pytest_sweep.testing.samples import SWEEP

LOSS = (Objective("loss", "min"),)
SPACE = SearchSpace(
    {"x": uniform(0, 1), "drawn": sample_from(lambda config, random: random.randrange(10**9))},
    where=lambda config: config["drawn"] % 3 == 0,
    seed=5,
)
"""Of every three draws of what the searcher does not see, two are refused."""


def complete(key: str, slot: int, values: Values, refused: int) -> Proposed | None:
    found = SPACE.complete(values, slot, refused)
    return None if found is None else Proposed(key, found.config, found.label, str(found.config["drawn"]), found.values)


class Fixed:
    def ask(self, key: str, slot: int) -> Values:  # noqa: ARG002 - a protocol
        return {"x": 0.5}

    def tell(self, observation: object) -> None: ...


STUDY = Study(id=SWEEP.id, name="train", objectives=LOSS, searcher=Fixed(), scheduler=None, complete=complete)


def proposed(slot: int) -> Proposed:
    proposer = Proposer([STUDY])
    proposer.order(Propose(STUDY.id, f"key{slot}", slot))
    answer = next(iter(proposer.answers(30.0)))
    proposer.close()
    assert isinstance(answer, Proposed)
    return answer


def stored_and_read(decision: Decision) -> Decision:
    return decision_of(json.loads(json.dumps(row_of(decision))))


def item(key: str) -> pytest.Item:
    made: Any = SimpleNamespace(name=key, stash=pytest.Stash(), user_properties=[])
    made.stash[TRIAL] = Trial(key, f"test_a.py::{key}", key, SWEEP, {}, slot=0, study=STUDY.id)
    return made  # type: ignore[no-any-return]


def test_a_configuration_that_came_after_refused_ones() -> None:
    """A slot whose first draws ``where=`` had refused gets the same configuration again, and nobody says that the space has changed."""
    answers = [proposed(slot) for slot in range(6)]
    assert max(answer.refused for answer in answers) > 0
    items = [item(answer.key) for answer in answers]
    decisions = [stored_and_read(TrialConfigured(number, answer, STUDY.id)) for number, answer in enumerate(answers, 1)]
    assert recall_slots(decisions, [STUDY], items) == []
    assert [one.stash[TRIAL].config for one in items] == [answer.config for answer in answers]


@pytest.mark.parametrize("knows_it", [True, False])
def test_a_space_that_has_changed(knows_it: bool) -> None:
    """A slot keeps the configuration that it had, whether today's space has it or not, and a line names it."""
    answer = proposed(0)

    def other(key: str, slot: int, values: Values, refused: int) -> Proposed | None:
        if not knows_it:
            raise SpaceError("there is no 'x'")
        return replace(answer, config={"y": 1}, point_key="another")

    (one,) = items = [item(answer.key)]
    (line,) = recall_slots(
        [stored_and_read(TrialConfigured(1, answer, STUDY.id))], [replace(STUDY, complete=other)], items
    )
    assert one.stash[TRIAL].config == answer.config
    assert f"the space of {SWEEP.name} has changed since the run that is resumed: key0 keep" in line


def test_a_part_of_a_run() -> None:
    """The decision itself has the configuration: it does not matter whether the trial was in the run that is resumed."""
    answer = proposed(1)
    decision = stored_and_read(TrialConfigured(1, answer, STUDY.id))
    assert isinstance(decision, TrialConfigured)
    assert decision.proposed.config == answer.config
    stranger = item("stranger")
    assert recall_slots([decision], [STUDY], [stranger]) == []
    assert stranger.stash[TRIAL].config == {}


def test_a_decision_of_an_older_version() -> None:
    """A stored configuration that does not say how many were refused was the first."""
    row = row_of(TrialConfigured(1, proposed(0), STUDY.id))
    del row["content"]["refused"]
    decision = decision_of(row)
    assert isinstance(decision, TrialConfigured)
    assert decision.proposed.refused == 0


@pytest.mark.parametrize("name", ["slot", "refused"])
@pytest.mark.parametrize("value", ["1", -1, 1.5, None])
def test_a_damaged_decision(name: str, value: object) -> None:
    """A slot, or a number of refusals, that is no count is an error that names the trial."""
    row = row_of(TrialConfigured(1, proposed(0), STUDY.id))
    row["content"][name] = value
    with pytest.raises(ValueError, match="decision 1 of trial key0 is damaged"):
        decision_of(row)


@pytest.mark.parametrize(
    ("value", "as_float"), [(10**400, math.nan), (-(10**400), math.nan), (True, 1.0), ("0.1", math.nan), (3, 3.0)]
)
def test_what_a_warm_searcher_is_told(value: object, as_float: float) -> None:
    """Of an earlier run as of this one: booleans are numbers, what no float holds is NaN, which is the worst."""
    history: list[Mapping[str, Any]] = [{"training_iteration": 1, "loss": value}]
    result: Any = SimpleNamespace(
        run_path=SimpleNamespace(name="run"), key="k", metrics_history=history, state=TrialState.TERMINATED
    )
    (seen,) = _observations(result, STUDY, result.state)
    assert (seen.key, seen.iteration, seen.outcome) == ("run/k", 1, Outcome.COMPLETED)
    assert seen.values == pytest.approx((as_float,), nan_ok=True)
    assert judged_float(value) == pytest.approx(as_float, nan_ok=True)
