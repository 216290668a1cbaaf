"""What the controller does when time runs out, when failures wait, and when a sweep fails as a whole."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_sweep.engine.limits import SameFailures
from pytest_sweep.engine.policy import Policy
from pytest_sweep.model import Resources, Trial, TrialState, commands, events
from pytest_sweep.testing.samples import SWEEP
from tests.support.driven import Engine, ended, make_trials, node, only, records, run

KILL = commands.KillWorker("worker-1")


def killed(stacks: str = "", kind: events.Death = events.Death.CRASH) -> events.WorkerDied:
    return events.WorkerDied("worker-1", "killed by SIGKILL", 105.0, kind, stacks)


def engine_of(trials: list[Trial], policy: Policy | None = None, cpus: float = 1) -> Engine:
    """Return an engine at second 0 whose first worker has been handed the first of `trials`."""
    engine = Engine([node(cpu=cpus)], policy)
    engine.tell(events.Tick(0.0))
    engine.add(trials)
    engine.start("worker-1")
    return engine


class TestRetries:
    def test_only_what_the_sweep_wants(self) -> None:
        """A failure that retry_on does not cover is the end, however many retries are left."""
        (trial,) = make_trials(1, sweep=dataclasses.replace(SWEEP, retries=5))
        engine = engine_of([trial])
        engine.begin(trial)
        (event,) = records(engine.tell(dataclasses.replace(ended(trial, TrialState.ERROR), may_retry=False)))
        assert isinstance(event, events.TrialFinished)

    def test_backoff(self) -> None:
        """A failed trial waits before it is tried again, longer each time; meanwhile others run."""
        trial, other = make_trials(2, sweep=dataclasses.replace(SWEEP, retries=2, backoff=10.0))
        engine = engine_of([trial, other])
        engine.begin(trial)
        engine.finish(trial, TrialState.ERROR)
        assert engine.tell(events.BatchDone("worker-1")) == [run("worker-1", other)]
        engine.finish(other)
        engine.tell(events.BatchDone("worker-1"))
        assert engine.tell(events.Tick(7.4)) == []
        assert engine.tell(events.Tick(12.6)) == [run("worker-1", trial, attempt=2)]
        engine.begin(trial, 2)
        engine.finish(trial, TrialState.ERROR, attempt=2)
        engine.tell(events.BatchDone("worker-1"))
        assert engine.tell(events.Tick(12.6 + 14.9)) == []
        assert only(commands.RunTrials, engine.tell(events.Tick(12.6 + 25.1))) == [run("worker-1", trial, attempt=3)]

    def test_the_end_of_a_run_while_it_waits(self) -> None:
        """A trial that waits to be tried again when the run ends is interrupted: it has begun."""
        (trial,) = make_trials(1, sweep=dataclasses.replace(SWEEP, retries=1, backoff=10.0))
        engine = engine_of([trial])
        engine.begin(trial)
        engine.finish(trial, TrialState.ERROR)
        (event,) = records(engine.tell(events.RunEnding("interrupted")))
        assert event == events.TrialInterrupted(trial.key, 1, "interrupted")
        assert engine.tell(events.Tick(100.0)) == []


class TestDeaths:
    def test_a_lost_node_costs_nothing(self) -> None:
        """However often nodes are lost under a trial, it is tried again."""
        (trial,) = make_trials(1, sweep=dataclasses.replace(SWEEP, worker_retries=0))
        engine = engine_of([trial])
        for attempt in range(1, 6):
            engine.begin(trial, attempt)
            (retried,) = records(engine.tell(killed(kind=events.Death.NODE_LOST)))
            assert isinstance(retried, events.TrialRetried)
            engine.start("worker-1")

    def test_out_of_memory(self) -> None:
        """A trial whose worker was killed for memory is tried again once, alone on its node; then it has failed."""
        trial, other = make_trials(2)
        engine = engine_of([trial, other], cpus=2)
        engine.start("worker-2")
        engine.begin(trial)
        engine.begin(other)
        engine.tell(killed(kind=events.Death.OUT_OF_MEMORY))
        assert engine.all(commands.StopWorker) == [commands.StopWorker("worker-1")], "it has no work of its shape"
        engine.tell(events.WorkerStopped("worker-1"))
        assert not [start for start in engine.all(commands.StartWorker) if start.worker == "worker-3"]
        engine.finish(other)
        engine.tell(events.BatchDone("worker-2"))
        assert commands.StopWorker("worker-2") in engine.given, "it is in the way"
        started = engine.tell(events.WorkerStopped("worker-2"))
        assert started == [commands.StartWorker("worker-3", Resources(cpu=1.0), ("node-1",))]
        engine.start("worker-3")
        engine.begin(trial, 2)
        died = events.WorkerDied("worker-3", "killed by SIGKILL", 105.0, events.Death.OUT_OF_MEMORY)
        (finished,) = records(engine.tell(died))
        assert isinstance(finished, events.TrialFinished)

    def test_stacks(self) -> None:
        """What faulthandler wrote stands above the cause."""
        (trial,) = make_trials(1)
        engine = engine_of([trial])
        engine.begin(trial)
        (retried,) = records(engine.tell(killed("Fatal Python error: Segmentation fault\n")))
        assert isinstance(retried, events.TrialRetried)
        assert retried.failed.error == "Fatal Python error: Segmentation fault\n\nkilled by SIGKILL"


class TestTimeouts:
    def sweep_of(self, **arguments: float) -> list[Trial]:
        return make_trials(9, sweep=dataclasses.replace(SWEEP, **arguments))  # type: ignore[arg-type]

    def test_it_ends_the_attempt(self) -> None:
        """At its limit a trial's worker is killed, once, and the trial fails with a TimeoutError below the stacks."""
        (trial, *_) = self.sweep_of(timeout=90.0)
        engine = engine_of([trial])
        engine.tell(events.Tick(50.0))
        engine.begin(trial)
        assert engine.tell(events.Tick(139.0)) == []
        assert engine.tell(events.Tick(141.0)) == [KILL]
        assert engine.tell(events.Tick(142.0)) == []
        (finished,) = records(engine.tell(killed("Thread 1")))
        assert isinstance(finished, events.TrialFinished)
        last = "TimeoutError: the attempt took longer than 1 min 30 s, and its process was ended"
        assert finished.error == f"Thread 1\n\n{last}"
        assert finished.duration == 92.0

    def test_it_uses_the_trial_s_retries(self) -> None:
        """A timeout is the trial's own failure, not its worker's."""
        (trial, *_) = self.sweep_of(timeout=10.0, retries=1, worker_retries=0)
        engine = engine_of([trial])
        engine.tell(events.Tick(10.0))
        (retried,) = records(engine.tell(killed()))
        assert isinstance(retried, events.TrialRetried)

    def test_of_the_run(self) -> None:
        """Where the sweep says nothing, the run's limit holds."""
        (trial,) = make_trials(1)
        assert engine_of([trial], Policy(timeout=5.0)).tell(events.Tick(5.0)) == [KILL]

    def test_nobody_hears_of_its_start(self) -> None:
        """A trial whose start was never heard of, because it holds Python's lock, is ended all the same."""
        (trial, *_) = self.sweep_of(timeout=10.0)
        assert engine_of([trial]).tell(events.Tick(10.0)) == [KILL]

    def test_each_trial_of_a_batch_has_its_own(self) -> None:
        """The time of a trial begins when the one before it has ended; those behind it are not to blame."""
        trials = self.sweep_of(timeout=10.0)
        engine = engine_of(trials)
        engine.finish(trials[0], duration=0.0)
        assert engine.tell(events.BatchDone("worker-1")) == [run("worker-1", *trials[1:5])]
        engine.begin(trials[1])
        engine.tell(events.Tick(8.0))
        engine.finish(trials[1], duration=0.0)
        assert engine.tell(events.Tick(17.0)) == []
        assert engine.tell(events.Tick(18.0)) == [KILL]
        (finished,) = records(engine.tell(killed()))
        assert isinstance(finished, events.TrialFinished)
        assert finished.key == trials[2].key
        engine.start("worker-1")
        assert engine.all(commands.RunTrials)[-1].trials[0] == (trials[3].key, 1)

    def test_it_ends_at_the_last_moment(self) -> None:
        """A trial whose end arrives while its worker is being killed has ended so."""
        trial, other, *_ = self.sweep_of(timeout=10.0)
        engine = engine_of([trial, other])
        engine.begin(trial)
        engine.tell(events.Tick(10.0))
        (finished,) = records(engine.finish(trial))
        assert isinstance(finished, events.TrialFinished)
        # Its call has ended, so that it does not die in one: this is all that is heard of it.
        assert engine.tell(events.BatchDone("worker-1")) == [commands.RestartWorker("worker-1")]
        assert engine.start("worker-1") == [run("worker-1", other)]


class TestBudget:
    POLICY = Policy(budget=60.0, grace=30.0)

    def test_nothing_new_begins(self) -> None:
        """When the budget is spent what waits is not run; what runs ends well, and counts."""
        trials = make_trials(3)
        engine = engine_of(trials, self.POLICY)
        engine.begin(trials[0])
        reason = "the budget of 1 min is spent"
        assert records(engine.tell(events.Tick(60.0))) == [
            events.TrialNotRun(trial.key, reason) for trial in trials[1:]
        ]
        engine.finish(trials[0])
        assert engine.controller.done
        assert engine.controller.out_of_time
        assert engine.tell(events.BatchDone("worker-1")) == []

    def test_a_checkpoint_is_enough(self) -> None:
        """In the time of grace a trial that has just kept a checkpoint is cut off, without having failed."""
        (trial,) = make_trials(1)
        engine = engine_of([trial], self.POLICY)
        engine.begin(trial)
        engine.tell(events.Tick(61.0))
        report = events.TrialReported(trial.key, 1, {"a": 1}, "checkpoints/1")
        assert engine.tell(report) == [commands.Record(report)]
        assert engine.tell(events.Tick(61.2)) == [KILL]
        died = dataclasses.replace(killed(), sections=(("Captured stdout call", "epoch 1"),))
        stop, record = engine.tell(died)
        assert stop == commands.StopWorker("worker-1")
        (event,) = records([record])
        assert isinstance(event, events.TrialInterrupted)
        assert (event.attempt, event.reason, event.metrics) == (1, "the budget of 1 min is spent", {"a": 1})
        assert event.sections == died.sections
        assert engine.controller.done

    def test_its_end_comes_with_its_checkpoint(self) -> None:
        """A trial whose end arrives together with its last checkpoint has ended."""
        (trial,) = make_trials(1)
        engine = engine_of([trial], self.POLICY)
        engine.begin(trial)
        engine.tell(events.Tick(61.0))
        report = events.TrialReported(trial.key, 1, {"a": 1}, "checkpoints/1")
        last = records(engine.tell(report, ended(trial), events.Tick(61.2)))[-1]
        assert isinstance(last, events.TrialFinished)
        assert KILL not in engine.given

    def test_who_waits_behind_it_is_not_to_blame(self) -> None:
        """A trial that waited behind one that was cut off is not run, and has not failed."""
        trials = make_trials(9, sweep=dataclasses.replace(SWEEP, worker_retries=0))
        engine = engine_of(trials, self.POLICY)
        engine.finish(trials[0], duration=0.0)
        (batch,) = only(commands.RunTrials, engine.tell(events.BatchDone("worker-1")))
        first, *behind = [key for key, _ in batch.trials]
        assert len(behind) == 3
        engine.begin(trials[1])
        for key in behind[:-1]:
            engine.tell(events.TrialReturned(key, 1))
        engine.tell(events.Tick(61.0), events.TrialReported(first, 1, {"a": 1}, "checkpoints/1"), events.Tick(61.2))
        waited, cut_off = records(engine.tell(killed()))
        assert waited == events.TrialNotRun(behind[-1], "the budget of 1 min is spent")
        assert isinstance(cut_off, events.TrialInterrupted)
        assert cut_off.key == first

    def test_without_checkpoint(self) -> None:
        """Who has neither ended nor kept a checkpoint when the grace is over is cut off."""
        (trial,) = make_trials(1)
        engine = engine_of([trial], self.POLICY)
        engine.begin(trial)
        engine.tell(events.Tick(61.0), events.TrialReported(trial.key, 1, {"a": 1}))
        assert KILL in engine.tell(events.Tick(90.0))
        engine.tell(events.TrialReported(trial.key, 1, {"a": 2}), killed())
        assert engine.controller.done
        last = records(engine.given)[-1]
        assert isinstance(last, events.TrialInterrupted)
        assert last.metrics == {"a": 2}

    def test_a_failure_in_the_time_of_grace(self) -> None:
        """A trial that fails when nothing new begins is to be tried again another time: its attempt is kept, it is interrupted."""
        (trial,) = make_trials(1, sweep=dataclasses.replace(SWEEP, retries=1, backoff=1.0))
        engine = engine_of([trial], self.POLICY)
        engine.begin(trial)
        engine.tell(events.Tick(61.0))
        happened = records(engine.finish(trial, TrialState.ERROR))
        assert [type(event) for event in happened] == [events.TrialRetried, events.TrialInterrupted]


class TestSameFailures:
    def fail(self, engine: Engine, trial: Trial, error: str) -> list[commands.Command]:
        engine.begin(trial)
        told = engine.tell(dataclasses.replace(ended(trial, TrialState.ERROR), error=error))
        return told + engine.tell(events.BatchDone("worker-1"))

    def test_a_sweep_that_only_fails(self) -> None:
        """When the first trials of a sweep fail with the same error, numbers aside, the rest of it is not run; other sweeps are."""
        trials = make_trials(5)
        others = make_trials(1, sweep=dataclasses.replace(SWEEP, id="test_b.py::other"), first=5)
        engine = engine_of(trials + others, Policy(abort_after=3))
        for number, trial in enumerate(trials[:3]):
            told = self.fail(engine, trial, f"  File x\nOSError: no disk at 0x{number}ab")
        reason = "the first 3 trials of train_model all failed with: OSError: no disk at 0x2ab"
        assert only(commands.Record, told)[1:] == [
            commands.Record(events.TrialNotRun(trial.key, reason)) for trial in trials[3:]
        ]
        assert only(commands.RunTrials, told) == [run("worker-1", *others)]

    def test_a_batch_is_no_larger_than_it_may_fail(self) -> None:
        """While all that is known of a sweep is that it fails, no more of it is begun than would give it up."""
        trials = make_trials(50)
        engine = engine_of(trials, Policy(abort_after=5))
        told = self.fail(engine, trials[0], "A")
        (batch,) = only(commands.RunTrials, told)
        assert len(batch.trials) <= 4

    def test_workers_share_what_may_fail(self) -> None:
        """Several workers together get no more of it at once than would give it up, but for one trial each."""
        failures = SameFailures(20)
        failed = ended(make_trials(1)[0], TrialState.ERROR)
        assert failures.most_next("sweep", 50, 8) == 50
        for count, share in {1: 3, 4: 2, 12: 1, 19: 1}.items():
            failures = SameFailures(20)
            for _ in range(count):
                failures.note("sweep", failed)
            assert failures.most_next("sweep", 50, 8) == share
            assert failures.most_next("sweep", 50) == 20 - count
            assert failures.most_next("sweep", 1, 8) == 1

    @pytest.mark.parametrize("errors", [["A", "A", "B", "A", "A"], ["A", "A", "", "A", "A"]])
    def test_another_outcome(self, errors: list[str]) -> None:
        """One trial that ends well, or fails otherwise, and the sweep goes on for good."""
        trials = make_trials(7)
        engine = engine_of(trials, Policy(abort_after=3))
        for trial, error in zip(trials, errors, strict=False):
            if error:
                self.fail(engine, trial, error)
            else:
                engine.begin(trial)
                engine.finish(trial)
                engine.tell(events.BatchDone("worker-1"))
        assert not [event for event in records(engine.given) if isinstance(event, events.TrialNotRun)]

    def two_workers(self, policy: Policy) -> tuple[Engine, list[Trial]]:
        """Return an engine whose two workers have failed once each, and have a call of several trials now; the first of each has begun."""
        trials = make_trials(50)
        engine = Engine([node(cpu=2)], policy)
        engine.tell(events.Tick(0.0))
        engine.add(trials)
        engine.start("worker-1", "worker-2")
        for number, trial in enumerate(trials[:2], 1):
            engine.begin(trial)
            engine.finish(trial, TrialState.ERROR, duration=0.001)
            engine.tell(events.BatchDone(f"worker-{number}"))
        handed = {command.worker: command.trials for command in engine.all(commands.RunTrials)}
        assert min(map(len, handed.values())) > 1
        for worker in ("worker-1", "worker-2"):
            engine.begin(next(trial for trial in trials if trial.key == handed[worker][0][0]))
        return engine, [trial for trial in trials if trial.key in dict(handed["worker-2"])]

    def test_what_other_workers_were_handed(self) -> None:
        """When a sweep is given up, the others give back what they have not begun of it: it is NOT_RUN; what runs there goes on."""
        engine, others = self.two_workers(Policy(abort_after=6))
        for _ in range(6):
            handed = [command.trials for command in engine.all(commands.RunTrials) if command.worker == "worker-1"]
            if asked := engine.all(commands.ReturnTrials):
                break
            for trial_key, _ in handed[-1]:
                trial = engine.controller.trial(trial_key)
                engine.begin(trial)
                engine.finish(trial, TrialState.ERROR, duration=0.001)
            engine.tell(events.BatchDone("worker-1"))
        assert asked == [commands.ReturnTrials("worker-2", engine.leases["worker-2"][-1])]
        for trial in others[1:]:
            (event,) = records(engine.tell(events.TrialReturned(trial.key, 1)))
            assert isinstance(event, events.TrialNotRun)
        engine.finish(others[0])
        assert only(commands.RunTrials, engine.tell(events.BatchDone("worker-2"))) == []
        assert engine.controller.done

    def test_a_budget_that_is_spent(self) -> None:
        """Then, too, what was handed to workers and has not begun is given back, and is NOT_RUN."""
        engine, others = self.two_workers(Policy(abort_after=0, budget=10.0, grace=10.0))
        told = engine.pass_time(10.5)
        assert [command.worker for command in only(commands.ReturnTrials, told)] == ["worker-1", "worker-2"]
        (event,) = records(engine.tell(events.TrialReturned(others[-1].key, 1)))
        assert event == events.TrialNotRun(others[-1].key, "the budget of 10 s is spent")
        assert only(commands.ReturnTrials, engine.pass_time(11.0)) == []

    def test_never(self) -> None:
        """With 0 no sweep is given up."""
        trials = make_trials(30)
        engine = engine_of(trials, Policy(abort_after=0))
        for trial in trials[:29]:
            self.fail(engine, trial, "A")
        assert not [event for event in records(engine.given) if isinstance(event, events.TrialNotRun)]


class TestIdleWorkers:
    ONE_CHANCE = dataclasses.replace(SWEEP, worker_retries=0, retries=1, backoff=10.0)

    def idle(self) -> tuple[Engine, Trial]:
        """Return an engine whose worker has been idle for a while, and has just been handed a trial for its second attempt."""
        (trial,) = make_trials(1, sweep=self.ONE_CHANCE)
        engine = engine_of([trial])
        engine.begin(trial)
        engine.finish(trial, TrialState.ERROR)
        engine.tell(events.BatchDone("worker-1"))
        assert only(commands.RunTrials, engine.tell(events.Tick(20.0))) == [run("worker-1", trial, attempt=2)]
        return engine, trial

    def test_it_may_have_been_dead(self) -> None:
        """A worker that had idled and died before its trial was heard of is nobody's fault: the attempt is made anew."""
        engine, trial = self.idle()
        given = engine.tell(killed())
        assert records(given) == []
        assert only(commands.RestartWorker, given) == [commands.RestartWorker("worker-1")]
        assert only(commands.RunTrials, engine.start("worker-1")) == [run("worker-1", trial, attempt=2)]

    def test_only_once(self) -> None:
        """A trial that kills its worker at once, before it is heard of, is believed only once."""
        engine, _ = self.idle()
        engine.tell(killed())
        engine.start("worker-1")
        (finished,) = records(engine.tell(killed()))
        assert isinstance(finished, events.TrialFinished)
        assert finished.state is TrialState.ERROR

    def test_not_where_it_has_begun(self) -> None:
        """A trial that was heard of is blamed, however long its worker had idled."""
        engine, trial = self.idle()
        engine.begin(trial, attempt=2)
        (finished,) = records(engine.tell(killed()))
        assert isinstance(finished, events.TrialFinished)
