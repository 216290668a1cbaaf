"""The options of the plugin: one table for command line, ini keys and defaults; read once, into one frozen object."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from pytest_sweep.durations import parse_duration
from pytest_sweep.sizes import parse_size

EXECUTORS = ("ray", "processes", "inline")
LAST = "last"
"""The run that ``--sweep-resume`` without a name goes on from."""


@dataclass(frozen=True)
class _Option:
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
        return "--sweep-" + self.name.replace("_", "-")

    @property
    def dest(self) -> str:
        return f"sweep_{self.name}"


def _integer(text: str) -> int:
    try:
        return int(text)
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


def _patterns(text: str) -> tuple[str, ...]:
    patterns = tuple(text.replace(",", " ").split())
    if any(not pattern.strip("*?") for pattern in patterns):
        raise ValueError("never the whole environment: name the variables that trials need, such as WANDB_* HF_HOME")
    return patterns


_OPTIONS = (
    _Option("executor", "where trials run: ray, processes (of this machine), or inline (in this process, for debugging)",
            metavar="NAME", shown_default="ray; processes with pytest-xdist's -n"),
    _Option("address", "join the Ray cluster at host:port, or 'auto', instead of starting a Ray for the run",
            metavar="ADDRESS", shown_default="RAY_ADDRESS, else none"),
    _Option("num_cpus", "CPUs of the Ray that is started for the run", kind=_count, metavar="N",
            shown_default="this machine's"),
    _Option("num_gpus", "GPUs of the Ray that is started for the run", kind=_number, metavar="N",
            shown_default="this machine's"),
    _Option("env", "variables of the environment that workers on a cluster are given: names and patterns, such as 'WANDB_* HF_HOME'",
            kind=_patterns, metavar="NAMES", shown_default="none"),
    _Option("runtime_env", "what workers on Ray are to have, as Ray's runtime_env: a file, or JSON such as '{\"pip\": [\"torch\"]}'",
            metavar="JSON", shown_default="none"),
    _Option("include", "ship what .gitignore names, too: a pattern as there", metavar="PATTERN", shown_default="none", many=True),
    _Option("code_limit", "ship at most so much to nodes that do not see the rootdir", kind=parse_size, metavar="SIZE",
            shown_default="100MiB"),
    _Option("max_concurrent", "run at most N trials at once", kind=_count, metavar="N",
            shown_default="as many as fit"),
    _Option("dir", "folder for results, relative to rootdir", "sweep_results", metavar="PATH"),
    _Option("storage", "where checkpoints go, a path or any URL of fsspec such as s3://bucket/sweeps; needed where nodes share no disk",
            metavar="URL", shown_default="the folder for results"),
    _Option("keep_checkpoints", "keep N checkpoints of each trial, where its sweep does not say keep_checkpoints=", kind=_count,
            metavar="N", shown_default="all"),
    _Option("seed", "seed of the run: what is drawn and every trial's seed depend on it", 0, kind=_integer, metavar="N"),
    _Option("where", "run only the trials that meet a condition: \"lr < 0.01 and model == 'mlp'\"", metavar="CONDITION",
            shown_default="all"),
    _Option("set", "replace an axis for this run, of one sweep (train_model.lr=1e-4,1e-3) or of all that have it (lr=1e-4)",
            metavar="KEY=VALUES", shown_default="none", many=True),
    _Option("max_trials", "refuse a sweep of more than N trials", kind=_count, metavar="N", shown_default="1000000"),
    _Option("status_interval", "seconds between two status blocks, 0 for none but the last", kind=parse_duration,
            metavar="SECONDS", shown_default="30 on a terminal, else a line every 60 and a block every 600"),
    _Option("timeout", "end an attempt that takes longer, where its sweep does not say timeout=: seconds, or 10m, 2h", kind=_limit,
            metavar="TIME", shown_default="none"),
    _Option("budget", "after this time start nothing new; what has not run is NOT_RUN, and the exit status 6", kind=_limit, metavar="TIME",
            shown_default="none"),
    _Option("grace", "when the budget is spent, let running trials go on for this time, or to their next checkpoint", 300.0,
            kind=parse_duration, metavar="TIME", shown_default="5m"),
    _Option("exit_timeout", "how long a worker's process may take to exit when its session has ended; then it is killed", 10.0, kind=_limit,
            metavar="TIME", shown_default="10s"),
    _Option("abort_after", "give up a sweep whose first N finished trials fail with the same error, 0 for never", 20, kind=_number,
            metavar="N"),
    _Option("resume", "go on from a run, by default the last one: what is finished is taken from it, the rest is run", metavar="RUN",
            shown_default="off", alone=LAST),
    _Option("retry_failed", "with --sweep-resume, run those that failed again", False, kind=_truth, is_switch=True,
            shown_default="off"),
    _Option("resume_strict", "with --sweep-resume, take no result that other code has made: refuse to run", False, kind=_truth,
            shown_default="off", is_switch=True),
    _Option("cache", "take results from all earlier runs, where the code that made them has not changed", False, kind=_truth,
            shown_default="off", is_switch=True),
)  # fmt: skip


@dataclass(frozen=True)
class SweepOptions:
    """What the command line, the ini file and the environment say, validated.

    Attributes:
        executor: the name of the executor: ``ray``, ``processes``, ``inline``, or one that a plugin makes.
        processes: how many processes pytest-xdist's ``-n`` asks for, or None.
        address: the Ray cluster to join, or None.
        num_cpus: CPUs of a local Ray, or None for the machine's.
        num_gpus: GPUs of a local Ray, or None for the machine's.
        env: the names and patterns of variables that workers on a cluster are given.
        runtime_env: what workers on Ray are to have, JSON or the path of a file, or None.
        include: patterns of what is shipped though ``.gitignore`` names it.
        code_limit: how many bytes are shipped at the most, or None for the usual.
        max_concurrent: how many trials may run at once, or None.
        results_dir: the folder for results.
        storage: the path or URL for checkpoints, or None for the folder for results.
        keep_checkpoints: how many checkpoints of a trial are kept where its sweep says nothing, or None for all.
        seed: the seed of the run.
        where: the condition that trials must meet, or None.
        sets: the axes that are replaced, as written: ``lr=1e-4,1e-3``.
        max_trials: how many trials a sweep may have, or None for the usual.
        status_interval: seconds between two status blocks, or None for the usual.
        timeout: seconds that an attempt may take where its sweep says nothing, or None.
        budget: seconds after which nothing new starts, or None.
        grace: seconds that running trials have then.
        exit_timeout: seconds that a worker's process may take to exit when its session has ended.
        abort_after: how many trials of a sweep may fail alike from the start, 0 for all.
        resume: the run to go on from, by name or folder, or `LAST`; None for none.
        retry_failed: whether the trials that have failed in it run again.
        strict: whether what other code has made may not be taken from it.
        cache: whether results are taken from all runs.
        starts_nothing: whether the session only looks (``--co``, ``--fixtures``, ``--setup-plan``), so that nothing is to be started.
    """

    executor: str
    processes: int | None
    address: str | None
    num_cpus: int | None
    num_gpus: int | None
    env: tuple[str, ...]
    runtime_env: str | None
    include: tuple[str, ...]
    code_limit: int | None
    max_concurrent: int | None
    results_dir: Path
    storage: str | None
    keep_checkpoints: int | None
    seed: int
    where: str | None
    sets: tuple[str, ...]
    max_trials: int | None
    status_interval: float | None
    timeout: float | None
    budget: float | None
    grace: float
    exit_timeout: float
    abort_after: int
    resume: str | None
    retry_failed: bool
    strict: bool
    cache: bool
    starts_nothing: bool

    @property
    def may_take(self) -> bool:
        """Whether results of earlier runs may be taken, so that there may be nothing to run."""
        return self.resume is not None or self.cache

    @property
    def starts_something(self) -> bool:
        """Whether the executor may begin to start before it is known which trials are run."""
        return not self.starts_nothing and not self.may_take


def add_options(parser: pytest.Parser) -> None:
    """Add ``--sweep`` and all of ``--sweep-*``."""
    group = parser.getgroup("sweep", "parameter sweeps (pytest-sweep)")
    group.addoption("--sweep", action="store_true", default=False, help="run the trials of @sweep functions")
    for option in _OPTIONS:
        text = f"{option.help} (default: {option.shown_default or option.default})"
        more: dict[str, Any] = {} if option.is_switch else {"metavar": option.metavar}
        if option.alone is not None:
            more |= {"nargs": "?", "const": option.alone}
        action = "append" if option.many else "store_true" if option.is_switch else "store"
        group.addoption(option.flag, action=action, dest=option.dest, default=None, help=text, **more)
        kind: Literal["linelist"] | None = "linelist" if option.many else None
        parser.addini(option.dest, f"default of {option.flag}", kind, default=None)


def separate_files(args: list[str]) -> bool:
    """Give an option that may stand alone the value that it has then, so that it does not swallow the file that follows it.

    Returns:
        Whether `args` had such an option.
    """
    alone = {option.flag: f"{option.flag}={option.alone}" for option in _OPTIONS if option.alone is not None}
    end = args.index("--") if "--" in args else len(args)
    if not alone.keys() & set(args[:end]):
        return False
    args[:end] = [alone.get(arg, arg) for arg in args[:end]]
    return True


def read_options(config: pytest.Config) -> SweepOptions:
    """Return the options of this session.

    Raises:
        pytest.UsageError: a value that makes no sense; the text names the option.
    """
    given = {option.name: _value(config, option) for option in _OPTIONS}
    for name in ("retry_failed", "resume_strict"):
        if config.getoption(f"sweep_{name}") and given["resume"] is None:
            flag = next(option.flag for option in _OPTIONS if option.name == name)
            raise pytest.UsageError(f"{flag} is about the run that is resumed: add --sweep-resume")
    looks = any(
        config.getoption(name, False) for name in ("collectonly", "showfixtures", "show_fixtures_per_test", "setuponly")
    )
    processes = config.getoption("numprocesses", None) or None
    return SweepOptions(
        executor=_executor(config, given["executor"], processes),
        processes=processes,
        address=given["address"] or os.environ.get("RAY_ADDRESS") or None,
        num_cpus=given["num_cpus"],
        num_gpus=given["num_gpus"],
        env=given["env"] or (),
        runtime_env=given["runtime_env"],
        include=given["include"],
        code_limit=given["code_limit"],
        max_concurrent=given["max_concurrent"],
        results_dir=results_dir(config),
        storage=_storage(config, given["storage"]),
        keep_checkpoints=given["keep_checkpoints"],
        seed=given["seed"],
        where=given["where"],
        sets=given["set"],
        max_trials=given["max_trials"],
        status_interval=given["status_interval"],
        timeout=given["timeout"],
        budget=given["budget"],
        grace=given["grace"],
        exit_timeout=given["exit_timeout"],
        abort_after=given["abort_after"],
        resume=given["resume"],
        retry_failed=given["retry_failed"],
        strict=given["resume_strict"],
        cache=given["cache"],
        starts_nothing=looks,
    )


def _executor(config: pytest.Config, named: str | None, processes: int | None) -> str:
    if named is None and config.getoption("trace", False):
        return "inline"  # It stops at the start of every trial, which a debugger needs in this process.
    if named is None and processes is not None and config.getoption("sweep_address") is not None:
        raise pytest.UsageError(
            f"-n {processes} runs trials in processes of this machine, and --sweep-address on a cluster: leave one away, or name "
            f"--sweep-executor=ray, so that only the ordinary tests are spread over the {processes} processes"
        )
    return named or ("ray" if processes is None else "processes")


def results_dir(config: pytest.Config) -> Path:
    """Return the folder for results; a relative one is relative to rootdir."""
    option = next(option for option in _OPTIONS if option.name == "dir")
    return config.rootpath / Path(_value(config, option)).expanduser()


def _storage(config: pytest.Config, given: str | None) -> str | None:
    """Return a URL as it is, and a path in full: relative to rootdir."""
    if given is None or "://" in given:
        return given
    return str(config.rootpath / Path(given).expanduser())


def _value(config: pytest.Config, option: _Option) -> Any:
    given, source = config.getoption(option.dest), option.flag
    if given is None:
        given, source = config.getini(option.dest), f"the ini key {option.dest}"
    if option.many:
        return tuple(given or ())
    if given in (None, ""):
        return option.default
    try:
        return option.kind(str(given))
    except ValueError as error:
        raise pytest.UsageError(f"{source}={given}: {error}") from error
