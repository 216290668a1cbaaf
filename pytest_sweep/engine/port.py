"""The port that executors implement: what an executor promises the engine. Knows no Ray, and of pytest only that items pass through."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from pytest_sweep.model.commands import ExecutorCommand
from pytest_sweep.model.events import Event, Node
from pytest_sweep.model.resources import Resources
from pytest_sweep.model.trials import Task
from pytest_sweep.wire.spec import SessionSpec


class Executor(Protocol):
    """Where trials run.

    An executor starts workers, hands them trials and passes on what they say. It decides nothing. The contract, which
    `pytest_sweep.testing.ExecutorContract` holds every executor to:

    * Every StartWorker and RestartWorker is answered by one WorkerStarted or WorkerFailed, every StopWorker by one
      WorkerStopped, every RunTrials by one BatchDone or WorkerDied. Where a cluster is asked first, WorkerStarting says how far that is.
    * KillWorker has no answer of its own: the RunTrials that runs is answered by WorkerDied at once, with the stacks of the worker's
      threads; or by BatchDone, where the batch ended just before. In either case the worker runs nothing more until it is restarted.
    * The events of one worker arrive in the order in which they happened, without gaps: when BatchDone arrives, all that its
      trials have reported has arrived.
    * What a worker said a second before it was killed arrives, before its WorkerDied.
    * BuildShared has a process build a shared fixture with the resources that it asks for, which are given back then, and is answered by
      SharedReady when trials can be handed to workers that use it, also where it has failed: they are told. Its process lives on, and
      where its node is lost, SharedLost says so. StopShared is answered by SharedStopped when it has been torn down.
    * What a trial has reported arrives even where its process was killed right after, unless its node was lost.
    * A report at a milestone of its task arrives at once, in milliseconds. Tell reaches the trial while it runs, in milliseconds, too; it
      has no answer, and is lost where the trial has ended. Where the milestones say so the report waits for it, a second at the most.
    * ReturnTrials has the trials of a call returned that have not begun, within a moment; it has no answer of its own.
    * RequestResources is carried out where there is an autoscaler (`future_nodes`), and has no answer: nodes join.
    * A trial that is handed to a worker is started, returned, or lost with the worker; never run twice for one attempt.
    """

    name: str
    """What ``--sweep-executor`` calls it."""

    max_concurrent: int | None
    """How many trials it can run at once at the most; None leaves it to the resources."""

    can_kill: bool
    """Whether it can end a trial that takes too long; in the driver's own process nobody can."""

    can_gang: bool
    """Whether it can give one trial several workers at once."""

    starts_slowly: bool
    """Whether its workers take a second and more to start: what their first trials need not wait for is done before these, then."""

    advice: str
    """What to say beside the error for a trial that asks for more than there is: what this executor has not; may be empty."""

    def prepare(self) -> None:
        """Begin to start in the background and return at once; called as soon as the first sweep is seen."""

    def starting(self) -> str:
        """Return what people are told while they wait for it to be up: ``Starting Ray...``; empty if they need not wait."""

    def nodes(self) -> Sequence[Node]:
        """Wait until it is up and return the machines there are.

        Raises:
            ExecutorError: it cannot be started or reached; the text says what to do.
        """

    def expected_nodes(self) -> Sequence[Resources]:
        """Return what its nodes will have, as far as that is known without starting or joining anything; none where it is not."""

    def future_nodes(self) -> Sequence[Resources]:
        """Return the largest node types that an autoscaler could add; none where there is no autoscaler."""

    def unshared(self, path: str) -> Sequence[str]:
        """Return the addresses of the nodes that do not see the driver's folder `path`; none where all trials run on one machine."""

    def open(self, spec: SessionSpec, items: Mapping[str, Any]) -> None:
        """Take what workers need, once, before the first is started.

        Args:
            spec: what hosted sessions are to be like.
            items: the driver's own pytest items by the keys of their trials, for an executor that runs them in this process.
        """

    def judge_by(self, decide: Callable[[], None]) -> None:
        """Take what is to be called when a trial reports at a milestone within `events`; called once, before the first order.

        Only an executor that runs trials within `events` needs it; the others do nothing. It calls `decide` from the report, on the main
        thread: that takes what has `arrived`, decides, stores, and executes what is to be told to the trial. What `decide` raises is raised
        by `events`, when the trial has ended.
        """

    def execute(self, command: ExecutorCommand, tasks: Sequence[Task] = ()) -> None:
        """Begin to carry out `command` and return at once; `tasks` belong to RunTrials."""

    def events(self, timeout: float) -> Sequence[Event]:
        """Return what has happened since the last call; wait at most `timeout` seconds for the first of it."""

    def arrived(self) -> Sequence[Event]:
        """Return what has happened already, without waiting for more nor running anything: for the end of a run that is cut off."""

    def cut_off(self) -> Sequence[Event]:
        """End the trials that run, and return what they have said by then, with a WorkerDied for each worker that had some.

        For the end of a run that is cut off: nothing is ordered afterwards. It waits a few seconds at the most.
        """

    def shutdown(self, *, force: bool) -> None:
        """Begin to end every process that it has started, and return. Without `force`, workers have been stopped before."""

    def join(self) -> None:
        """Wait until what `shutdown` began is done."""

    def describe(self) -> str:
        """Return a few words for the status block: ``ray, 2 nodes``."""
