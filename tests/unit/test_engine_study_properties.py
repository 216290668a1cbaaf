"""Whatever happens in whatever order: no slot is judged twice, none that is paused is forgotten, and replaying gives the same state.

Hypothesis plays the executor, the searchers' thread and the driver that is killed and resumed: workers die, say things late, and the
driver takes what they say in portions.
"""

from __future__ import annotations

import copy
import dataclasses
import os
from collections import Counter, deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pytest_sweep.engine.controller import Controller
from pytest_sweep.engine.policy import Policy
from pytest_sweep.engine.study import Study
from pytest_sweep.model import Resources, Sweep, Trial, TrialState, commands, events
from pytest_sweep.model.search_events import TrialConfigured, TrialJudged, TrialResumed
from pytest_sweep.model.study import VerdictKind
from pytest_sweep.search.protocols import Done, Wait
from tests.support.driven import node
from tests.support.searching import Chain, Halving, complete, make_slots, make_study

EXAMPLES = int(os.environ.get("HYPOTHESIS_MAX_EXAMPLES", "40"))
NODES = (node(1, 2), node(2, 2))
LENGTH = 5
"""At which iteration the body of a trial ends by itself."""


@dataclasses.dataclass
class Attempt:
    """What a worker runs: as much of it as the engine was told is in `said`."""

    key: str
    attempt: int
    lease: int
    iteration: int
    pause_at: int | None
    milestones: tuple[int, ...]
    verdict: VerdictKind | None = None
    awaits: int = 0
    has_begun: bool = False


@dataclasses.dataclass
class Process:
    """A worker."""

    resources: Resources
    nodes: tuple[str, ...]
    is_ready: bool = False
    is_stopping: bool = False
    is_dead: bool = False
    lease: int = 0
    attempt: Attempt | None = None


class StudyMachine(RuleBasedStateMachine):
    """A controller with one or two studies, all around it played."""

    @initialize(
        count=st.integers(1, 12),
        batch=st.sampled_from([0, 0, 3]),
        most=st.sampled_from([None, None, 5]),
        pauses=st.booleans(),
        saves=st.booleans(),
        fresh=st.booleans(),
        known=st.booleans(),
    )
    def begin(
        self, count: int, batch: int, most: int | None, pauses: bool, saves: bool, fresh: bool, known: bool
    ) -> None:
        sweep = Sweep("test_a.py::train", "train", retries=1, fresh_process=fresh)
        self.slots = make_slots(count, sweep)
        if known:  # A grid with a scheduler.
            self.slots = [dataclasses.replace(its, slot=None, config={"x": n / 10}) for n, its in enumerate(self.slots)]
        self.saves = saves
        self.made_as = (known, batch, most, pauses)
        self.stored: list[events.Accepted] = []
        self.decisions: list[events.Decision] = []
        self.checkpoints: dict[str, int] = {}
        self.trials = {trial.key: trial for trial in self.slots}
        self.attempts: dict[str, int] = {}
        self.ended: dict[str, TrialState] = {}
        self.now = 0.0
        self.start()

    def fresh_study(self) -> tuple[Chain | None, Halving]:
        """Return a searcher and a scheduler that know nothing yet."""
        known, batch, most, pauses = self.made_as
        return None if known else Chain(batch, most), Halving(pauses=pauses)

    def start(self) -> None:
        """Begin a session: the first one, or one that resumes."""
        searcher, scheduler = self.fresh_study()
        self.searcher, self.scheduler = searcher, scheduler
        self.study: Study = make_study(self.slots, searcher, scheduler)
        self.controller = Controller(Policy(abort_after=0), studies=[self.study])
        self.processes: dict[str, Process] = {}
        self.orders: deque[commands.SearchCommand] = deque()
        self.late: list[events.Event] = []
        to_run = tuple(trial for key, trial in self.trials.items() if key not in self.ended)
        self.tell(events.Tick(self.now))
        self.tell(events.NodesChanged(NODES))
        attempts = {key: number + 1 for key, number in self.attempts.items()}
        self.tell(events.TrialsAdded(to_run, attempts, tuple(self.decisions)))

    # The driver

    def tell(self, event: events.Event) -> None:
        decided = self.controller.handle(event)
        for command in decided:
            if isinstance(command, commands.Record):
                self.note(command.event)
        for command in decided:
            self.obey(command)

    def note(self, event: events.Accepted) -> None:
        self.stored.append(event)
        if isinstance(event, (TrialConfigured, TrialJudged, TrialResumed)):
            assert not self.decisions or event.number == self.decisions[-1].number + 1
            self.decisions.append(event)
        if isinstance(event, TrialConfigured):
            assert self.trials[event.key].is_blank, "a slot was configured twice"
            self.trials[event.key] = event.proposed.applied_to(self.trials[event.key])
        elif isinstance(event, events.TrialStarted):
            self.attempts[event.key] = event.attempt
        elif isinstance(event, events.TrialReported) and event.checkpoint is not None:
            self.checkpoints[event.key] = event.metrics["training_iteration"]
        elif isinstance(event, events.TrialFinished) and event.state is not TrialState.PAUSED:
            assert event.key not in self.ended, "a trial has ended twice"
            self.ended[event.key] = event.state
        elif isinstance(event, TrialJudged) and not event.observation.outcome.is_end:
            judged = Counter((its.key, its.observation.iteration) for its in self.judgements)
            assert judged[event.key, event.observation.iteration] == 1, "a rung was judged twice"

    @property
    def judgements(self) -> list[TrialJudged]:
        return [its for its in self.decisions if isinstance(its, TrialJudged) and not its.observation.outcome.is_end]

    def obey(self, command: commands.Command) -> None:
        if isinstance(command, (commands.Propose, commands.Inform, commands.Recall)):
            self.orders.append(command)
        elif isinstance(command, commands.StartWorker):
            self.processes[command.worker] = Process(command.resources, command.nodes)
        elif isinstance(command, commands.Tell):
            its = self.processes[command.worker].attempt
            if its is not None and (its.key, its.attempt, its.lease) == (command.key, command.attempt, command.lease):
                its.verdict = command.verdict.kind
                its.awaits = 0 if its.awaits == command.iteration else its.awaits
        elif isinstance(command, (commands.StopWorker, commands.KillWorker)):  # Killed where it does not stop in time.
            self.processes[command.worker].is_stopping = True
        elif isinstance(command, commands.RestartWorker):
            process = self.processes[command.worker]
            assert process.attempt is None
            process.is_ready = process.is_dead = False
        elif isinstance(command, commands.RunTrials):
            self.hand(command)
        else:
            assert isinstance(command, commands.Record), command

    def hand(self, command: commands.RunTrials) -> None:
        process = self.processes[command.worker]
        assert process.is_ready
        assert process.attempt is None
        ((key, attempt),) = command.trials
        assert key not in self.ended
        assert not self.trials[key].is_blank, "a slot has no configuration"
        leg = self.controller.studies.leg(key)
        assert leg is not None
        process.lease = command.lease
        if process.is_dead:
            return
        its = Attempt(
            key,
            attempt,
            command.lease,
            self.checkpoints.get(key, 0),
            leg.pause_at,
            leg.milestones.at if leg.milestones else (),
        )
        assert its.pause_at is None or its.pause_at > its.iteration, "it would pause where it is"
        process.attempt = its

    # What happens

    @property
    def running(self) -> list[str]:
        return [name for name, process in self.processes.items() if process.attempt is not None]

    @precondition(
        lambda self: any(not p.is_ready and not p.is_stopping and not p.is_dead for p in self.processes.values())
    )
    @rule(data=st.data())
    def worker_starts(self, data: st.DataObject) -> None:
        names = [n for n, p in self.processes.items() if not p.is_ready and not p.is_stopping and not p.is_dead]
        name = data.draw(st.sampled_from(names))
        self.processes[name].is_ready = True
        self.tell(events.WorkerStarted(name, "here", self.processes[name].nodes))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def work(self, data: st.DataObject) -> None:
        self.step(data.draw(st.sampled_from(self.running)))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.running))
        its = self.processes[name].attempt
        assert its is not None
        if its.has_begun:
            self.finish(name, TrialState.ERROR)

    def step(self, name: str) -> None:
        """Let a trial begin, report once, obey, or end."""
        its = self.processes[name].attempt
        assert its is not None
        if not its.has_begun:
            its.has_begun = True
            self.say(events.TrialStarted(its.key, its.attempt, 1e9 + self.now, "here", lease=its.lease))
        elif its.awaits == -1 or its.verdict is VerdictKind.PAUSE:
            self.finish(name, TrialState.PAUSED)
        elif its.verdict is VerdictKind.STOP:
            self.finish(name, TrialState.STOPPED)
        elif its.iteration >= LENGTH:
            self.finish(name, TrialState.TERMINATED)
        else:
            its.iteration += 1
            metrics = {
                "training_iteration": its.iteration,
                "loss": self.trials[its.key].config["x"] + 1 / its.iteration,
            }
            saved = f"/results/{its.key}/{its.iteration}" if self.saves else None
            if its.iteration in its.milestones:
                its.awaits = its.iteration
            self.say(events.TrialReported(its.key, its.attempt, metrics, saved, lease=its.lease))
            if its.iteration == its.pause_at and saved is not None and self.processes[name].attempt is its:
                its.awaits = -1  # It tears its fixtures down, and then ends.

    @precondition(lambda self: any(p.attempt is not None and p.attempt.awaits == -1 for p in self.processes.values()))
    @rule()
    def pause(self) -> None:
        for name, process in list(self.processes.items()):
            if process.attempt is not None and process.attempt.awaits == -1:
                self.finish(name, TrialState.PAUSED)

    def finish(self, name: str, state: TrialState) -> None:
        process = self.processes[name]
        its = process.attempt
        assert its is not None
        if its.awaits == -1 and state is not TrialState.ERROR:
            state = TrialState.PAUSED
        process.attempt = None
        error = "ValueError: x" if state is TrialState.ERROR else None
        self.say(events.TrialFinished(its.key, its.attempt, state, None, error, 0.1, 1e9 + self.now, lease=its.lease))
        self.say(events.BatchDone(name, its.lease))

    def say(self, event: events.Event) -> None:
        self.late.append(event)
        self.tell(event)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        """A worker dies; its trial is tried again once, and once more."""
        name = data.draw(st.sampled_from(self.running))
        process = self.processes[name]
        process.attempt, process.is_ready, process.is_dead = None, False, True
        self.tell(events.WorkerDied(name, "killed", 1e9 + self.now))

    @precondition(lambda self: self.late)
    @rule(data=st.data())
    def hear_again(self, data: st.DataObject) -> None:
        """What was said before is not taken a second time where its hand-out is over."""
        event = data.draw(st.sampled_from(self.late))
        current = {(p.attempt.key, p.attempt.attempt) for p in self.processes.values() if p.attempt is not None}
        if isinstance(event, events.BatchDone):
            if all(p.attempt is None or p.lease != event.lease for p in self.processes.values()):
                assert self.controller.handle(event) == []
        elif isinstance(event, events.TrialEvent) and (event.key, event.attempt) not in current:
            assert self.controller.handle(event) == []

    @precondition(lambda self: any(p.is_stopping for p in self.processes.values()))
    @rule()
    def stop(self) -> None:
        for name in [name for name, process in self.processes.items() if process.is_stopping]:
            del self.processes[name]
            self.tell(events.WorkerStopped(name))

    @precondition(lambda self: self.orders)
    @rule()
    def answer(self) -> None:
        """The searcher takes the oldest order."""
        command, searcher = self.orders.popleft(), self.searcher
        assert searcher is not None
        if isinstance(command, commands.Inform):
            searcher.tell(command.observation)
            return
        values = searcher.ask(command.key, command.slot)
        if isinstance(command, commands.Recall):
            assert values == command.values, "the searcher has not the state that it had"
        elif isinstance(values, Wait):
            self.tell(events.ProposalDeferred(command.key, command.study))
        elif isinstance(values, Done):
            self.tell(events.ProposalsEnded(command.study, values.reason))
        else:
            proposed = complete(command.key, command.slot, values)
            assert proposed is not None
            self.tell(dataclasses.replace(proposed, slot=command.slot))

    @rule(seconds=st.sampled_from([0.2, 31.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.tell(events.Advanced(self.now))
        self.tell(events.Tick(self.now))

    @rule()
    def kill_and_resume(self) -> None:
        """The driver is killed, and resumed: what it knew of the study is what the stored decisions say."""
        before = self.scheduler
        searcher, again = self.fresh_study()
        study = make_study(self.slots, searcher, again)
        Controller(studies=[study]).handle(events.TrialsAdded((), {}, tuple(self.decisions)))
        assert again.values == before.values
        assert again.over == before.over
        assert {key for keys in again.promoted.values() for key in keys} == {
            key for keys in before.promoted.values() for key in keys
        }
        self.start()

    # What holds

    @invariant()
    def no_node_holds_more_than_it_has(self) -> None:
        for machine in NODES:
            held = Resources(cpu=0.0)
            for process in self.processes.values():
                held = held.plus(process.resources.times(process.nodes.count(machine.id)))
            assert held.fits(machine.resources)

    @invariant()
    def what_waits_is_explained(self) -> None:
        waiting = self.controller.waiting()
        keys = [key for key in self.trials if key not in self.ended]
        why = [wait.why for key in keys if (wait := waiting.of(key)) is not None]
        assert all(why)
        assert sum(group.trials for group in waiting.groups) == len(why)

    @invariant()
    def who_is_paused_is_not_running(self) -> None:
        attempts = [process.attempt for process in self.processes.values() if process.attempt is not None]
        running = {its.key for its in attempts if its.awaits != -1 and its.verdict is not VerdictKind.PAUSE}
        paused = {key for run in self.controller._ledger.studies.values() for key in run.paused}
        assert running.isdisjoint(paused)

    def teardown(self) -> None:
        """Let all go on, and find every slot ended."""
        if not hasattr(self, "controller"):
            return
        for _ in range(3000):
            if self.controller.done:
                break
            while self.orders:
                self.answer()
            for name in [
                n for n, p in self.processes.items() if not p.is_ready and not p.is_stopping and not p.is_dead
            ]:
                self.processes[name].is_ready = True
                self.tell(events.WorkerStarted(name, "here", self.processes[name].nodes))
            for name in self.running:
                its = self.processes[name].attempt
                if its is not None and its.awaits == -1:
                    self.finish(name, TrialState.PAUSED)
                elif its is not None:
                    self.step(name)
            self.stop()
            self.wait(0.2)
        assert self.controller.done, f"{sorted(set(self.trials) - set(self.ended))} were forgotten"
        assert set(self.ended) == set(self.trials)
        states = Counter(self.ended.values())
        assert states.keys() <= {TrialState.TERMINATED, TrialState.STOPPED, TrialState.ERROR, TrialState.SKIPPED}


def test_random_searches() -> None:
    """In random searches every slot ends, once, no rung is judged twice, and a killed driver goes on where it was."""
    run_state_machine_as_test(StudyMachine, settings=settings(max_examples=EXAMPLES, stateful_step_count=60))


def test_replaying_any_prefix() -> None:
    """The decisions of any beginning of a run give a scheduler the state that it had then."""
    trials: list[Trial] = make_slots(10)
    from tests.unit.test_engine_studies import Run, curve

    states: list[tuple[int, object]] = []
    scheduler = Halving()
    run = Run(trials, [make_study(trials, Chain(), scheduler)], curve(4), cpu=3)
    note = run.audience.on_persist

    def remember(event: events.Accepted) -> None:
        note(event)
        states.append((len(run.decisions), copy.deepcopy((scheduler.values, scheduler.over))))

    run.audience.on_persist = remember
    run.run()
    for length in range(len(run.decisions) + 1):
        again = Halving()
        controller = Controller(studies=[make_study(trials, Chain(), again)])
        controller.handle(events.TrialsAdded((), {}, tuple(run.decisions[:length])))
        full = Halving()
        for decision in run.decisions[:length]:
            if isinstance(decision, TrialJudged):
                seen = decision.observation
                full.end(seen) if seen.outcome.is_end else full.judge(seen, can_pause=decision.can_pause)
        assert again.values == full.values
        assert again.over == full.over
