"""Asks searchers in a thread of its own, one call at a time and in the order of the engine: a searcher may take seconds to choose.

What a searcher raises, whatever it is, becomes an event that ends the run. The thread does not keep the process alive: a searcher that
hangs is left behind.
"""

from __future__ import annotations

import queue
import threading
import traceback
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from pytest_sweep.engine.study import Study
from pytest_sweep.model.commands import Inform, Propose, Recall, SearchCommand
from pytest_sweep.model.search_events import (
    ProposalDeferred,
    ProposalEvent,
    ProposalFailed,
    ProposalsEnded,
    Proposed,
)
from pytest_sweep.search.protocols import Done, Searcher, Values, Wait

MOST_ASKED = 100
"""How often a searcher is asked for one slot, where ``where=`` forbids what it proposes."""

ENDING_SECONDS = 1.0
"""How long the end of a run waits for a searcher that is taking what it was told."""


class Proposer:
    """The thread that asks the searchers of a run. It is started with the first order.

    Args:
        studies: those of the run.
    """

    def __init__(self, studies: Iterable[Study]) -> None:
        self._studies = {study.id: study for study in studies}
        self._failed: set[str] = set()
        self._orders: queue.SimpleQueue[SearchCommand | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[ProposalEvent] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_over = False

    def order(self, command: SearchCommand) -> None:
        """Have `command` carried out after those before it; return at once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="sweep-proposer", daemon=True)
            self._thread.start()
        self._orders.put(command)

    def answers(self, timeout: float = 0.0) -> list[ProposalEvent]:
        """Return what searchers have answered since the last call; wait at most `timeout` seconds for the first of it."""
        answers: list[ProposalEvent] = []
        if self._thread is None:
            return answers
        with suppress(queue.Empty):
            if timeout > 0:
                answers.append(self._answers.get(timeout=timeout))
            while True:
                answers.append(self._answers.get_nowait())
        return answers

    def close(self) -> list[ProposalEvent]:
        """End the thread when it has carried out what was ordered, and return what searchers have answered; wait a second at the most."""
        if self._thread is not None:
            self._orders.put(None)
            self._thread.join(ENDING_SECONDS)
        return self.answers()

    def cut_off(self) -> None:
        """End the thread after what it does now, and return at once."""
        self._is_over = True
        self._orders.put(None)

    def _run(self) -> None:
        while (command := self._orders.get()) is not None and not self._is_over:
            if command.study in self._failed:
                continue
            try:
                answer = self._obey(self._studies[command.study], command)
            except BaseException as error:  # Also pytest.fail and SystemExit, which would end nothing but this thread.
                self._failed.add(command.study)
                answer = ProposalFailed(command.study, _failure(self._studies[command.study], command, error))
            if answer is not None:
                self._answers.put(answer)

    def _obey(self, study: Study, command: SearchCommand) -> ProposalEvent | None:
        searcher = study.searcher
        assert searcher is not None, f"{study.id} has no searcher for {command}"
        if isinstance(command, Inform):
            searcher.tell(command.observation)
            return None
        if isinstance(command, Recall):
            _recall(study, searcher, command)
            return None
        return _ask(study, searcher, command)


def _recall(study: Study, searcher: Searcher, command: Recall) -> None:
    """Have a searcher choose again what it chose in an earlier run; one that can be told so needs less time for it."""
    restore = getattr(searcher, "restore", None)
    if restore is not None:
        restore(command.key, command.slot, command.values)
    else:
        _ask(study, searcher, Propose(command.study, command.key, command.slot))


def _ask(study: Study, searcher: Searcher, command: Propose) -> ProposalEvent:
    for refused in range(MOST_ASKED):
        values = searcher.ask(command.key, command.slot)
        if isinstance(values, Wait):
            return ProposalDeferred(command.key, study.id)
        if isinstance(values, Done):
            return ProposalsEnded(study.id, values.reason)
        proposed = _completed(study, command, values, refused)
        if proposed is not None:
            return replace(proposed, slot=command.slot, refused=refused)
    text = (
        f"where= of {study.name} has refused {MOST_ASKED} configurations in a row that the searcher proposed for slot {command.slot}: "
        "allow more of the space, or write its keys so that fewer combinations are forbidden"
    )
    return ProposalFailed(study.id, text)


def _completed(study: Study, command: Propose, values: Values, refused: int) -> Proposed | None:
    if study.complete is None:
        raise TypeError(f"nothing completes the configurations of {study.id}")
    return study.complete(command.key, command.slot, values, refused)


def _failure(study: Study, command: SearchCommand, error: BaseException) -> str:
    """Return what is said of an exception: a sentence, then its traceback, from the searcher's own frame on."""
    did = "was told a result" if isinstance(command, Inform) else "was asked for a configuration"
    last = traceback.format_exception_only(error)[-1].strip()
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return f"the searcher of {study.name} has failed when it {did}: {last}\n\n{trace.rstrip()}"
