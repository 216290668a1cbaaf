"""``pytest-sweep``, from the start of Python to the prompt: lists of runs and of trials."""

from __future__ import annotations

from functools import partial

from benchmarks.listing import results
from benchmarks.model import Case, Contestant, Mark, figure

_LS, _LS_ALL, _SHOW = "pytest-sweep ls", "pytest-sweep ls --limit 0", "pytest-sweep show"


def _command(name: str, runs: int, trials: int) -> Contestant:
    words = ("-m", "benchmarks.listing", *name.split()[1:])
    return Contestant(name, words, beside=partial(results, runs, trials))


CASES = (
    Case(
        "ls",
        "listing 1,000 runs",
        (_command(_LS, 1000, 20), _command(_LS_ALL, 1000, 20)),
        (
            Mark("to the prompt", figure(_LS, "seconds"), 1.0, unit="s", is_relative=False),
            Mark("to the prompt, all of them", figure(_LS_ALL, "seconds"), None, unit="s", is_relative=False),
        ),
        rounds=5,
    ),
    Case(
        "show",
        "showing a run of 100,000 trials",
        (_command(_SHOW, 1, 100_000),),
        (Mark("to the prompt", figure(_SHOW, "seconds"), 2.0, unit="s", is_relative=False),),
        rounds=5,
    ),
)
