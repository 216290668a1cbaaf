"""The words of the instrument: a case has contestants, which run in turn, and marks, which are judged round by round."""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measuring import Sample, environment, run_process

PROJECTS = Path(__file__).parent / "projects"
Round = Mapping[str, Sample]
"""One round of a case: what each contestant has given, by its name."""


@dataclass(frozen=True)
class Contestant:
    """A whole process that does the work of a case.

    Attributes:
        name: as the table has it.
        command: its arguments, after this Python.
        files: files of ``benchmarks/projects`` that are put into the empty folder that it runs in.
        environ: what it finds in its environment.
        finish: adds to the sample what can be read in the folder when it has ended.
        beside: what is to be there while it runs, and is not measured; gives more of the environment.
        timeout: after how many seconds it counts as failed.
    """

    name: str
    command: tuple[str, ...]
    files: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    finish: Callable[[Path, Sample], Sample] = lambda _, sample: sample
    beside: Callable[[], AbstractContextManager[Mapping[str, str]]] = lambda: nullcontext({})
    timeout: float = 900.0

    def measure(self, number: int = 0) -> Sample:
        """Run it once, in a folder of its own; it finds the number of the round, from 0, as ``BENCH_ROUND``.

        Raises:
            FailedError: it did not do its work.
        """
        with tempfile.TemporaryDirectory(prefix="bench-") as name, self.beside() as more:
            folder = Path(name)
            (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
            for file in self.files:
                shutil.copy(PROJECTS / file, folder)
            command = [sys.executable, *self.command]
            sample = run_process(
                command, folder, environment({"BENCH_ROUND": str(number), **self.environ, **more}), self.timeout
            )
            return self.finish(folder, sample)


@dataclass(frozen=True)
class Mark:
    """What a case has to reach.

    Attributes:
        text: what is compared.
        value: of one round.
        limit: the mark; None where it is only shown.
        at_least: whether more is better.
        unit: of value and limit.
        is_relative: whether it is a comparison within one round, which holds on any machine; others are not compared with a baseline.
    """

    text: str
    value: Callable[[Round], float]
    limit: float | None = None
    at_least: bool = False
    unit: str = "times"
    is_relative: bool = True

    def judge(self, rounds: Sequence[Round]) -> Outcome:
        """Return what came out of all rounds."""
        return Outcome(self, tuple(self.value(round_) for round_ in rounds))


@dataclass(frozen=True)
class Outcome:
    """The values of a mark, one a round."""

    mark: Mark
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """What counts."""
        return statistics.median(self.values)

    @property
    def is_met(self) -> bool | None:
        """Whether the mark is reached; None where there is none."""
        if self.mark.limit is None:
            return None
        return self.median >= self.mark.limit if self.mark.at_least else self.median <= self.mark.limit

    def times_worse(self, before: float) -> float:
        """Return how many times worse the median is than `before`: 2 is twice as slow."""
        return before / self.median if self.mark.at_least else self.median / before


@dataclass(frozen=True)
class Case:
    """One line of the table of what is measured.

    Attributes:
        name: by which it is selected.
        title: what is measured.
        contestants: run in turn in each round, in this order.
        marks: judged round by round.
        rounds: how many, unless the command says otherwise.
    """

    name: str
    title: str
    contestants: tuple[Contestant, ...]
    marks: tuple[Mark, ...]
    rounds: int = 3

    def play(self, number: int = 0) -> Round:
        """Run one round, of this number.

        Raises:
            FailedError: a contestant did not do its work.
        """
        return {contestant.name: contestant.measure(number) for contestant in self.contestants}


def ratio(one: str, other: str, figure: str = "seconds") -> Callable[[Round], float]:
    """Return what divides a figure of one contestant by the same of another, within a round."""
    return lambda round_: round_[one][figure] / round_[other][figure]


def figure(one: str, name: str, scale: float = 1.0) -> Callable[[Round], float]:
    """Return what reads a figure of one contestant."""
    return lambda round_: round_[one][name] * scale
