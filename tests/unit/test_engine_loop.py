"""The loop stores before it shows, keeps what could not be stored, and drives an executor to the end of a run."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence

import pytest

from pytest_sweep.engine.loop import Loop, SessionExit
from pytest_sweep.engine.policy import Policy
from pytest_sweep.engine.port import Executor
from pytest_sweep.engine.study import Leg
from pytest_sweep.errors import ExecutorError
from pytest_sweep.model import Resources, Task, Trial, TrialState, commands, events
from pytest_sweep.model.shared import SharedFixture
from pytest_sweep.testing.fake_executor import FakeExecutor, Outcome, Script
from pytest_sweep.testing.samples import SWEEP
from tests.support.driven import make_trials, node


class Audience:
    """Remembers what it is told, in order; `on_persist` and `on_show` may raise."""

    def __init__(self) -> None:
        self.told: list[tuple[str, events.Accepted]] = []
        self.ticks = 0
        self.on_persist: Callable[[events.Accepted], None] = ignore
        self.on_show: Callable[[events.Accepted], None] = ignore

    def persist(self, batch: Sequence[events.Accepted]) -> None:
        for event in batch:
            self.on_persist(event)
        self.told += [("persist", event) for event in batch]

    def show(self, event: events.Accepted) -> None:
        self.told.append(("show", event))
        self.on_show(event)

    def tick(self) -> None:
        self.ticks += 1

    @property
    def stored(self) -> list[events.Accepted]:
        return [event for what, event in self.told if what == "persist"]

    @property
    def shown(self) -> list[events.Accepted]:
        return [event for what, event in self.told if what == "show"]

    def became_of(self, trial: Trial) -> list[str]:
        """Return the ends of a trial that are stored."""
        ends = []
        for event in self.stored:
            if isinstance(event, events.TrialFinished) and event.key == trial.key:
                ends.append(str(event.state))
            elif isinstance(event, events.TrialNotRun) and event.key == trial.key:
                ends.append("NOT_RUN")
        return ends


class Session:
    """A loop with a fake executor and an audience."""

    def __init__(
        self,
        trials: Sequence[Trial],
        script: Script = lambda _: Outcome(),
        nodes: Sequence[events.Node] = (),
        policy: Policy | None = None,
        executor: FakeExecutor | None = None,
    ) -> None:
        self.trials = {trial.key: trial for trial in trials}
        self.fake = executor or FakeExecutor(nodes or [node()], script)
        self.audience = Audience()
        port: Executor = self.fake  # So that mypy holds the fake to the protocol.
        self.loop = Loop(port, self.audience, policy or Policy(), self.task)

    def task(self, key: str, attempt: int, lease: int = 0, leg: Leg | None = None) -> Task:
        assert leg is None
        return Task(self.trials[key], attempt, f"/results/{key}", lease=lease)

    def run(self) -> None:
        self.loop.run(list(self.trials.values()))


def always(outcome: Outcome | list[events.Event]) -> Script:
    return lambda _: outcome


def ignore(event: object) -> None:
    pass


def interrupt(event: object) -> None:
    raise KeyboardInterrupt


def on(kind: type, action: Callable[[events.Accepted], None]) -> Callable[[events.Accepted], None]:
    return lambda event: action(event) if isinstance(event, kind) else None


class TestRun:
    def test_all_trials_end(self) -> None:
        """A run goes on until every trial is finished and every worker stopped."""
        trials = make_trials(20)
        session = Session(trials, always(Outcome(final={"a": 1})))
        session.run()
        assert [session.audience.became_of(trial) for trial in trials] == [["TERMINATED"]] * 20
        assert not session.fake.workers
        assert session.audience.ticks > 0

    def test_shared_fixtures_end_after_the_workers(self) -> None:
        """At the end of a run shared fixtures are torn down, each before those that it uses, when no worker is left."""
        data = SharedFixture("data", "data", "conftest.py", "test_models.py::train")
        total = SharedFixture("total", "total", "conftest.py", "test_models.py::train", needs=("data",))
        session = Session([dataclasses.replace(trial, shared=(data, total)) for trial in make_trials(4)])
        session.run()
        ends = [c for c in session.fake.commands if isinstance(c, (commands.StopWorker, commands.StopShared))]
        assert [c.fixture for c in ends if isinstance(c, commands.StopShared)] == ["total", "data"]
        assert all(isinstance(c, commands.StopShared) for c in ends[-2:])

    def test_persisted_before_shown(self) -> None:
        """Each event is stored before it is shown, and shown once, in the same order."""
        session = Session(make_trials(10), always(Outcome(reports=[{"a": 1}, {"a": 2}])))
        session.run()
        told = session.audience.told
        shown = [event for what, event in told if what == "show"]
        assert shown == session.audience.stored
        assert len(shown) == 40
        for number, (what, event) in enumerate(told):
            assert what == "persist" or ("persist", event) in told[:number]

    def test_order_of_a_trial(self) -> None:
        """A trial's events arrive as it has sent them: its start, its reports, its end."""
        (trial,) = make_trials(1)
        session = Session([trial], always(Outcome(reports=[{"a": 1}, {"a": 2}], final={"b": 3})))
        session.run()
        start, first, second, end = session.audience.stored
        assert isinstance(start, events.TrialStarted)
        assert first == events.TrialReported(trial.key, 1, {"training_iteration": 1, "a": 1}, lease=1)
        assert second == events.TrialReported(trial.key, 1, {"training_iteration": 2, "a": 2}, lease=1)
        assert isinstance(end, events.TrialFinished)
        assert end.metrics == {"a": 2, "b": 3}

    def test_what_there_is(self) -> None:
        """The loop says what all nodes have together."""
        session = Session(make_trials(1), always(Outcome()), [node(1, 2), node(2, 4, gpu=1)])
        session.run()
        assert session.loop.resources == Resources(cpu=6.0, gpu=1.0)

    def test_a_worker_that_dies(self) -> None:
        """A trial whose worker dies is tried again in a new process, with what it had reported stored."""
        (trial,) = make_trials(1)
        session = Session(
            [trial], lambda task: Outcome(reports=[{"a": 1}], dies="killed" if task.attempt == 1 else None)
        )
        session.run()
        assert [type(event).__name__ for event in session.audience.stored] == [
            *("TrialStarted", "TrialReported", "TrialRetried"),
            *("TrialStarted", "TrialReported", "TrialFinished"),
        ]
        assert commands.RestartWorker("worker-1", within=60.0) in session.fake.commands
        assert [(key, attempt) for _, key, attempt in session.fake.ran] == [(trial.key, 1), (trial.key, 2)]

    @pytest.mark.parametrize("seed", range(20))
    def test_chaos(self, seed: int) -> None:
        """With failures, deaths, long trials and nodes that come and go, every trial ends once and no node is overfull."""
        chance = random.Random(seed)
        shapes = [Resources(cpu=1), Resources(cpu=3), Resources(cpu=2, gpu=0.5)]
        sweep = dataclasses.replace(SWEEP, worker_retries=2)
        trials = [make_trials(1, chance.choice(shapes), sweep, first=number)[0] for number in range(60)]

        def script(task: Task) -> Outcome:
            fate = random.Random(f"{seed} {task.trial.key} {task.attempt}")
            return Outcome(
                state=fate.choice([TrialState.TERMINATED, TrialState.ERROR]),
                duration=fate.choice([0.0, 1.0]),
                polls=fate.randint(1, 3),
                dies="killed" if fate.random() < 0.1 else None,
            )

        session = Session(trials, script, [node(1, 4, gpu=1)], Policy(patience=0.0))

        def meddle(event: events.Accepted) -> None:
            if chance.random() < 0.03 and session.fake.workers:
                session.fake.kill(chance.choice(sorted(session.fake.workers)))
            elif chance.random() < 0.03:
                if len(session.fake.nodes()) == 1:
                    session.fake.add_node(node(2, 2))
                else:
                    session.fake.remove_node("node-2")

        session.audience.on_show = meddle
        session.run()
        assert [len(session.audience.became_of(trial)) for trial in trials] == [1] * 60

    def test_a_node_that_was_emptied_for_nobody(self) -> None:
        """When a sweep is given up for which a node was being emptied, the others use that node again."""
        failing = dataclasses.replace(SWEEP, id="test_b.py::failing")
        trials = [
            *make_trials(1, Resources(cpu=1), failing),
            *make_trials(3, Resources(cpu=2), failing, first=1),
            *make_trials(6, Resources(cpu=1), first=4),
        ]

        def script(task: Task) -> Outcome:
            fails = task.trial.sweep is failing
            return Outcome(
                TrialState.ERROR if fails else TrialState.TERMINATED,
                error="A" if fails else None,
                polls=9 if fails else 3,
            )

        session = Session(trials, script, [node(cpu=2)], Policy(abort_after=1, patience=0.0))
        session.run()
        ends = [session.audience.became_of(trial)[-1] for trial in trials]
        assert ends == ["ERROR", *["NOT_RUN"] * 3, *["TERMINATED"] * 6]


class TestEnding:
    def test_an_interrupt_while_shown(self) -> None:
        """What was stored when an interrupt comes stays; abort notes all the rest as not run, and stores it."""
        trials = make_trials(6)
        session = Session(trials, always(Outcome()), [node(cpu=2)])
        session.audience.on_show = on(events.TrialFinished, interrupt)
        with pytest.raises(KeyboardInterrupt):
            session.run()
        session.loop.abort("interrupted")
        ends = [session.audience.became_of(trial) for trial in trials]
        assert ends == [["TERMINATED"], ["TERMINATED"], *[["NOT_RUN"]] * 4]
        assert {event.reason for event in session.audience.stored if isinstance(event, events.TrialNotRun)} == {
            "interrupted"
        }

    def test_an_interrupt_while_stored(self) -> None:
        """What an interrupt has kept from being stored is stored by abort: nothing is lost, nothing doubled."""
        trials = make_trials(4)
        session = Session(trials, always(Outcome(reports=[{"a": 1}])), [node(cpu=2)])
        session.audience.on_persist = on(events.TrialFinished, interrupt)
        with pytest.raises(KeyboardInterrupt):
            session.run()
        session.audience.on_persist = ignore
        session.loop.abort("interrupted")
        assert [session.audience.became_of(trial) for trial in trials] == [
            ["TERMINATED"], ["TERMINATED"], ["NOT_RUN"], ["NOT_RUN"],
        ]  # fmt: skip
        assert len(session.audience.stored) == len({repr(event) for event in session.audience.stored})
        assert sum(isinstance(event, events.TrialReported) for event in session.audience.stored) == 2

    def test_an_executor_that_raises(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What was decided together with an order that could not be given is stored by abort."""
        trials = make_trials(2, sweep=dataclasses.replace(SWEEP, worker_retries=0))
        session = Session(trials, always(Outcome(dies="killed")), [node(cpu=1)])
        obey = session.fake.execute

        def execute(command: commands.WorkerCommand, tasks: Sequence[Task] = ()) -> None:
            if isinstance(command, commands.RestartWorker):
                raise KeyboardInterrupt
            obey(command, tasks)

        monkeypatch.setattr(session.fake, "execute", execute)
        with pytest.raises(KeyboardInterrupt):
            session.run()
        session.loop.abort("interrupted")
        assert [session.audience.became_of(trial) for trial in trials] == [["ERROR"], ["NOT_RUN"]]

    def test_what_is_shown_was_stored_once(self) -> None:
        """After an interrupt, abort stores nothing a second time."""
        session = Session(make_trials(2), always(Outcome()))
        session.audience.on_show = interrupt
        with pytest.raises(KeyboardInterrupt):
            session.run()
        session.loop.abort("interrupted")
        session.loop.abort("again")
        assert len(session.audience.stored) == len({repr(event) for event in session.audience.stored})

    def test_all_that_was_delivered_counts(self) -> None:
        """Of 16 ends that have arrived when an interrupt comes all are stored as such, wherever it strikes."""
        for kind in (events.TrialStarted, events.TrialFinished):
            trials = make_trials(16)
            session = Session(trials, always(Outcome()), [node(cpu=16)])
            session.audience.on_show = on(kind, interrupt)
            with pytest.raises(KeyboardInterrupt):
                session.run()
            session.audience.on_show = ignore
            while any(worker.waiting for worker in session.fake.workers.values()):  # They end, and nobody looks.
                session.loop._arrived.extend(session.fake.events(0.0))
            session.loop.abort("interrupted", show=True)
            assert [session.audience.became_of(trial) for trial in trials] == [["TERMINATED"]] * 16
            assert session.audience.shown == session.audience.stored

    def test_an_interrupt_while_events_are_handled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What was taken from the executor and not handled yet when an interrupt comes is not lost."""
        trials = make_trials(8)
        session = Session(trials, always(Outcome()), [node(cpu=8)])
        decide, seen = session.loop._decide, []

        def decide_until_interrupted(event: events.Event) -> Sequence[commands.Command]:
            seen.append(event)
            if sum(isinstance(event, events.TrialFinished) for event in seen) == 3:
                raise KeyboardInterrupt
            return decide(event)

        monkeypatch.setattr(session.loop, "_decide", decide_until_interrupted)
        with pytest.raises(KeyboardInterrupt):
            session.run()
        monkeypatch.undo()
        session.loop.abort("interrupted")
        assert [session.audience.became_of(trial) for trial in trials] == [["TERMINATED"]] * 8

    def test_what_is_shown_at_the_end(self) -> None:
        """With `show` all that was stored is shown, whatever showing it raises to end the run; what was not run is not shown."""
        trials = make_trials(6)
        session = Session(trials, always(Outcome()), [node(cpu=2)])

        class Interrupted(KeyboardInterrupt):
            """As pytest's own."""

        def stop(event: events.Accepted) -> None:
            raise Interrupted

        session.audience.on_show = on(events.TrialFinished, stop)
        with pytest.raises(Interrupted):
            session.run()
        session.loop.abort("interrupted", show=True)
        stored = [event for event in session.audience.stored if not isinstance(event, events.TrialNotRun)]
        assert session.audience.shown == stored
        assert len(session.audience.stored) > len(stored)

    def test_a_second_interrupt(self) -> None:
        """An interrupt of `abort` itself loses nothing: called again, it goes on where it was, and shows nothing twice."""
        trials = make_trials(6)
        session = Session(trials, always(Outcome()), [node(cpu=2)])
        session.audience.on_show = on(events.TrialFinished, interrupt)
        with pytest.raises(KeyboardInterrupt):
            session.run()
        with pytest.raises(KeyboardInterrupt):
            session.loop.abort("interrupted", show=True)
        session.audience.on_persist = interrupt
        with pytest.raises(KeyboardInterrupt):
            session.loop.abort("interrupted", show=True)
        session.audience.on_persist = ignore
        session.loop.abort("interrupted", show=True)
        ends = [session.audience.became_of(trial) for trial in trials]
        assert ends == [["TERMINATED"], ["TERMINATED"], *[["NOT_RUN"]] * 4]
        assert len(session.audience.shown) == len({repr(event) for event in session.audience.shown})

    def test_a_hook_that_sleeps(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A hook that takes longer than a trial's limit times no trial out: each round tells the time, then events, then checks limits."""
        clock = [0.0]
        monkeypatch.setattr("pytest_sweep.engine.loop.clock.monotonic", lambda: clock[0])
        trials = make_trials(6, sweep=dataclasses.replace(SWEEP, timeout=3.0))
        session = Session(trials, always(Outcome(polls=3)), [node(cpu=2)])

        def sleep(event: events.Accepted) -> None:
            clock[0] += 6.0

        def pass_time() -> None:
            clock[0] += 0.2

        session.audience.on_show = on(events.TrialFinished, sleep)
        monkeypatch.setattr(session.audience, "tick", pass_time)
        session.run()
        assert [session.audience.became_of(trial) for trial in trials] == [["TERMINATED"]] * 6

    def test_the_run_cannot_go_on(self) -> None:
        """A worker that cannot be started ends the run as an error with its cause."""
        session = Session(make_trials(1), always([events.WorkerFailed("worker-1", "no such folder: /work")]))
        with pytest.raises(ExecutorError, match="no such folder: /work"):
            session.run()

    def test_pytest_exit(self) -> None:
        """A trial that calls pytest.exit ends the run with its status, after what came before was stored and shown."""
        session = Session(make_trials(1), always([events.SessionExited("worker-1", "enough", 7)]))
        with pytest.raises(SessionExit, match="enough") as caught:
            session.run()
        assert (caught.value.reason, caught.value.status) == ("enough", 7)
        assert [type(event) for _, event in session.audience.told] == [events.TrialStarted] * 2
