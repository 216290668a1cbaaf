"""Trials that print: the driver's memory must not grow with what they have printed."""

from __future__ import annotations

from benchmarks.contestants import sweep
from benchmarks.model import Case, Contestant, Mark, ratio

_SILENT, _PRINTING = "pytest --sweep -n2, silent", "pytest --sweep -n2, 23 KB printed"
_TRIALS, _CHARACTERS = 20_000, 23_000


def _printing(name: str, characters: int) -> Contestant:
    environ = {"BENCH_CHARACTERS": str(characters)}
    return sweep(name, _TRIALS, "-n2", file="test_printing.py", environ=environ)


CASES = (
    Case(
        "printing",
        "20,000 trials that print 23 KB each, beside trials that print nothing, on -n2",
        (_printing(_PRINTING, _CHARACTERS), _printing(_SILENT, 0)),
        (
            Mark("of the driver's memory without output", ratio(_PRINTING, _SILENT, "memory"), 1.2),
            Mark("of the time without output", ratio(_PRINTING, _SILENT)),
        ),
        rounds=1,
    ),
)
