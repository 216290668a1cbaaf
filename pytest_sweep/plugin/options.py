"""The options of a session: read once from command line, ini file and environment, into one frozen object."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from pytest_sweep.plugin.option_table import OPTIONS, Option

EXECUTORS = ("ray", "processes", "inline")


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
        search: the name of a searcher for all sweeps that have something to choose, or None.
        scheduler: the name of a scheduler for all sweeps that have a metric, ``none`` for no scheduler, or None.
        num_samples: how many samples each sweep has that draws or is searched, or None.
        warm: the run whose results searchers are told first, by name or folder, or None.
        max_trials: how many trials a sweep may have, or None for the usual.
        status_interval: seconds between two status blocks, or None for the usual.
        live: when the live view is shown: ``auto``, ``on`` or ``off``.
        timeout: seconds that an attempt may take where its sweep says nothing, or None.
        budget: seconds after which nothing new starts, or None.
        grace: seconds that running trials have then.
        exit_timeout: seconds that a worker's process may take to exit when its session has ended.
        abort_after: how many trials of a sweep may fail alike from the start, 0 for all.
        resume: the run to go on from, by name or folder, or `LAST`; None for none.
        retry_failed: whether the trials that have failed in it run again.
        strict: whether what other code has made may not be taken from it.
        cache: whether results are taken from all runs.
        track: the trackers that reports are sent to, as written.
        track_wait: how many seconds the end of the run waits for them.
        report: the file for the report page, or None.
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
    search: str | None
    scheduler: str | None
    num_samples: int | None
    warm: str | None
    max_trials: int | None
    status_interval: float | None
    live: str
    timeout: float | None
    budget: float | None
    grace: float
    exit_timeout: float
    abort_after: int
    resume: str | None
    retry_failed: bool
    strict: bool
    cache: bool
    track: tuple[str, ...]
    track_wait: float
    report: Path | None
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
    for option in OPTIONS:
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
    alone = {option.flag: f"{option.flag}={option.alone}" for option in OPTIONS if option.alone is not None}
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
    given = {option.name: _value(config, option) for option in OPTIONS}
    for name in ("retry_failed", "resume_strict"):
        if config.getoption(f"sweep_{name}") and given["resume"] is None:
            flag = next(option.flag for option in OPTIONS if option.name == name)
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
        search=given["search"],
        scheduler=given["scheduler"],
        num_samples=given["num_samples"],
        warm=given["warm"],
        max_trials=given["max_trials"],
        status_interval=given["status_interval"],
        live=given["live"],
        timeout=given["timeout"],
        budget=given["budget"],
        grace=given["grace"],
        exit_timeout=given["exit_timeout"],
        abort_after=given["abort_after"],
        resume=given["resume"],
        retry_failed=given["retry_failed"],
        strict=given["resume_strict"],
        cache=given["cache"],
        track=given["track"],
        track_wait=given["track_wait"],
        report=None if given["report"] is None else config.rootpath / _expanded(given["report"]),
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
    option = next(option for option in OPTIONS if option.name == "dir")
    return config.rootpath / _expanded(_value(config, option))


def _storage(config: pytest.Config, given: str | None) -> str | None:
    """Return a URL as it is, and a path in full: relative to rootdir."""
    if given is None or "://" in given:
        return given
    return str(config.rootpath / _expanded(given))


def _expanded(path: str) -> str:
    # `Path.expanduser` raises for a user that there is not: then it is the name of a folder.
    return os.path.expanduser(path)  # noqa: PTH111


def _value(config: pytest.Config, option: Option) -> Any:
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
