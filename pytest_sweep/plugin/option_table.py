"""The table of the plugin's options: for each its name on the command line and in the ini file, its help, its kind and its default."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pytest_sweep.durations import parse_duration
from pytest_sweep.model.integers import parse_integer
from pytest_sweep.sizes import parse_size

LIVE = ("auto", "on", "off")
LAST = "last"
"""The run that ``--sweep-resume`` without a name goes on from."""


@dataclass(frozen=True)
class Option:
    """An option ``--sweep-NAME`` with its ini key ``sweep_NAME``; `many` can be given several times, in the ini file a line each.

    `alone` is its value where none is given: as in ``--sweep-resume``; a switch takes no value at all.
    """

    name: str
    help: str
    default: Any = None
    kind: Callable[[str], Any] = str
    metavar: str | None = None
    shown_default: str | None = None
    many: bool = False
    alone: str | None = None
    is_switch: bool = False

    @property
    def flag(self) -> str:
        """How the command line names it."""
        return "--sweep-" + self.name.replace("_", "-")

    @property
    def dest(self) -> str:
        """How pytest and the ini file name it."""
        return f"sweep_{self.name}"


def _integer(text: str) -> int:
    try:
        return parse_integer(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a whole number") from None


def _count(text: str) -> int:
    number = _integer(text)
    if number < 1:
        raise ValueError(f"{text} is less than 1")
    return number


def _number(text: str) -> int:
    number = _integer(text)
    if number < 0:
        raise ValueError(f"{text} is negative")
    return number


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "1", "yes", "on", "false", "0", "no", "off"):
        raise ValueError(f"{text!r} is neither true nor false")
    return text.lower() in ("true", "1", "yes", "on")


def _limit(text: str) -> float:
    seconds = parse_duration(text)
    if seconds <= 0:
        raise ValueError(f"{text} is no time at all")
    return seconds


def _live(text: str) -> str:
    if text not in LIVE:
        raise ValueError(f"write one of {', '.join(LIVE)}")
    return text


def _patterns(text: str) -> tuple[str, ...]:
    patterns = tuple(text.replace(",", " ").split())
    if any(not pattern.strip("*?") for pattern in patterns):
        raise ValueError("never the whole environment: name the variables that trials need, such as WANDB_* HF_HOME")
    return patterns


OPTIONS = (
    Option("executor", "where trials run: ray, processes (of this machine), or inline (in this process, for debugging)",
            metavar="NAME", shown_default="ray; processes with pytest-xdist's -n"),
    Option("address", "join the Ray cluster at host:port, or 'auto', instead of starting a Ray for the run",
            metavar="ADDRESS", shown_default="RAY_ADDRESS, else none"),
    Option("num_cpus", "CPUs of the Ray that is started for the run", kind=_count, metavar="N",
            shown_default="this machine's"),
    Option("num_gpus", "GPUs of the Ray that is started for the run", kind=_number, metavar="N",
            shown_default="this machine's"),
    Option("env", "variables of the environment that workers on a cluster are given: names and patterns, such as 'WANDB_* HF_HOME'",
            kind=_patterns, metavar="NAMES", shown_default="none"),
    Option("runtime_env", "what workers on Ray are to have, as Ray's runtime_env: a file, or JSON such as '{\"pip\": [\"torch\"]}'",
            metavar="JSON", shown_default="none"),
    Option("include", "ship what .gitignore names, too: a pattern as there", metavar="PATTERN", shown_default="none", many=True),
    Option("code_limit", "ship at most so much to nodes that do not see the rootdir", kind=parse_size, metavar="SIZE",
            shown_default="100MiB"),
    Option("max_concurrent", "run at most N trials at once", kind=_count, metavar="N",
            shown_default="as many as fit"),
    Option("dir", "folder for results, relative to rootdir", "sweep_results", metavar="PATH"),
    Option("storage", "where checkpoints go, a path or any URL of fsspec such as s3://bucket/sweeps; needed where nodes share no disk",
            metavar="URL", shown_default="the folder for results"),
    Option("keep_checkpoints", "keep N checkpoints of each trial, where its sweep does not say keep_checkpoints=", kind=_count,
            metavar="N", shown_default="all"),
    Option("seed", "seed of the run: what is drawn and every trial's seed depend on it", 0, kind=_integer, metavar="N"),
    Option("where", "run only the trials that meet a condition: \"lr < 0.01 and model == 'mlp'\"", metavar="CONDITION",
            shown_default="all"),
    Option("set", "replace an axis for this run, of one sweep (train_model.lr=1e-4,1e-3) or of all that have it (lr=1e-4)",
            metavar="KEY=VALUES", shown_default="none", many=True),
    Option("search", "choose configurations with another searcher: random, qmc, tpe, gp, or another name that search= takes; for all "
            "sweeps that have something to choose", metavar="NAME", shown_default="what each sweep says"),
    Option("scheduler", "stop and pause trials with another scheduler: asha, median, hyperband; none runs all trials to their ends",
            metavar="NAME", shown_default="what each sweep says"),
    Option("num_samples", "how many samples, or trials of a search, each sweep has that draws values", kind=_count, metavar="N",
            shown_default="what each sweep says"),
    Option("warm", "tell searchers first what an earlier run has found: its name or a part of it, 'last', a tag, or a path", metavar="RUN",
            shown_default="none"),
    Option("max_trials", "refuse a sweep of more than N trials", kind=_count, metavar="N", shown_default="1000000"),
    Option("status_interval", "seconds between two status blocks, 0 for none but the last", kind=parse_duration,
            metavar="SECONDS", shown_default="30 on a terminal, else a line every 60 and a block every 600"),
    Option("live", "show the state of the run below pytest's output: auto, on, off", "auto", kind=_live, metavar="WHEN",
            shown_default="auto: on a terminal, but not in CI, with -q, -s, --pdb, or inline"),
    Option("timeout", "end an attempt that takes longer, where its sweep does not say timeout=: seconds, or 10m, 2h", kind=_limit,
            metavar="TIME", shown_default="none"),
    Option("budget", "after this time start nothing new; what has not run is NOT_RUN, and the exit status 6", kind=_limit, metavar="TIME",
            shown_default="none"),
    Option("grace", "when the budget is spent, let running trials go on for this time, or to their next checkpoint", 300.0,
            kind=parse_duration, metavar="TIME", shown_default="5m"),
    Option("exit_timeout", "how long a worker's process may take to exit when its session has ended; then it is killed", 10.0, kind=_limit,
            metavar="TIME", shown_default="10s"),
    Option("abort_after", "give up a sweep whose first N finished trials fail with the same error, 0 for never", 20, kind=_number,
            metavar="N"),
    Option("resume", "go on from a run, by default the last one: what is finished is taken from it, the rest is run; a name or a part of"
            " it, last~1, a tag, or a path", metavar="RUN",
            shown_default="off", alone=LAST),
    Option("retry_failed", "with --sweep-resume, run those that failed again", False, kind=_truth, is_switch=True,
            shown_default="off"),
    Option("resume_strict", "with --sweep-resume, take no result that other code has made: refuse to run", False, kind=_truth,
            shown_default="off", is_switch=True),
    Option("cache", "take results from all earlier runs, where the code that made them has not changed", False, kind=_truth,
            shown_default="off", is_switch=True),
    Option("track", "send reports to trackers while the run goes on: tensorboard, mlflow, wandb, trackio, jsonl, csv; with settings as in "
            "mlflow:experiment=nightly", metavar="NAMES", shown_default="none", many=True),
    Option("track_wait", "how long the end of the run waits for what trackers have not been sent; then it is left for pytest-sweep track",
            30.0, kind=parse_duration, metavar="TIME", shown_default="30s"),
    Option("report", "write the run as one HTML file when it ends, also when it is interrupted; relative to rootdir", metavar="FILE",
            shown_default="none"),
)  # fmt: skip
