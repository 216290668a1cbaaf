"""Runs that tests of the command store without a session, and the command itself, in this process."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema

from pytest_sweep.cli.main import main
from pytest_sweep.model import Sweep, Trial, TrialState
from pytest_sweep.model.events import Accepted, TrialFinished, TrialReported, TrialStarted
from pytest_sweep.model.source import Source
from pytest_sweep.store import RunStore

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "command.schema.json").read_text("utf-8"))
TRAIN = Sweep("test_models.py::train", "train", "loss", "min", varying=("lr",))
BEGAN = 1.7e9


class Done(NamedTuple):
    """What a command has left: its exit status, stdout and stderr."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The document on stdout, which is strict JSON and meets the schema, without anything that the schema does not know."""
        document = json.loads(self.out, parse_constant=_refuse)
        jsonschema.validate(document, _closed(SCHEMA), cls=jsonschema.Draft202012Validator)
        return document


def command(*arguments: object, results: Path | None = None) -> Done:
    """Run ``pytest-sweep`` with these arguments, and ``--dir`` if there are `results`."""
    out, err = io.StringIO(), io.StringIO()
    where = [] if results is None else ["--dir", str(results)]
    words = list(map(str, arguments))
    status = main([*words[:1], *where, *words[1:]], out, err)
    return Done(status, out.getvalue(), err.getvalue())


def trial(number: int, sweep: Sweep = TRAIN, config: Mapping[str, Any] | None = None, **more: Any) -> Trial:
    """Return a trial, whose key is its number."""
    name = f"{sweep.name}[lr={number}]"
    return Trial(
        f"{number:016x}", f"{sweep.id}[lr={number}]", name, sweep, config or {"lr": number}, seed=number, **more
    )


def make_run(
    results_dir: Path,
    values: Sequence[Any] = (0.5,),
    *,
    now: float = BEGAN,
    exit_status: int | None = 0,
    trials: Sequence[Trial] | None = None,
    versions: Mapping[str, str] | None = None,
    resumed_from: Path | None = None,
    source: Source | None = None,
    events: Sequence[Accepted] = (),
) -> Path:
    """Store a run, and return its folder.

    Args:
        results_dir: the folder for results.
        values: for each trial its metrics, a number for ``loss``, or None for a failure.
        now: when it began.
        exit_status: None for a run that was killed.
        trials: the trials; default those of `TRAIN`.
        versions: of packages.
        resumed_from: the run that it was resumed from.
        source: of the sweep.
        events: what else has happened.
    """
    store = begin_run(
        results_dir, values, now=now, trials=trials, versions=versions, resumed_from=resumed_from, source=source
    )
    store.record(events)
    if exit_status is not None:
        store.finish(exit_status, now + 10)
    store.close()
    return store.path


def begin_run(
    results_dir: Path,
    values: Sequence[Any] = (0.5,),
    *,
    now: float = BEGAN,
    trials: Sequence[Trial] | None = None,
    versions: Mapping[str, str] | None = None,
    resumed_from: Path | None = None,
    source: Source | None = None,
) -> RunStore:
    """Return the store of a run that goes on."""
    store = RunStore.create(
        results_dir, seed=7, command="pytest --sweep", executor="inline", rootdir=results_dir,
        versions=versions or {"python": "3.11.7"}, git=("abcdef0123456789", True), resumed_from=resumed_from, now=now,
    )  # fmt: skip
    added = [trial(number) for number in range(len(values))] if trials is None else list(trials)
    store.add_trials(added, None if source is None else {TRAIN.id: source})
    for one, value in zip(added, values, strict=False):
        store.record(ended(one.key, value, now))
    return store


def ended(key: str, value: Any, now: float = BEGAN) -> list[Accepted]:
    """Return what happens to a trial that reports once and ends: its metrics, a number for ``loss``, or None for a failure."""
    events: list[Accepted] = [TrialStarted(key, 1, now, "host:1")]
    if value is None:
        return [*events, TrialFinished(key, 1, TrialState.ERROR, None, "Traceback\nValueError: boom", 1.0, now + 1)]
    metrics = {"training_iteration": 1, **(value if isinstance(value, Mapping) else {"loss": value})}
    return [
        *events,
        TrialReported(key, 1, metrics),
        TrialFinished(key, 1, TrialState.TERMINATED, metrics, None, 1.0, now + 1),
    ]


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def _closed(schema: Any) -> Any:
    """Return a schema that allows no properties but those that it names."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(value) for name, value in schema.items()}
    return {**closed, "additionalProperties": False} if "required" in schema else closed
