"""The one loop that drives the engine: takes events, asks the controller, orders the executor, stores and shows. Knows no pytest."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from pytest_sweep import clock
from pytest_sweep.engine.controller import Controller
from pytest_sweep.engine.policy import Policy
from pytest_sweep.engine.port import Executor
from pytest_sweep.engine.proposing import Proposer
from pytest_sweep.engine.study import Leg, Study
from pytest_sweep.errors import ExecutorError
from pytest_sweep.model import commands, events
from pytest_sweep.model.resources import Resources
from pytest_sweep.model.trials import Task, Trial
from pytest_sweep.model.waiting import Waiting

POLL_SECONDS = 0.2
"""How long the loop waits for events before it looks at the clock: the status block and time-outs need no finer grain."""

PROPOSAL_SECONDS = 0.005
"""How long it waits for a searcher before it looks at the executor, while workers idle for a configuration."""


class Audience(Protocol):
    """Who is told what happens. `persist` is called first, with all that is new; then `show` for each of it."""

    def persist(self, batch: Sequence[events.Accepted]) -> None:
        """Store the events; when this returns they survive a power cut."""

    def show(self, event: events.Accepted) -> None:
        """Tell people; may raise to end the run."""

    def tick(self) -> None:
        """Time has passed."""


class MakeTask(Protocol):
    """Makes tasks."""

    def __call__(self, key: str, attempt: int, lease: int = 0, leg: Leg | None = None) -> Task:
        """Return what a worker needs to run a trial.

        Args:
            key: the trial.
            attempt: which execution of it.
            lease: under which a worker is handed it.
            leg: what it is told of its study; None where it belongs to none.
        """


@contextmanager
def _goes_on() -> Iterator[None]:
    """Drop what is raised to end the run, which ends already; but not a second Ctrl-C."""
    try:
        yield
    except BaseException as error:
        # pytest's own Interrupted is a KeyboardInterrupt, too; Ctrl-C is one and nothing else.
        if type(error) in (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise


class SessionExit(Exception):  # noqa: N818 - it is not an error: a trial has asked for it
    """A trial has ended the session, and the run ends: by ``pytest.exit`` with `status`, or as `kind` says, see `SessionExited`."""

    def __init__(self, reason: str, status: int, kind: str = "exit") -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.kind = kind


class Loop:
    """Drives one run to its end.

    Args:
        executor: runs.
        audience: stores and shows.
        policy: the engine's settings.
        make_task: makes what a worker needs to run a trial.
        studies: those of trials that are chosen or judged while the run goes on.
    """

    def __init__(
        self,
        executor: Executor,
        audience: Audience,
        policy: Policy,
        make_task: MakeTask,
        studies: Sequence[Study] = (),
    ) -> None:
        self._controller = Controller(policy, executor.future_nodes(), can_kill=executor.can_kill, studies=studies)
        self._proposer = Proposer(studies)
        self._executor = executor
        self._audience = audience
        self._make_task = make_task
        self._arrived: deque[events.Event] = deque()
        self._unstored: list[events.Accepted] = []
        self._unshown: deque[events.Accepted] = deque()
        self._put_off: list[commands.Command] = []
        if studies:
            executor.judge_by(self._judge)

    def run(
        self,
        trials: Sequence[Trial],
        attempts: Mapping[str, int] | None = None,
        decisions: Sequence[events.Decision] = (),
        metrics: Mapping[str, dict[str, Any]] | None = None,
    ) -> None:
        """Run `trials` to their ends and stop the workers.

        Args:
            trials: the trials.
            attempts: with which attempt those go on that were begun in an earlier run, by key.
            decisions: what the searchers and schedulers of that run have decided, in order.
            metrics: what trials that were paused there have last reported, by key.

        Raises:
            ExecutorError: the run cannot go on.
            SessionExit: a trial called ``pytest.exit``.
        """
        nodes = events.NodesChanged(tuple(self._executor.nodes()))
        self._arrived.extend(
            [nodes, events.TrialsAdded(tuple(trials), attempts or {}, tuple(decisions), metrics or {}, clock.wall())]
        )
        self._handle()
        while not self._controller.done:
            self._step()
        self._apply(self._controller.stop_workers())
        while self._controller.capacity.workers:
            self._step()
        self._apply(self._controller.stop_shared())
        while self._controller.has_shared:
            self._step()
        self._arrived.extend(self._proposer.close())
        self._handle()

    @property
    def out_of_time(self) -> bool:
        """Whether the run's budget was spent before all trials had run."""
        return self._controller.out_of_time

    @property
    def resources(self) -> Resources:
        """What all nodes have together."""
        return self._controller.capacity.total

    @property
    def stalled(self) -> float | None:
        """For how many seconds nothing has happened; None while that is not worth a word."""
        return self._controller.stalled

    def waiting(self) -> Waiting:
        """Return what waits now, for what, and who has it: found out when it is asked for."""
        return self._controller.waiting()

    def abort(self, reason: str, *, show: bool = False) -> None:
        """Note everything that is not finished as interrupted or not run.

        What has arrived by now is applied and stored first, also what was taken but not handled, or accepted but not stored, when the run
        was cut off; with `show` it is shown, too. Then what runs is ended, and what it had said is stored. The rest is noted as interrupted
        or not run and stored, but not shown. Orders are not given any more. It may be called again, also after it was interrupted itself:
        then it goes on where it was.
        """
        self._proposer.cut_off()
        self._arrived.extend(self._executor.arrived())
        self._decide_all()
        self._store()
        if show:
            self._show_rest()
        dead: list[events.WorkerDied] = []
        try:
            for event in self._executor.cut_off():
                # No failures: they were ended with the run.
                (dead if isinstance(event, events.WorkerDied) else self._arrived).append(event)  # type: ignore[arg-type]
            self._decide_all()
        finally:
            self._decide(events.RunEnding(reason, tuple(dead), clock.monotonic()))
            self._store()

    def _step(self) -> None:
        # Kept until they are handled, so that an interrupt in between loses none of them.
        awaits = self._controller.studies.are_awaited
        self._arrived.extend(self._proposer.answers(PROPOSAL_SECONDS if awaits else 0.0))
        self._arrived.extend(self._executor.events(0.0 if awaits else POLL_SECONDS))
        self._handle()
        self._audience.tick()

    def _handle(self) -> None:
        """Handle what has arrived: first the clock goes on, then it is applied, then limits are checked."""
        now = clock.monotonic()
        advanced = self._decide(events.Advanced(now))
        decided = [*advanced, *self._decide_all(), *self._decide(events.Tick(now))]
        put_off, self._put_off = self._put_off, []
        self._apply([*put_off, *decided])

    def _judge(self) -> None:
        """Decide on what has arrived while a trial that runs in this thread waits for a verdict; the rest is done when it has ended."""
        self._arrived.extend(self._executor.arrived())
        decided = [*self._decide(events.Advanced(clock.monotonic())), *self._decide_all()]
        self._store()
        for command in decided:
            if isinstance(command, commands.Tell):
                self._executor.execute(command)
            elif not isinstance(command, commands.Record):
                self._put_off.append(command)

    def _decide_all(self) -> list[commands.Command]:
        decided: list[commands.Command] = []
        while self._arrived:
            decided += self._decide(self._arrived[0])
            self._arrived.popleft()
        return decided

    def _decide(self, event: events.Event) -> Sequence[commands.Command]:
        decided = self._controller.handle(event)
        # Noted at once, so that `abort` stores it whatever comes between.
        self._unstored += [command.event for command in decided if isinstance(command, commands.Record)]
        return decided

    def _apply(self, decided: Sequence[commands.Command]) -> None:
        # Stored before the orders go out, because the next attempt of a trial starts from the checkpoint that the last one has
        # just reported.
        self._store()
        for command in decided:
            if isinstance(command, (commands.Propose, commands.Inform, commands.Recall)):
                self._proposer.order(command)
            elif not isinstance(command, (commands.Record, commands.EndRun)):
                self._executor.execute(command, self._tasks(command))
        while self._unshown:
            self._audience.show(self._unshown.popleft())
        ending = next((command for command in decided if isinstance(command, commands.EndRun)), None)
        if ending is not None:
            if ending.status is None:
                raise ExecutorError(ending.reason)
            raise SessionExit(ending.reason, ending.status, ending.kind)

    def _show_rest(self) -> None:
        """Show what is stored and was not shown. What this raises to end the run is dropped: it ends already."""
        while self._unshown:
            with _goes_on():
                self._audience.show(self._unshown.popleft())

    def _store(self) -> None:
        """Persist what is new; kept until that has succeeded, so that an interrupt in the middle loses nothing."""
        batch = tuple(self._unstored)
        if batch:
            self._audience.persist(batch)
            del self._unstored[: len(batch)]
            self._unshown.extend(batch)

    def _tasks(self, command: commands.ExecutorCommand) -> Sequence[Task]:
        if not isinstance(command, commands.RunTrials):
            return ()
        leg = self._controller.studies.leg
        return [self._make_task(key, attempt, command.lease, leg(key)) for key, attempt in command.trials]
