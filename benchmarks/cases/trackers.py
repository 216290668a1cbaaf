"""A run that is sent to a tracker, whose server answers, hangs, is busy, fails or drops connections: it may cost the run nothing."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from benchmarks.contestants import PROCESSES, sweep
from benchmarks.model import Case, Contestant, Mark, ratio
from benchmarks.tracker import MODES, server

_TRIALS = 10_000
_WORDS = {
    "answers": "a server that answers",
    "hangs": "one that hangs",
    "429": "one that answers 429",
    "500": "one that answers 500",
    "drops": "one that drops connections",
}


def _tracked(mode: str, trials: int) -> Contestant:
    # What is not sent when the trials are done is left: here it is about the trials.
    options = ("-n2", "--sweep-track=bench", "--sweep-track-wait=0")
    return replace(sweep(_WORDS[mode], trials, *options), beside=partial(server, mode))


def case(trials: int) -> Case:
    """Return the case with this number of trials."""
    return Case(
        "trackers",
        f"{trials:,} trials that are sent to a tracker, on -n2",
        (sweep(PROCESSES, trials, "-n2"), *(_tracked(mode, trials) for mode in MODES)),
        tuple(
            Mark(f"of the time without a tracker: {_WORDS[mode]}", ratio(_WORDS[mode], PROCESSES), 1.03)
            for mode in MODES
        ),
        rounds=5,
    )


CASES = (case(_TRIALS),)
