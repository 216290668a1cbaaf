"""Studies after something went wrong: trials that failed and are run again, verdicts that got lost, slots whose fixture was lost."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from pytest_sweep.engine.controller import Controller
from pytest_sweep.engine.judging import StudyRun
from pytest_sweep.engine.study import Leg
from pytest_sweep.engine.trials import Ledger
from pytest_sweep.errors import ExecutorError
from pytest_sweep.model import Run as RunRecord
from pytest_sweep.model import Task, TrialState, commands, events
from pytest_sweep.model.search_events import TrialConfigured, TrialJudged, TrialResumed
from pytest_sweep.model.shared import SharedFixture, SharedLost, SharedReady
from pytest_sweep.model.study import GO_ON, Milestones, Observation, Resumption, Verdict, VerdictKind
from pytest_sweep.model.study import Outcome as Seen
from pytest_sweep.plugin.session.tasks import TaskMaker
from pytest_sweep.search.pbt import Pbt
from pytest_sweep.search.settings import pbt
from pytest_sweep.space.sampling import uniform
from pytest_sweep.testing.fake_executor import Outcome
from tests.support.driven import Engine, make_trials, node, only
from tests.support.searching import LOSS, STUDY, Chain, Halving, complete, in_study, make_slots, make_study
from tests.unit.test_engine_studies import Run, curve

MOST_ATTEMPTS = 20


def at_most(script: Callable[[Task], Any]) -> Callable[[Task], Any]:
    """Return the script, which fails instead of being run again and again."""
    seen: dict[tuple[str, int], None] = {}

    def limited(task: Task) -> Any:
        seen[task.trial.key, task.attempt] = None
        assert len(seen) <= MOST_ATTEMPTS, f"{task.trial.key} is run again and again"
        return script(task)

    return limited


def test_a_failed_trial_that_is_run_again() -> None:
    """A trial that had failed in the run that is resumed is judged no more: it neither pauses nor is it told to."""
    trials = in_study(make_trials(4))

    def script(task: Task) -> Outcome:
        outcome = curve(4)(task)
        fails = task.trial.config["a"] == 3
        return dataclasses.replace(outcome, state=TrialState.ERROR, error="no", reports=()) if fails else outcome

    first = Run(trials, [make_study(trials, scheduler=Halving())], script, cpu=1).run()
    assert first.last[3] is TrialState.ERROR
    again = Run(trials[3:], [make_study(trials, scheduler=Halving())], at_most(curve(4)), cpu=1)
    again.run({trials[3].key: 2}, first.decisions)
    assert again.last == [TrialState.TERMINATED]
    assert [(task.attempt, task.pause_at, task.milestones) for task in again.tasks] == [(2, None, None)]
    assert not again.all(TrialJudged)


@dataclasses.dataclass
class Between(Halving):
    """Has trials pause where nothing is judged."""

    def pause_at(self, key: str) -> int | None:  # noqa: ARG002 - the same for all
        return 3


def test_a_pause_where_nothing_is_judged() -> None:
    """An attempt that pauses where its scheduler does not judge goes on: the next one does not pause at the same place again."""
    trials = in_study(make_trials(1))
    run = Run(trials, [make_study(trials, scheduler=Between(rungs=(9,)))], at_most(curve(6)), cpu=1).run()
    assert run.last == [TrialState.TERMINATED]
    assert [(task.attempt, task.iteration, task.pause_at) for task in run.tasks] == [(1, 0, 3), (2, 3, None)]


class Stops:
    """Stops each trial at iteration 1, whose report does not wait for the verdict."""

    pauses = False

    def milestones(self, key: str) -> Milestones:  # noqa: ARG002 - the same for all
        return Milestones((1,), waits=False)

    def pause_at(self, key: str) -> int | None:  # noqa: ARG002 - likewise
        return None

    def judge(self, observation: Observation, *, can_pause: bool) -> Verdict:  # noqa: ARG002 - a protocol
        return Verdict(VerdictKind.STOP, "so it is")

    def end(self, observation: Observation) -> None: ...

    def resume(self, *, is_last: bool) -> Resumption | None:  # noqa: ARG002 - a protocol
        return None

    def dropped(self) -> dict[str, str]:
        return {}


class Judged:
    """A controller with a trial of a study that runs on its only worker."""

    def __init__(self, scheduler: Any) -> None:
        self.trials = in_study(make_trials(1))
        self.engine = Engine()
        self.engine.controller = Controller(studies=[make_study(self.trials, scheduler=scheduler)])
        self.engine.tell(events.NodesChanged((node(cpu=1),)))

    def report(self, iteration: int) -> list[commands.Tell]:
        metrics = {"training_iteration": iteration, "loss": 0.5}
        told = self.engine.tell(events.TrialReported(self.trials[0].key, 1, metrics))
        return only(commands.Tell, told)


def test_a_verdict_that_was_not_heard_is_told_again() -> None:
    """A trial that goes on after it was stopped, because nothing reached it, is told so with each further report."""
    judged = Judged(Stops())
    judged.engine.add(judged.trials)
    judged.engine.start("worker-1")
    judged.engine.begin(judged.trials[0])
    told = [judged.report(iteration) for iteration in (1, 2, 3)]
    assert [[order.verdict.kind for order in orders] for orders in told] == [[VerdictKind.STOP]] * 3
    assert [orders[0].iteration for orders in told] == [1, 2, 3]


DATA = SharedFixture("data", "data", "conftest.py", "test_models.py::train")


def test_deferred_slots_whose_fixture_is_lost() -> None:
    """A slot that waits for its searcher while a shared fixture is lost and built again is queued once, when the searcher has more."""
    slots = [dataclasses.replace(slot, shared=(DATA,)) for slot in make_slots(2)]
    ledger = Ledger()
    ledger.studies = {STUDY: StudyRun(make_study(slots, Chain()))}
    ledger.add(slots, {})

    def waiting() -> list[str]:
        return [key for queue in ledger.queues.values() for key in queue]

    ledger.note_shared(SharedReady("data"), 0.0)
    ledger.note_shared(SharedLost("data", is_built=True), 1.0)
    ledger.defer([ledger[slot.key] for slot in slots])
    ledger.note_shared(SharedReady("data"), 2.0)
    assert waiting() == []
    ledger.call_back(STUDY)
    assert waiting() == [slot.key for slot in slots]


def test_ends_that_the_engine_makes_first_have_a_time() -> None:
    """A slot that ends as CACHED before anything has run has ended now, not in 1970."""
    slots = make_slots(2)
    study = make_study(slots, Chain())
    known = {complete("", slot, Chain().ask("", slot)).point_key: {"loss": 0.5} for slot in range(2)}  # type: ignore[arg-type,union-attr]
    run = Run(slots, [dataclasses.replace(study, known=known)], curve(1), cpu=1).run()
    ends = run.all(events.TrialFinished)
    assert ends[0].state is TrialState.CACHED
    assert all(event.time > 1e9 for event in ends)


class TestDonors:
    """Which checkpoint an attempt begins with that goes on from another trial's."""

    @pytest.fixture
    @staticmethod
    def maker() -> TaskMaker:
        trials = in_study(make_trials(2))
        run = RunRecord("run", "/results/run", 1, "pytest --sweep", 1e9, "inline")
        made = TaskMaker(run, trials, storage=None, keep_checkpoints=1, remembers=False)
        made.checkpoints = {trials[1].key: ("/results/donor/checkpoints/1-000008", 8)}
        return made

    @pytest.mark.parametrize(
        ("own", "expected"),
        [
            (None, ("/results/donor/checkpoints/1-000008", 8, True)),
            ("/own/2-000004", ("/results/donor/checkpoints/1-000008", 8, True)),
            ("/own/3-000009", ("/own/3-000009", 9, False)),
        ],
    )
    def test_its_own_newer_one(self, maker: TaskMaker, own: str | None, expected: tuple[str, int, bool]) -> None:
        """What it has saved since it was paused comes first: else it would go back to what it was lent, after a resume or a crash."""
        borrower, donor = make_trials(2)
        if own is not None:
            maker.checkpoints[borrower.key] = own, int(own[-6:])
        task = maker.make(borrower.key, 4, leg=Leg(Milestones((), 4), donor=donor.key, paused_in=2))
        assert (task.checkpoint, task.iteration, task.is_lent) == expected
        assert task.keep_checkpoints == 1

    def test_a_replay_knows_the_donor(self) -> None:
        """After a resume the next attempt is told of the donor, and in which attempt the trial has paused."""
        trials = in_study(make_trials(2))
        scheduler = pbt({"a": uniform(0, 10)}, perturbation_interval=2).make(
            LOSS, 0, None, {trial.key: trial.config for trial in trials}
        )
        assert isinstance(scheduler, Pbt)
        keys = [trial.key for trial in trials]
        decisions: Sequence[events.Decision] = [
            TrialJudged(1, 1, Observation(keys[1], 2, (0.1,)), GO_ON, True, STUDY),
            TrialJudged(2, 3, Observation(keys[0], 2, (0.9,)), Verdict(VerdictKind.PAUSE, "pbt"), True, STUDY),
            TrialResumed(3, Resumption(keys[0], donor=keys[1], config={"a": 1.0}), STUDY),
        ]
        controller = Controller(studies=[make_study(trials, scheduler=scheduler)])
        controller.handle(events.TrialsAdded(tuple(trials), {keys[0]: 4}, tuple(decisions), time=1e9))
        leg = controller.studies.leg(keys[0])
        assert leg is not None
        assert (leg.donor, leg.paused_in, leg.pause_at) == (keys[1], 3, None)

    def test_a_pause_in_this_run(self) -> None:
        """In a run that is not resumed, too."""
        trials = in_study(make_trials(4))
        scheduler = pbt({"a": uniform(0, 10)}, perturbation_interval=1).make(
            LOSS, 0, None, {trial.key: trial.config for trial in trials}
        )
        run = Run(trials, [make_study(trials, scheduler=scheduler)], curve(4), cpu=4).run()
        resumed = run.all(TrialResumed)
        assert resumed
        for decision in resumed:
            paused = max(
                seen.attempt
                for seen in run.all(TrialJudged)
                if seen.key == decision.key
                and seen.number < decision.number
                and seen.verdict is not None
                and seen.verdict.kind is VerdictKind.PAUSE
            )
            course = run.loop._controller._ledger.studies[STUDY].courses[decision.key]
            assert course.paused_in >= paused


def test_what_is_stored_of_a_slot_is_told_again_once() -> None:
    """A searcher is told what was seen in the run that is resumed, once, and chooses nothing for slots that have a configuration."""
    slots = make_slots(4)
    first = Run(slots, [make_study(slots, Chain())], curve(1), cpu=1).run()
    searcher = Chain()
    known = [event for event in first.decisions if event.number <= 4]
    configured = {event.key: event.proposed for event in known if isinstance(event, TrialConfigured)}
    left = [slot for slot in slots if slot.key not in configured]
    Run(left, [make_study(slots, searcher)], curve(1), cpu=1).run(None, known)
    told = [seen.key for seen in searcher.told if seen.outcome is Seen.COMPLETED]
    assert len(told) == len(set(told)) == 4


class TestPopulations:
    """A population that is larger than the number of workers takes turns, as in Tune: who is not running keeps its place."""

    @staticmethod
    def script(length: int, *, checkpoints: bool = True) -> Callable[[Task], Outcome]:
        """Return what trials do whose losses do not depend on their configurations."""
        return curve(length, checkpoints=checkpoints, value=lambda task: int(task.trial.key, 16))

    def play(self, count: int, cpu: float, *, checkpoints: bool = True, interval: int = 2, length: int = 6) -> Run:
        trials = in_study(make_trials(count))
        settings = pbt({"a": uniform(0, 100)}, perturbation_interval=interval, quantile_fraction=0.25, max_t=length)
        scheduler = settings.make(LOSS, 0, None, {trial.key: trial.config for trial in trials})
        study = make_study(trials, scheduler=scheduler, max_t=length)
        return Run(trials, [study], at_most(self.script(length, checkpoints=checkpoints)), cpu=cpu).run()

    @pytest.mark.parametrize("cpu", [1, 2, 3])
    def test_turns(self, cpu: int) -> None:
        """With fewer workers than trials each pauses where it is judged, and nobody is two turns ahead of another one."""
        run = self.play(4, cpu)
        assert set(run.last) == {TrialState.STOPPED}
        reached = dict.fromkeys(run.trials, 0)
        for event in run.all(events.TrialReported):
            reached[event.key] = max(reached[event.key], event.metrics["training_iteration"])
            assert max(reached.values()) - min(reached.values()) <= 2 * 2
        assert set(reached.values()) == {6}

    def test_all_are_compared(self) -> None:
        """With one worker, too, the worst goes on from a checkpoint of the best: one that is not running now."""
        run = self.play(4, 1)
        resumed = run.all(TrialResumed)
        assert resumed
        assert all(one.resumption.donor and one.resumption.config for one in resumed)
        judged = [event for event in run.all(TrialJudged) if not event.observation.outcome.is_end]
        assert [event.observation.iteration for event in judged] == [2] * 4 + [4] * 4 + [6] * 4

    def test_enough_workers(self) -> None:
        """With a worker for each trial nobody pauses to make room."""
        run = self.play(3, 3)
        legs = [event for event in run.all(events.TrialFinished) if event.state is TrialState.PAUSED]
        assert len(legs) == len(run.all(TrialResumed))

    def test_without_checkpoints(self) -> None:
        """What cannot go on later runs to its end."""
        run = self.play(3, 1, checkpoints=False)
        assert [(task.attempt, task.iteration) for task in run.tasks] == [(1, 0)] * 3

    def test_others_are_not_asked_to(self) -> None:
        """Trials of a scheduler that does not take turns go on, however many wait."""
        trials = in_study(make_trials(4))
        run = Run(trials, [make_study(trials, scheduler=Halving(rungs=(9,), pauses=False))], curve(4), cpu=1).run()
        assert [(task.attempt, task.iteration) for task in run.tasks] == [(1, 0)] * 4

    @pytest.mark.parametrize("cut", range(1, 13))
    def test_a_resumed_run_is_the_same(self, cut: int) -> None:
        """With one worker, a run that goes on after any decision decides what it would have decided anyway."""
        whole = self.play(4, 1)
        known = [event for event in whole.decisions if event.number <= cut]
        trials = list(whole.trials.values())
        settings = pbt({"a": uniform(0, 100)}, perturbation_interval=2, quantile_fraction=0.25, max_t=6)
        configs = {trial.key: trial.config for trial in in_study(make_trials(4))}
        study = make_study(trials, scheduler=settings.make(LOSS, 0, None, configs), max_t=6)
        ended = {event.key for event in known if isinstance(event, TrialJudged) and event.observation.outcome.is_end}
        left = [trial for trial in in_study(make_trials(4)) if trial.key not in ended]
        changed = {event.key: event.resumption for event in known if isinstance(event, TrialResumed)}
        left = [
            dataclasses.replace(trial, config=changed[trial.key].config or {}) if trial.key in changed else trial
            for trial in left
        ]
        reached: dict[str, int] = {}
        for event in known:
            if isinstance(event, TrialJudged):
                reached[event.key] = event.observation.iteration
        run = Run(left, [study], at_most(self.script(6)), cpu=1)
        run.checkpoints = reached
        run.run(dict.fromkeys(reached, 2 + cut), known)
        both = [
            [
                (event.number, event.key, getattr(event, "observation", None), getattr(event, "resumption", None))
                for event in its
            ]
            for its in ([*known, *run.decisions], whole.decisions)
        ]
        assert both[0] == both[1]


@dataclasses.dataclass
class Broken(Halving):
    """Fails in one of its methods: raises, or answers something else."""

    method: str = "judge"
    raises: bool = True

    def __getattribute__(self, name: str) -> Any:
        if name == object.__getattribute__(self, "method"):
            return self.fail
        return object.__getattribute__(self, name)

    def fail(self, *_: object, **__: object) -> Any:
        if self.raises:
            raise ZeroDivisionError("by the test")
        return 3


@pytest.mark.parametrize("raises", [True, False])
@pytest.mark.parametrize("method", ["judge", "resume", "dropped", "milestones", "pause_at"])
def test_a_scheduler_that_fails(method: str, raises: bool) -> None:
    """What a scheduler raises, or answers of another class, ends the run with a sentence and its traceback; what there is is kept."""
    if method == "pause_at" and not raises:
        return  # 3 is an iteration.
    trials = in_study(make_trials(4))
    run = Run(trials, [make_study(trials, scheduler=Broken(method=method, raises=raises))], curve(4), cpu=1)
    with pytest.raises(ExecutorError) as caught:
        run.run()
    first, _, rest = str(caught.value).partition("\n\n")
    assert first.startswith(
        f"the scheduler of train has failed in {method}(): {'ZeroDivision' if raises else 'Type'}Error: "
    )
    assert rest.startswith("Traceback (most recent call last):")
    run.loop.abort("it ends")
    assert all(ends for ends in run.ends.values())
    reports = run.all(events.TrialReported)
    assert len(reports) == len({(event.key, event.attempt, event.metrics["training_iteration"]) for event in reports})
