"""The controller finishes every trial once: attempts, retries, crashes and the end of a run."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from pytest_sweep.engine.controller import Controller
from pytest_sweep.model import TrialState, commands, events
from pytest_sweep.testing.samples import SWEEP
from tests.support.driven import ONE_CPU, Engine, ended, make_trials, node, only, records, run


class TestAttempts:
    def test_all_is_recorded_in_order(self) -> None:
        """What a trial's attempt says is let pass as it is, in order, and the run is done with its end."""
        engine, (trial,) = Engine(), make_trials(1)
        engine.add([trial])
        engine.start("worker-1")
        happened: list[events.Event] = [
            events.TrialStarted(trial.key, 1, 100.0, "here"),
            events.TrialReported(trial.key, 1, {"loss": 0.5}),
            dataclasses.replace(ended(trial), metrics={"loss": 0.5}),
        ]
        assert not engine.controller.done
        assert records(engine.tell(*happened)) == happened
        assert engine.controller.done

    def test_events_of_the_session_pass(self) -> None:
        """Output, warnings, late reports and failed hooks are let pass whenever they come, also after the end."""
        engine = Engine()
        engine.tell(events.RunEnding("interrupted"))
        happened: list[events.SessionEvent] = [
            events.OutputWritten(None, "t"),
            events.LateReport({}),
            events.HookFailed("h", "p", "e"),
        ]
        for event in happened:
            assert engine.tell(event) == [commands.Record(event)]

    def test_an_unknown_event(self) -> None:
        """What is no event is a mistake of the caller, not ignored."""
        with pytest.raises(TypeError, match="knows no event"):
            Controller().handle("nonsense")  # type: ignore[arg-type]

    def test_a_failed_trial_is_retried(self) -> None:
        """A trial fails as often as its sweep's retries allow, each attempt recorded as such; then it is ERROR."""
        engine = Engine([node(cpu=1)])
        (trial,) = make_trials(1, sweep=dataclasses.replace(SWEEP, retries=2))
        engine.add([trial])
        engine.start("worker-1")
        for attempt in (1, 2):
            engine.begin(trial, attempt)
            failed = ended(trial, TrialState.ERROR, attempt)
            assert records(engine.tell(failed)) == [events.TrialRetried(failed)]
            assert engine.tell(events.BatchDone("worker-1")) == [run("worker-1", trial, attempt=attempt + 1)]
        last = ended(trial, TrialState.ERROR, attempt=3)
        assert records(engine.tell(last)) == [last]
        assert engine.controller.done

    @pytest.mark.parametrize("state", [TrialState.TERMINATED, TrialState.SKIPPED, TrialState.STOPPED])
    def test_only_failures_are_retried(self, state: TrialState) -> None:
        """A trial that ended in any other way is finished at once."""
        engine = Engine()
        (trial,) = make_trials(1, sweep=dataclasses.replace(SWEEP, retries=2))
        engine.add([trial])
        engine.start("worker-1")
        assert records(engine.finish(trial, state)) == [ended(trial, state)]
        assert engine.controller.done

    def test_an_older_attempt_is_refused(self) -> None:
        """Whatever an attempt sends after it was given up is refused, its end included."""
        engine, (trial,) = Engine([node(cpu=1)]), make_trials(1)
        engine.add([trial])
        engine.start("worker-1")
        engine.begin(trial)
        engine.tell(events.WorkerDied("worker-1", "cut off", 100.0))
        engine.start("worker-1")
        late: list[events.Event] = [
            events.TrialReported(trial.key, 1, {"loss": 1.0}),
            ended(trial),
            events.TrialReturned(trial.key, 1),
        ]
        assert engine.tell(*late) == []
        engine.begin(trial, 2)
        assert records(engine.finish(trial, attempt=2)) == [ended(trial, attempt=2)]

    def test_a_trial_is_finished_once(self) -> None:
        """A second end of the same attempt is refused, and so is all else after the first."""
        engine, (trial, _) = Engine(), make_trials(2)
        engine.add([trial, _])
        engine.start("worker-1")
        engine.finish(trial)
        assert (
            engine.tell(ended(trial), events.TrialReported(trial.key, 1, {}), events.TrialReturned(trial.key, 1)) == []
        )
        assert not engine.controller.done

    def test_a_trial_that_nobody_has(self) -> None:
        """What is said of a trial that waits in its queue is refused: else it would be finished and still run."""
        engine, trials = Engine([node(cpu=1)]), make_trials(2)
        engine.add(trials)
        engine.start("worker-1")
        assert engine.finish(trials[1]) == []
        engine.finish(trials[0])
        assert engine.tell(events.BatchDone("worker-1")) == [run("worker-1", trials[1])]

    def test_an_unknown_trial(self) -> None:
        """What is said of a trial that was never added is refused."""
        assert Engine().tell(events.TrialStarted("f" * 16, 1, 100.0, "here")) == []


class TestCrashes:
    def death(self) -> events.WorkerDied:
        return events.WorkerDied("worker-1", "the process was killed", 105.0)

    def test_alone_in_its_call_it_is_to_blame(self) -> None:
        """A trial whose worker dies under it is tried again worker_retries times, then it is ERROR with the cause."""
        engine, (trial,) = Engine([node(cpu=1)]), make_trials(1)
        engine.add([trial])
        engine.start("worker-1")
        engine.begin(trial)
        died = events.TrialFinished(trial.key, 1, TrialState.ERROR, None, "the process was killed", 0.0, 105.0)
        assert engine.tell(self.death()) == [
            commands.RestartWorker("worker-1"),
            commands.Record(events.TrialRetried(died)),
        ]
        assert engine.start("worker-1") == [run("worker-1", trial, attempt=2)]
        engine.begin(trial, 2)
        assert engine.tell(self.death()) == [
            commands.StopWorker("worker-1"),
            commands.Record(dataclasses.replace(died, attempt=2)),
        ]
        assert engine.controller.done

    def test_without_worker_retries(self) -> None:
        """With worker_retries=0 the first death is the end."""
        engine = Engine([node(cpu=1)])
        (trial,) = make_trials(1, sweep=dataclasses.replace(SWEEP, worker_retries=0))
        engine.add([trial])
        engine.start("worker-1")
        (event,) = records(engine.tell(self.death()))
        assert isinstance(event, events.TrialFinished)

    def test_crashes_are_not_the_trial_s_retries(self) -> None:
        """A death takes nothing from the sweep's retries."""
        engine = Engine([node(cpu=1)])
        (trial,) = make_trials(1, sweep=dataclasses.replace(SWEEP, retries=1))
        engine.add([trial])
        engine.start("worker-1")
        engine.tell(self.death())
        engine.start("worker-1")
        (retried,) = records(engine.finish(trial, TrialState.ERROR, attempt=2))
        assert isinstance(retried, events.TrialRetried)

    def test_in_a_batch_nobody_is_to_blame(self) -> None:
        """After the death of a worker with a batch, the one that ran is tried again, the others go on as if nothing was."""
        engine = Engine([node(cpu=1)])
        trials = make_trials(9, sweep=dataclasses.replace(SWEEP, worker_retries=0))
        engine.add(trials)
        engine.start("worker-1")
        engine.finish(trials[0], duration=0.0)
        assert engine.tell(events.BatchDone("worker-1")) == [run("worker-1", *trials[1:5])]
        engine.begin(trials[1])
        engine.finish(trials[1], duration=0.0)
        engine.begin(trials[2])
        (retried,) = records(engine.tell(self.death()))
        assert isinstance(retried, events.TrialRetried)
        assert (retried.failed.key, retried.failed.error) == (trials[2].key, "the process was killed")

    def test_afterwards_each_goes_alone(self) -> None:
        """All that were in a batch that died travel alone, in their old order, before the others."""
        engine, trials = Engine([node(cpu=1)]), make_trials(9)
        engine.add(trials)
        engine.start("worker-1")
        engine.finish(trials[0], duration=0.0)
        engine.tell(events.BatchDone("worker-1"))
        engine.begin(trials[1])
        engine.tell(self.death())
        assert engine.start("worker-1") == [run("worker-1", trials[1], attempt=2)]
        for before, after in itertools.pairwise(trials[1:5]):
            engine.finish(before, attempt=2 if before is trials[1] else 1, duration=0.0)
            assert engine.tell(events.BatchDone("worker-1")) == [run("worker-1", after)]
        engine.finish(trials[4], duration=0.0)
        (batch,) = only(commands.RunTrials, engine.tell(events.BatchDone("worker-1")))
        assert len(batch.trials) == 2

    def test_an_idle_worker_may_die(self) -> None:
        """The death of a worker without work costs nothing but the worker."""
        engine, trials = Engine(), make_trials(2)
        engine.add(trials)
        engine.start("worker-1", "worker-2")
        engine.finish(trials[0])
        engine.tell(events.BatchDone("worker-1"))
        assert engine.tell(self.death()) == [commands.StopWorker("worker-1")]

    def test_a_death_while_it_stops(self) -> None:
        """A worker that dies while it is told to stop has stopped: its resources are free."""
        engine, trials = Engine([node(cpu=1)]), make_trials(1)
        engine.add(trials)
        engine.start("worker-1")
        engine.finish(trials[0])
        engine.tell(events.BatchDone("worker-1"))
        engine.tell(events.Tick(100.0))
        assert engine.tell(self.death()) == []
        assert engine.add(make_trials(1, first=1)) == [commands.StartWorker("worker-2", ONE_CPU, ("node-1",))]

    def test_a_worker_that_is_gone(self) -> None:
        """What comes late from a worker that is known no more is ignored."""
        late = (events.BatchDone("worker-9"), events.WorkerStopped("worker-9"), events.WorkerDied("worker-9", "", 0.0))
        assert Engine().tell(*late, events.WorkerStarted("worker-9", "here")) == []

    @pytest.mark.parametrize("nodes_first", [True, False])
    def test_a_lost_node(self, nodes_first: bool) -> None:
        """A trial whose node was lost is tried on another one, in whichever order the news come."""
        engine, (trial, other) = Engine([node(1, 1), node(2, 1)]), make_trials(2)
        engine.add([trial, other])
        engine.start("worker-1", "worker-2")
        engine.begin(trial)
        lost: list[events.Event] = [events.NodesChanged((node(2, 1),)), self.death()]
        engine.tell(*(lost if nodes_first else reversed(lost)))
        assert engine.all(commands.StopWorker) == [commands.StopWorker("worker-1")]
        engine.tell(events.WorkerStopped("worker-1"))
        engine.finish(other)
        assert engine.tell(events.BatchDone("worker-2")) == [run("worker-2", trial, attempt=2)]


class TestEnding:
    def test_all_that_is_not_finished_is_not_run(self) -> None:
        """At the end of a run, what runs is interrupted and what waits is not run, with the reason; what is finished stays so."""
        engine, trials = Engine(), make_trials(4)
        engine.add(trials)
        engine.start("worker-1", "worker-2")
        engine.begin(trials[0])
        engine.finish(trials[1])
        engine.tell(events.TrialReported(trials[0].key, 1, {"a": 1}))
        output = (("Captured stdout call", "so far"),)
        dead = events.WorkerDied("worker-1", "killed", 0.0, sections=output)
        cut_off, *others = records(engine.tell(events.RunEnding("interrupted", (dead,))))
        assert isinstance(cut_off, events.TrialInterrupted)
        assert (cut_off.key, cut_off.reason, cut_off.metrics) == (trials[0].key, "interrupted", {"a": 1})
        assert cut_off.sections == output
        assert others == [events.TrialNotRun(trial.key, "interrupted") for trial in trials[2:]]
        assert engine.controller.done
        assert engine.tell(events.RunEnding("again")) == []

    @pytest.mark.parametrize("death", [True, False])
    def test_later_events_are_refused(self, death: bool) -> None:
        """After the end nothing changes what became of a trial: neither its worker's word, nor its death, nor its freedom."""
        engine, trials = Engine(), make_trials(4)
        engine.add(trials)
        engine.start("worker-1", "worker-2")
        engine.begin(trials[0])
        engine.tell(events.RunEnding("interrupted"))
        assert engine.finish(trials[0]) == []
        assert engine.begin(trials[1]) == []
        last = events.WorkerDied("worker-1", "killed", 100.0) if death else events.BatchDone("worker-1")
        assert engine.tell(last) == [commands.StopWorker("worker-1")]
        assert engine.tell(events.Tick(10.0), events.NodesChanged((node(), node(2)))) == []
        assert engine.tell(events.RunEnding("again")) == []

    @pytest.mark.parametrize(
        ("event", "command"),
        [
            (events.WorkerFailed("worker-1", "no such folder"), commands.EndRun("no such folder")),
            (events.SessionExited("worker-1", "enough", 7), commands.EndRun("enough", 7)),
        ],
    )
    def test_what_ends_the_run(self, event: events.Event, command: commands.EndRun) -> None:
        """A worker that cannot start, and a trial that calls pytest.exit, end the run."""
        engine = Engine()
        engine.add(make_trials(1))
        assert engine.tell(event) == [command]

    def test_workers_are_stopped(self) -> None:
        """At the end each worker is stopped once, whatever it does, and nothing new starts."""
        engine, trials = Engine([node(cpu=3)]), make_trials(3)
        engine.add(trials)
        engine.start("worker-1", "worker-2")
        engine.finish(trials[0])
        engine.tell(events.BatchDone("worker-1"))
        stops = [commands.StopWorker(f"worker-{number}") for number in (1, 2, 3)]
        assert engine.stop_workers() == stops
        assert engine.stop_workers() == []
        assert engine.start("worker-3") == []
        assert engine.tell(events.BatchDone("worker-2")) == []
        assert engine.tell(*(events.WorkerStopped(stop.worker) for stop in stops)) == []
        assert not engine.controller.capacity.workers

    def test_trials_may_be_added_later(self) -> None:
        """A run that is done goes on when there is more to do."""
        engine, trials = Engine([node(cpu=1)]), make_trials(2)
        engine.add(trials[:1])
        engine.start("worker-1")
        engine.finish(trials[0])
        engine.tell(events.BatchDone("worker-1"))
        assert engine.controller.done
        assert engine.add(trials[1:]) == [run("worker-1", trials[1])]
        assert not engine.controller.done

    def test_the_record_of_a_trial(self) -> None:
        """The controller gives back the trial of a key."""
        engine, (trial,) = Engine(), make_trials(1)
        engine.add([trial])
        assert engine.controller.trial(trial.key) is trial
