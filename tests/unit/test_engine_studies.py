"""Trials are chosen and judged while the run goes on: late, in order, once, and whatever dies."""

from __future__ import annotations

import dataclasses
import math
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from pytest_sweep.engine.loop import Loop
from pytest_sweep.engine.policy import Policy
from pytest_sweep.engine.study import Leg, Study
from pytest_sweep.errors import ExecutorError
from pytest_sweep.model import Sweep, Task, Trial, TrialState, commands, events
from pytest_sweep.model.search_events import StudyNoted, TrialConfigured, TrialJudged, TrialResumed
from pytest_sweep.model.study import Observation, VerdictKind
from pytest_sweep.model.study import Outcome as Seen
from pytest_sweep.search.protocols import Values, Wait
from pytest_sweep.testing.fake_executor import FakeExecutor, Outcome
from pytest_sweep.testing.samples import SWEEP
from tests.support.driven import make_trials, node
from tests.support.searching import Chain, Halving, complete, in_study, make_slots, make_study
from tests.unit.test_engine_loop import Audience


class Run:
    """A run of the loop over studies, on a fake executor, with a task maker as the session has one."""

    def __init__(
        self,
        trials: Sequence[Trial],
        studies: Sequence[Study],
        script: Any,
        *,
        cpu: float = 2,
        policy: Policy | None = None,
    ) -> None:
        self.trials = {trial.key: trial for trial in trials}
        self.checkpoints: dict[str, int] = {}
        self.fake = FakeExecutor([node(cpu=cpu)], script)
        self.audience = Audience()
        self.tasks: list[Task] = []
        self.audience.on_persist = self.note
        self.loop = Loop(self.fake, self.audience, policy or Policy(), self.task, studies)

    def note(self, event: events.Accepted) -> None:
        if isinstance(event, TrialConfigured):
            self.trials[event.key] = event.proposed.applied_to(self.trials[event.key])
        elif isinstance(event, events.TrialReported) and event.checkpoint is not None:
            self.checkpoints[event.key] = event.metrics["training_iteration"]

    def task(self, key: str, attempt: int, lease: int = 0, leg: Leg | None = None) -> Task:
        iteration = self.checkpoints.get(key, 0)
        task = Task(
            self.trials[key],
            attempt,
            f"/results/{key}",
            f"/results/{key}/{iteration}" if iteration else None,
            iteration,
            lease=lease,
            milestones=None if leg is None else leg.milestones,
            pause_at=None if leg is None else leg.pause_at,
        )
        self.tasks.append(task)
        return task

    def run(self, attempts: Any = None, decisions: Sequence[events.Decision] = ()) -> Run:
        self.loop.run(list(self.trials.values()), attempts, decisions)
        return self

    def all(self, kind: Any) -> list[Any]:
        return [event for event in self.audience.stored if isinstance(event, kind)]

    @property
    def decisions(self) -> list[events.Decision]:
        return self.all((TrialConfigured, TrialJudged, TrialResumed))

    @property
    def ends(self) -> dict[str, list[TrialState]]:
        """How each trial has ended: the states of its attempts, but for those that were tried again."""
        ends: dict[str, list[TrialState]] = {key: [] for key in self.trials}
        for event in self.audience.stored:
            if isinstance(event, events.TrialFinished):
                ends[event.key].append(event.state)
            elif isinstance(event, events.TrialInterrupted):
                ends[event.key].append(TrialState.INTERRUPTED)
            elif isinstance(event, events.TrialNotRun):
                ends[event.key].append(TrialState.NOT_RUN)
        return ends

    @property
    def last(self) -> list[TrialState]:
        return [states[-1] for states in self.ends.values()]


def curve(
    length: int, *, checkpoints: bool = True, value: Callable[[Task], Any] | None = None
) -> Callable[[Task], Outcome]:
    """Return what a trial does that reports its own loss, `length` times, and goes on from its checkpoint."""

    def script(task: Task) -> Outcome:
        x = task.trial.config.get("x", task.trial.config.get("a", 0))
        loss = value(task) if value is not None else x
        return Outcome(reports=[{"loss": loss}] * (length - task.iteration), checkpoints=checkpoints)

    return script


class TestSlots:
    def test_slots_get_their_configurations_late(self) -> None:
        """Each slot is configured once, before it runs, and what runs is its configuration."""
        slots, searcher = make_slots(10), Chain()
        run = Run(slots, [make_study(slots, searcher)], curve(1)).run()
        assert Counter(event.key for event in run.all(TrialConfigured)) == Counter(trial.key for trial in slots)
        assert set(run.last) == {TrialState.TERMINATED}
        assert all(task.trial.config and task.trial.point_key for task in run.tasks)
        assert all(task.milestones is None for task in run.tasks)

    def test_no_more_are_asked_for_than_workers_are_idle(self) -> None:
        """With one worker a configuration is asked for when the result before it was told, never ahead."""
        slots, order = make_slots(6), list[str]()

        class Ordered(Chain):
            def ask(self, key: str, slot: int) -> Any:
                order.append("ask")
                return super().ask(key, slot)

            def tell(self, observation: Observation) -> None:
                order.append("tell")
                super().tell(observation)

        Run(slots, [make_study(slots, Ordered())], curve(1), cpu=1).run()
        assert order == ["ask", "tell"] * 6

    def test_one_worker_is_repeatable(self) -> None:
        """With one worker two runs make the same decisions, with the same numbers."""
        runs = []
        for _ in range(2):
            slots = make_slots(12)
            runs.append(Run(slots, [make_study(slots, Chain(), Halving())], curve(4), cpu=1).run())
        assert runs[0].decisions == runs[1].decisions
        assert [decision.number for decision in runs[0].decisions] == list(range(1, len(runs[0].decisions) + 1))

    def test_a_searcher_that_waits_is_asked_after_the_next_result(self) -> None:
        """A searcher that wants results of a whole batch first gets them, and all slots are run."""
        slots, searcher = make_slots(9), Chain(batch=3)
        run = Run(slots, [make_study(slots, searcher)], curve(1), cpu=4).run()
        assert set(run.last) == {TrialState.TERMINATED}

    def test_others_run_while_a_searcher_waits(self) -> None:
        """Workers do not idle for a searcher that waits where other trials could run."""
        slots, searcher = make_slots(2), Chain(batch=1)
        others = make_trials(4, sweep=Sweep("test_b.py::other", "other"), first=100)
        run = Run([*slots, *others], [make_study(slots, searcher)], curve(1), cpu=2).run()
        assert set(run.last) == {TrialState.TERMINATED}

    def test_a_searcher_that_waits_for_nothing(self) -> None:
        """Slots of a searcher that waits for results though none can come are skipped: the run does not hang."""
        slots = make_slots(3)

        class Waiting(Chain):
            def ask(self, key: str, slot: int) -> Any:
                return super().ask(key, slot) if slot == 0 else Wait()

        run = Run(slots, [make_study(slots, Waiting())], curve(1)).run()
        assert run.last == [TrialState.TERMINATED, TrialState.SKIPPED, TrialState.SKIPPED]
        assert "no trial is left" in run.all(events.TrialFinished)[-1].error

    def test_a_searcher_that_is_done(self) -> None:
        """The slots that a searcher does not need are SKIPPED with its reason; they were not begun."""
        slots = make_slots(5)
        run = Run(slots, [make_study(slots, Chain(most=2))], curve(1)).run()
        assert run.last == [TrialState.TERMINATED] * 2 + [TrialState.SKIPPED] * 3
        skipped = [event for event in run.all(events.TrialFinished) if event.state is TrialState.SKIPPED]
        assert {(event.error, event.attempt) for event in skipped} == {("all is found", 0)}

    @pytest.mark.parametrize("cpu", [1, 3])
    @pytest.mark.parametrize("is_searched", [False, True])
    @pytest.mark.parametrize("ends", ["done", "waits"])
    def test_others_run_when_a_searcher_has_ended(self, ends: str, is_searched: bool, cpu: int) -> None:
        """The workers that idled for a searcher that needs no more slots take the trials that wait behind them."""
        other = Sweep("test_b.py::other", "other")
        slots = make_slots(8)
        others = make_slots(3, other, first=100) if is_searched else make_trials(3, sweep=other, first=100)

        class Waiting(Chain):
            def ask(self, key: str, slot: int) -> Any:
                return super().ask(key, slot) if slot < 2 else Wait()

        studies = [make_study(slots, Chain(most=2) if ends == "done" else Waiting())]
        if is_searched:
            studies.append(make_study(others, Chain()))
        run = Run([*slots, *others], studies, curve(1), cpu=cpu)
        ticks = iter(range(500))
        run.audience.tick = lambda: next(ticks)  # type: ignore[method-assign, assignment]
        run.run()
        assert run.last == [TrialState.TERMINATED] * 2 + [TrialState.SKIPPED] * 6 + [TrialState.TERMINATED] * 3

    def test_a_searcher_that_raises(self) -> None:
        """An exception of a searcher ends the run with its traceback; what has run is kept."""
        slots = make_slots(5)

        class Broken(Chain):
            def ask(self, key: str, slot: int) -> Any:
                if slot == 2:
                    raise ValueError("no idea")
                return super().ask(key, slot)

        run = Run(slots, [make_study(slots, Broken())], curve(1), cpu=1)
        with pytest.raises(
            ExecutorError, match=r"(?s)searcher of train has failed.*ValueError: no idea\n.*Traceback.*in ask"
        ):
            run.run()
        assert [states for states in run.ends.values() if states] == [[TrialState.TERMINATED]] * 2
        run.loop.abort("over")
        assert run.last[2:] == [TrialState.NOT_RUN] * 3

    def test_what_raises_when_it_is_told_the_last_result(self) -> None:
        """Also what a searcher raises at the very end is seen."""
        slots = make_slots(1)

        class Broken(Chain):
            def tell(self, observation: Observation) -> None:  # noqa: ARG002 - whatever it is
                raise SystemExit("no")

        with pytest.raises(ExecutorError, match="told a result: SystemExit: no"):
            Run(slots, [make_study(slots, Broken())], curve(1)).run()

    def test_forbidden_configurations(self) -> None:
        """A searcher is asked again where its proposal is forbidden, a hundred times at the most."""
        slots = make_slots(2)
        refusals = 0

        def refuse(key: str, slot: int, values: Values, refused: int) -> Any:
            nonlocal refusals
            assert refused == refusals % 4
            refusals += 1
            return complete(key, slot, values) if refused == 3 else None

        study = dataclasses.replace(make_study(slots, Chain()), complete=refuse)
        run = Run(slots, [study], curve(1), cpu=1).run()
        assert set(run.last) == {TrialState.TERMINATED}
        assert refusals == 8
        study = dataclasses.replace(make_study(slots, Chain()), complete=lambda *_: None)
        with pytest.raises(ExecutorError, match="where= of train has refused 100 configurations"):
            Run(slots, [study], curve(1)).run()

    def test_a_searcher_that_hangs(self) -> None:
        """A run that is cut off does not wait for its searcher."""
        slots, hangs = make_slots(2), threading.Event()

        class Hanging(Chain):
            def ask(self, key: str, slot: int) -> Any:
                hangs.wait(60)
                return super().ask(key, slot)

        run = Run(slots, [make_study(slots, Hanging())], curve(1))
        ticks = iter(range(20))

        def tick() -> None:
            if next(ticks, None) is None:
                raise KeyboardInterrupt

        run.audience.tick = tick  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            run.run()
        run.loop.abort("interrupted")
        hangs.set()
        assert run.last == [TrialState.NOT_RUN] * 2

    def test_only_failing_points(self) -> None:
        """A searcher that proposes only what fails alike ends its sweep after the usual number of failures."""
        slots = make_slots(50)
        script = lambda task: Outcome(TrialState.ERROR, error="ValueError: bad")  # noqa: E731
        run = Run(slots, [make_study(slots, Chain())], script, policy=Policy(abort_after=5)).run()
        assert Counter(run.last)[TrialState.ERROR] < 10
        assert set(run.last) == {TrialState.ERROR, TrialState.NOT_RUN}


class TestJudging:
    def test_the_worse_are_stopped(self) -> None:
        """Without checkpoints trials are stopped at milestones, with the verdict's reason, and people are told once that none pauses."""
        trials = in_study(make_trials(8))
        run = Run(trials, [make_study(trials, scheduler=Halving())], curve(4, checkpoints=False), cpu=1).run()
        assert run.last[0] is TrialState.TERMINATED
        assert run.last[-1] is TrialState.STOPPED
        verdicts = [
            its.verdict.kind for its in run.all(TrialJudged) if its.verdict and not its.observation.outcome.is_end
        ]
        assert VerdictKind.STOP in verdicts
        assert VerdictKind.PAUSE not in verdicts
        assert len(run.all(StudyNoted)) == 1
        stopped = [its for its in run.all(TrialJudged) if its.observation.outcome is Seen.STOPPED]
        assert stopped
        assert all(its.verdict.kind is VerdictKind.STOP and "halving" in its.verdict.reason for its in stopped)

    def test_promotion(self) -> None:
        """With checkpoints trials pause at rungs; the better half goes on from its checkpoint, and the rest ends as STOPPED."""
        trials = in_study(make_trials(8))
        scheduler = Halving()
        run = Run(trials, [make_study(trials, scheduler=scheduler)], curve(4), cpu=2).run()
        assert Counter(run.last) == {TrialState.STOPPED: 7, TrialState.TERMINATED: 1}
        assert run.ends[trials[0].key] == [TrialState.PAUSED] * 3 + [TrialState.TERMINATED]
        legs = [(task.attempt, task.iteration, task.pause_at) for task in run.tasks if task.trial.key == trials[0].key]
        assert legs == [(1, 0, 1), (2, 1, 2), (3, 2, 4), (4, 4, None)]
        assert not run.all(events.TrialRetried)
        assert len(scheduler.judged) == len(set(scheduler.judged))
        assert {event.error for event in run.all(events.TrialFinished) if event.state is TrialState.STOPPED} == {
            "halving: not among the better half"
        }

    def test_decisions_are_stored_before_orders(self) -> None:
        """What a scheduler decides is stored with the report that it judged."""
        trials = in_study(make_trials(4))
        run = Run(trials, [make_study(trials, scheduler=Halving())], curve(4), cpu=1).run()
        stored = run.audience.stored
        for number, event in enumerate(stored):
            if isinstance(event, TrialJudged) and not event.observation.outcome.is_end:
                assert isinstance(stored[number - 1], events.TrialReported)

    def test_failures_are_told_after_their_retries(self) -> None:
        """An error is told once the retries are used up: a retry is no observation, and a leg is no retry."""
        sweep = dataclasses.replace(SWEEP, retries=1)
        trials = in_study(make_trials(2, sweep=sweep))

        def script(task: Task) -> Outcome:
            if task.trial.config["a"] == 1:
                return Outcome(TrialState.ERROR, error=f"ValueError: {task.attempt}")
            return curve(4)(task)

        run = Run(trials, [make_study(trials, scheduler=Halving())], script, cpu=1).run()
        failed = [its for its in run.all(TrialJudged) if its.observation.outcome is Seen.FAILED]
        assert len(failed) == 1
        assert len(run.all(events.TrialRetried)) == 1
        assert math.isnan(failed[0].observation.values[0])

    def test_a_metric_that_is_missing(self) -> None:
        """A trial that has not reported its metric at a rung is judged at the next report that has it; people are told once."""
        trials = in_study(make_trials(3))

        def script(task: Task) -> Outcome:
            loss = task.trial.config["a"]
            return Outcome(reports=[{"other": 1}, {"loss": loss}, {"loss": loss}, {"loss": loss}])

        scheduler = Halving(pauses=False)
        run = Run(trials, [make_study(trials, scheduler=scheduler)], script, cpu=1).run()
        assert scheduler.judged[:2] == [(trials[0].key, 1), (trials[0].key, 2)]
        assert len(run.all(StudyNoted)) == 1

    def test_nan_is_judged(self) -> None:
        """A value that is NaN is judged at once: as the worst."""
        trials = in_study(make_trials(2))
        script = curve(4, checkpoints=False, value=lambda task: math.nan if task.trial.config["a"] else 1.0)
        run = Run(trials, [make_study(trials, scheduler=Halving(pauses=False))], script, cpu=1).run()
        assert run.last == [TrialState.TERMINATED, TrialState.STOPPED]

    def test_a_stop_rule_completes_a_trial(self) -> None:
        """A trial that meets a stop rule of its own is complete, for searcher and scheduler."""
        slots, searcher = make_slots(1), Chain()
        script = lambda task: Outcome(TrialState.STOPPED, reports=[{"loss": 1.0}])  # noqa: E731
        run = Run(slots, [make_study(slots, searcher)], script).run()
        assert run.last == [TrialState.STOPPED]
        assert [seen.outcome for seen in searcher.told] == [Seen.COMPLETED]

    def test_the_end_of_the_longest_training_completes_a_trial(self) -> None:
        """A trial that its scheduler ends at max_t is complete."""
        slots, searcher = make_slots(2), Chain()
        study = make_study(slots, searcher, Halving(rungs=(3,), pauses=False), max_t=3)
        Run(slots, [study], curve(9, checkpoints=False, value=lambda task: task.trial.slot), cpu=1).run()
        ends = [seen for seen in searcher.told if seen.outcome.is_end]
        assert [seen.outcome for seen in ends] == [Seen.COMPLETED] * 2
        assert ends[1].iteration == 3

    def test_slots_are_judged(self) -> None:
        """Searcher and scheduler work together: milestones are told to the searcher, and ends, each once."""
        slots, searcher, scheduler = make_slots(12), Chain(), Halving()
        run = Run(slots, [make_study(slots, searcher, scheduler)], curve(4), cpu=3).run()
        assert set(run.last) <= {TrialState.STOPPED, TrialState.TERMINATED}
        told = Counter((seen.key, seen.iteration, seen.outcome) for seen in searcher.told)
        assert max(told.values()) == 1
        assert searcher.told == [its.observation for its in run.all(TrialJudged)]


class TestFaults:
    def test_a_worker_dies_at_a_rung(self) -> None:
        """A trial whose worker dies behind a rung is tried again; the rung is not judged again, and gets the same verdict."""
        trials, died = in_study(make_trials(4)), set[str]()

        def script(task: Task) -> Outcome:
            outcome = curve(4, checkpoints=False)(task)
            if task.attempt == 1 and task.trial.config["a"] == 0:
                return dataclasses.replace(outcome, reports=outcome.reports[:3], dies="killed by the test")
            return outcome

        scheduler = Halving(pauses=False)
        run = Run(trials, [make_study(trials, scheduler=scheduler)], script, cpu=1).run()
        assert len(run.all(events.TrialRetried)) == 1
        assert len(scheduler.judged) == len(set(scheduler.judged))
        assert run.last[0] is TrialState.TERMINATED
        assert not died

    def test_a_worker_dies_while_it_pauses(self) -> None:
        """A trial whose worker dies after the report at which it pauses stays paused: it goes on when it is promoted."""
        trials = in_study(make_trials(4))

        def script(task: Task) -> Outcome | list[events.Event]:
            if task.attempt == 1 and task.trial.config["a"] == 0:
                report = events.TrialReported(
                    task.trial.key, 1, {"training_iteration": 1, "loss": 0}, "/results/1", lease=task.lease
                )
                return [report, events.WorkerDied("worker-1", "killed", 100.0)]
            return curve(4)(task)

        scheduler = Halving()
        run = Run(trials, [make_study(trials, scheduler=scheduler)], script, cpu=1)
        fake = run.fake
        original = fake.events

        def happened(timeout: float) -> Sequence[events.Event]:
            found = original(timeout)
            for event in found:
                if isinstance(event, events.WorkerDied):
                    worker = fake.workers[event.worker]
                    worker.waiting.clear()
                    worker.is_alive, worker.polls_left, worker.running, worker.polls_to_start = False, None, None, 0
            return [
                event
                for event in found
                if not (isinstance(event, events.BatchDone) and not fake.workers[event.worker].is_alive)
            ]

        fake.events = happened  # type: ignore[method-assign]
        run.run()
        assert len(scheduler.judged) == len(set(scheduler.judged))
        tasks = [(task.attempt, task.iteration) for task in run.tasks if task.trial.key == trials[0].key]
        assert tasks == [(1, 0), (2, 1), (3, 2)]
        assert len(run.all(events.TrialRetried)) == 1

    def test_the_budget_ends_with_paused_trials(self) -> None:
        """What is paused when the budget is spent is INTERRUPTED, since it can go on later."""
        trials = in_study(make_trials(6))
        run = Run(
            trials, [make_study(trials, scheduler=Halving())], curve(4), cpu=1, policy=Policy(budget=1e9, grace=1e9)
        )
        paused = iter(range(3))

        def spend(event: events.Accepted) -> None:
            run.note(event)
            if (
                isinstance(event, events.TrialFinished)
                and event.state is TrialState.PAUSED
                and next(paused, None) is None
            ):
                run.loop._controller._endings.close(1e10, 0.0)

        run.audience.on_persist = spend
        run.run()
        assert TrialState.INTERRUPTED in run.last
        assert set(run.last) <= {TrialState.INTERRUPTED, TrialState.NOT_RUN, TrialState.TERMINATED}
        cut = run.all(events.TrialInterrupted)
        assert all(event.metrics is not None for event in cut)

    def test_fresh_processes(self) -> None:
        """A sweep whose trials get processes of their own is searched and halved all the same."""
        slots = make_slots(6, dataclasses.replace(SWEEP, fresh_process=True))
        run = Run(slots, [make_study(slots, Chain(), Halving())], curve(4), cpu=2).run()
        assert set(run.last) <= {TrialState.STOPPED, TrialState.TERMINATED}


class TestRunsWithoutStudies:
    def test_nothing_is_started(self) -> None:
        """A run without studies has no thread for searchers."""
        before = threading.active_count()
        run = Run(make_trials(3), [], lambda task: Outcome(final={"a": 1}))
        run.run()
        assert threading.active_count() == before
        assert not [c for c in run.fake.commands if isinstance(c, commands.Tell)]
