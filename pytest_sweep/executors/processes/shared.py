"""The processes that build shared fixtures, one each, and keep them to the end of the run. Their values are in files, which workers map."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pytest_sweep.executors.processes.process import WorkerProcess
from pytest_sweep.model.shared import SharedBuilding, SharedFixture, SharedReady, SharedStopped
from pytest_sweep.model.trials import Task
from pytest_sweep.wire.calls import Built, CallResult, LostFixture
from pytest_sweep.wire.lastwords import Ending
from pytest_sweep.wire.spec import SessionSpec
from pytest_sweep.worker.lending import death_of_builder, unwatched_death

MOST_TRIES = 2
"""How many processes may die of building a fixture: the first may have been killed by somebody else."""


@dataclass(eq=False)
class _Builder:
    """A shared fixture and its process.

    Attributes:
        id: under which its session goes.
        fixture: the fixture.
        path: the file for its value.
        tries: how many processes it has had.
        process: the one that it has, or None.
        on_answer: what its next answer means; None where none is awaited.
    """

    id: str
    fixture: SharedFixture
    path: Path
    tries: int = 0
    process: WorkerProcess | None = None
    on_answer: Callable[[Any], None] | None = None


class ProcessBuilders:
    """All shared fixtures of the run. Everything here runs in the driver's main thread.

    Args:
        spec: what sessions are to be like.
        start: starts a process.
        end: ends one, later.
        tell: has a function called in the driver's main thread.
        say: tells the engine of an event.
    """

    def __init__(
        self,
        spec: SessionSpec,
        start: Callable[[], Future[WorkerProcess]],
        end: Callable[[WorkerProcess], object],
        tell: Callable[[Callable[[], None]], None],
        say: Callable[[Any], None],
    ) -> None:
        self._spec = spec
        self._start_process = start
        self._end_process = end
        self._tell = tell
        self._say = say
        self._builders: dict[str, _Builder] = {}
        self._offers: dict[str, Any] = {}
        self._made = 0

    def offers(self, tasks: Iterable[Task]) -> dict[str, Any]:
        """Return where the shared fixtures of tasks are, by their ids."""
        return self._of(fixture.id for task in tasks for fixture in task.trial.shared)

    def build(self, fixture: SharedFixture) -> None:
        """Have a process build a fixture."""
        self._made += 1
        folder = Path(self._spec.basetemp, "shared")
        folder.mkdir(exist_ok=True)
        builder = _Builder(f"shared-{self._made}", fixture, folder / str(self._made))
        self._builders[fixture.id] = builder
        self._say(SharedBuilding(fixture.id, "127.0.0.1"))
        self._start(builder)

    def stop(self, fixture: str) -> None:
        """Have a fixture torn down, or its building ended, and its process, too."""
        builder = self._builders[fixture]
        if fixture in self._offers and builder.process is not None:
            self._order(builder, "finish", None, partial(self._after_finish, builder))
        else:
            self._forget(builder)

    def end(self) -> None:
        """End all processes at once."""
        for builder in list(self._builders.values()):
            self._drop(builder)

    def _of(self, fixtures: Iterable[str]) -> dict[str, Any]:
        return {ident: self._offers[ident] for ident in fixtures if ident in self._offers}

    def _start(self, builder: _Builder) -> None:
        builder.tries += 1
        tries = builder.tries
        self._start_process().add_done_callback(
            lambda future: self._tell(partial(self._on_process, builder, tries, future))
        )

    def _on_process(self, builder: _Builder, tries: int, future: Future[WorkerProcess]) -> None:
        error = future.exception()
        if self._is_old(builder, tries):
            if error is None:
                self._end_process(future.result())
            return
        if error is not None:
            self._on_death(builder, Ending(f"a process could not be started: {error}"))
            return
        process = builder.process = future.result()
        process.keeps_last_words_in(self._spec.basetemp)
        process.hear_by(lambda word, value: self._tell(partial(self._on_word, builder, tries, word, value)))
        threads = max(1, int(builder.fixture.resources.cpu))
        self._order(builder, "start", (builder.id, self._spec, threads), partial(self._after_start, builder))

    def _order(self, builder: _Builder, word: str, value: object, on_answer: Callable[[Any], None]) -> None:
        assert builder.process is not None
        builder.on_answer = on_answer
        builder.process.send(word, value)

    def _on_word(self, builder: _Builder, tries: int, word: str, value: Any) -> None:
        if self._is_old(builder, tries):
            return
        if word == "events":
            self._pass_on(value)
        elif word == "answer":
            on_answer, builder.on_answer = builder.on_answer, None
            assert on_answer is not None
            on_answer(value)
        else:
            if builder.process is not None:
                self._end_process(builder.process)
                builder.process = None
            self._on_death(builder, value)

    def _after_start(self, builder: _Builder, result: CallResult) -> None:
        self._pass_on(result.rest)
        if result.failure is not None or result.exit is not None:
            self._say(result.of_start(builder.id, ()))
            return
        fixture = builder.fixture
        value = (fixture, self._of(fixture.needs), str(builder.path))
        self._order(builder, "build", value, partial(self._after_build, builder))

    def _after_build(self, builder: _Builder, answer: tuple[CallResult, Built | str]) -> None:
        result, built = answer
        self._pass_on(result.rest)
        if result.exit is not None:
            self._say(result.of_run(builder.id))
        elif built is None:
            self._on_death(builder, Ending(result.failure or ""))
        else:
            assert not isinstance(built, LostFixture), "what is in a file does not get lost"
            self._be_ready(builder, built)

    def _after_finish(self, builder: _Builder, result: CallResult) -> None:
        self._pass_on(result.rest)
        self._forget(builder)

    def _on_death(self, builder: _Builder, ending: Ending) -> None:
        fixture = builder.fixture
        if builder.on_answer is None and fixture.id in self._offers:
            self._say(unwatched_death(fixture, ending.cause))
        elif fixture.id in self._offers:  # While it was torn down.
            self._say(unwatched_death(fixture, ending.cause))
            self._forget(builder)
        elif builder.tries < MOST_TRIES:
            builder.path.unlink(missing_ok=True)
            self._start(builder)
        else:
            self._be_ready(builder, death_of_builder(fixture, ending.cause, ending.stacks))

    def _be_ready(self, builder: _Builder, offer: object) -> None:
        self._offers[builder.fixture.id] = offer
        self._say(SharedReady(builder.fixture.id))

    def _forget(self, builder: _Builder) -> None:
        self._drop(builder)
        self._say(SharedStopped(builder.fixture.id))

    def _drop(self, builder: _Builder) -> None:
        del self._builders[builder.fixture.id]
        self._offers.pop(builder.fixture.id, None)
        if builder.process is not None:
            self._end_process(builder.process)
            builder.process = None
        builder.path.unlink(missing_ok=True)

    def _is_old(self, builder: _Builder, tries: int) -> bool:
        return self._builders.get(builder.fixture.id) is not builder or builder.tries != tries

    def _pass_on(self, numbered: Iterable[Any]) -> None:
        for _, event in numbered:
            self._say(event)
