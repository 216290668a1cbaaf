"""Asks an MLflow server. The only module that imports MLflow; tells a server that is down from a request that it refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.environment_variables import MLFLOW_HTTP_REQUEST_TIMEOUT
from mlflow.exceptions import MlflowException

from pytest_sweep.errors import SweepError
from pytest_sweep.trackers.base import TrackerDown
from pytest_sweep.trackers.mlflow.limits import (
    MOST_METRICS,
    MOST_NAME,
    MOST_PARAM,
    MOST_PARAMS,
    MOST_TAG,
    batches,
    clean_text,
    json_bytes,
    names_of,
)

_ID = "sweep.id"
_OF_AN_END = {"sweep.error", "sweep.reason"}
"""Tags of a run that has ended, which another end need not have."""

_TIME_OUT, _CONFLICT, _TOO_MANY, _SERVER_ERROR, _NOT_IMPLEMENTED = 408, 409, 429, 500, 501
_REFUSED = (401, 403)
_LONGEST_REASON = 200
_NUMBER = 60
"""Bytes of a metric in a request besides its name, at most: value, timestamp and step."""


class Server:
    """An MLflow tracking server.

    All methods raise TrackerDown where it cannot be asked now, SweepError where it refuses the credentials, and MlflowException for what it
    does not accept.

    Args:
        uri: its address, as in ``MLFLOW_TRACKING_URI``.
    """

    def __init__(self, uri: str) -> None:
        self._shown = re.sub(r"//[^/@]*@", "//", uri)
        try:
            self._client = MlflowClient(tracking_uri=uri)
        except MlflowException as error:
            raise SweepError(f"MLflow's client cannot use {self._shown}: {error}") from error

    def experiment(self, name: str) -> str:
        """Return the id of the experiment of this name, which is made if it is not there."""
        with self._asking():
            found = self._client.get_experiment_by_name(name)
            if found is None:
                try:
                    return str(self._client.create_experiment(name))
                except MlflowException as error:
                    if error.error_code != "RESOURCE_ALREADY_EXISTS":
                        raise
                    found = self._client.get_experiment_by_name(name)
        if found is None or found.lifecycle_stage != "active":
            raise SweepError(
                f"the experiment {name!r} on {self._shown} is deleted: restore it with 'mlflow experiments restore', or choose another one "
                f"with mlflow:experiment=NAME"
            )
        return str(found.experiment_id)

    def find(self, experiment: str, stable_id: str) -> str | None:
        """Return the run that `create` has made for a stable id, or None."""
        with self._asking():
            found = self._client.search_runs([experiment], f"tags.`{_ID}` = '{stable_id}'", max_results=1)
        return str(found[0].info.run_id) if found else None

    def create(
        self, experiment: str, stable_id: str, name: str, started: int | None, tags: Mapping[str, object]
    ) -> str:
        """Make a run, and return its id.

        Args:
            experiment: the id of its experiment.
            stable_id: by which `find` finds it.
            name: what it is called.
            started: when it began, in milliseconds since the epoch; None is now.
            tags: its tags; those that are None are left out.
        """
        texts = {tag.key: tag.value for tag in _tags({_ID: stable_id, **tags})}
        with self._asking():
            run: Run = self._client.create_run(
                experiment, start_time=started, tags=texts, run_name=clean_text(name, MOST_NAME)
            )
        return str(run.info.run_id)

    def resume(self, run: str) -> bool:
        """Mark a run as running again; return whether it is there."""
        with self._asking():
            try:
                found = self._client.get_run(run)
                if found.info.lifecycle_stage != "active":
                    return False
                for tag in _OF_AN_END & found.data.tags.keys():
                    self._client.delete_tag(run, tag)
                self._client.update_run(run, status="RUNNING")
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
                return False
        return True

    def add_params(self, run: str, values: Mapping[str, object]) -> None:
        """Log parameters. A value that differs from the one that is there, which MLflow forbids, becomes a tag ``sweep.changed.NAME``."""
        names = names_of(values)
        params = [Param(names[name], clean_text(str(value), MOST_PARAM)) for name, value in values.items()]
        try:
            self._log_params(run, params)
        except MlflowException as error:
            if error.error_code != "INVALID_PARAMETER_VALUE":
                raise
            with self._asking():
                there = self._client.get_run(run).data.params
            changed = {param.key: param.value for param in params if there.get(param.key, param.value) != param.value}
            if not changed:
                raise
            self._log_params(run, [param for param in params if param.key not in changed])
            self.add_tags(run, {f"sweep.changed.{name}": value for name, value in changed.items()})

    def add_metrics(self, run: str, points: Sequence[tuple[Mapping[str, float], int, int]]) -> None:
        """Log metrics, each with the time in milliseconds and its step. The same ones once more change nothing."""
        metrics = (
            Metric(new, values[name], time, step)
            for values, time, step in points
            for name, new in names_of(values).items()
        )
        for batch in batches(metrics, MOST_METRICS, lambda metric: json_bytes(metric.key) + _NUMBER):
            with self._asking():
                self._client.log_batch(run, metrics=batch, synchronous=True)

    def add_tags(self, run: str, tags: Mapping[str, object]) -> None:
        """Set tags; those that are None are left out."""
        for batch in batches(_tags(tags), MOST_PARAMS, lambda tag: json_bytes(tag.key) + json_bytes(tag.value)):
            with self._asking():
                self._client.log_batch(run, tags=batch, synchronous=True)

    def end(self, run: str, status: str, time: int | None) -> None:
        """Set how a run has ended, and when, in milliseconds since the epoch."""
        with self._asking():
            self._client.set_terminated(run, status, time)

    def _log_params(self, run: str, params: Sequence[Param]) -> None:
        for batch in batches(params, MOST_PARAMS, lambda param: json_bytes(param.key) + json_bytes(param.value)):
            with self._asking():
                self._client.log_batch(run, params=batch, synchronous=True)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except MlflowException as error:
            status = error.get_http_status_code()
            if status in _REFUSED:
                raise SweepError(
                    f"{self._shown} refuses the credentials ({_reason(error)}): set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and "
                    "MLFLOW_TRACKING_PASSWORD"
                ) from error
            if status in (_TIME_OUT, _CONFLICT, _TOO_MANY) or (status >= _SERVER_ERROR and status != _NOT_IMPLEMENTED):
                raise TrackerDown(f"{self._shown} cannot be used now: {_reason(error)}") from error
            raise
        except (OSError, ValueError) as error:  # What no server of MLflow answers, as one in front of it may.
            raise TrackerDown(f"{self._shown} cannot be used now: {_reason(error)}") from error


def _tags(tags: Mapping[str, object]) -> list[RunTag]:
    names = names_of(tags)
    return [RunTag(names[key], clean_text(str(value), MOST_TAG)) for key, value in tags.items() if value is not None]


def _reason(error: BaseException) -> str:
    """Return what was wrong first: MLflow wraps what it gets three times."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    if isinstance(error, TimeoutError):
        return f"it does not answer within {MLFLOW_HTTP_REQUEST_TIMEOUT.get()} s"
    text = " ".join((str(error) or type(error).__name__).split())
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}…"
