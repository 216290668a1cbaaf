"""Reads what pytest-rerunfailures is told (``--reruns``, ``flaky``) as ``retries=`` of a sweep that says nothing of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from pytest_sweep.model.retry import RetryOn
from pytest_sweep.model.trials import Sweep, Trial

_ANY = r"[\s\S]*"


class Reruns:
    """A plugin that knows how often trials are tried again, and tells ``--fail-on-flaky`` which ones were.

    Args:
        manager: where pytest-rerunfailures is registered, if it is there.
    """

    def __init__(self, manager: pytest.PytestPluginManager) -> None:
        plugins = manager.get_plugins()
        self._plugin: Any = next((p for p in plugins if getattr(p, "__name__", "") == "pytest_rerunfailures"), None)
        self._warned: set[str] = set()
        self._flaky: set[str] = set()

    def applied(self, sweep: Sweep, item: pytest.Item) -> Sweep:
        """Return the sweep with the retries that the options, the ini keys or the mark of this item ask for."""
        count = None if self._plugin is None else self._plugin.get_reruns_count(item)
        if not count:
            return sweep
        try:
            wanted = self._is_wanted(item)
            retry_on = _retry_on(_filter(item, "only_rerun"), _filter(item, "rerun_except"))
        except ValueError as error:
            if sweep.id not in self._warned:
                self._warned.add(sweep.id)
                item.warn(
                    pytest.PytestWarning(
                        f"{sweep.name} is not tried again: {error}; say it with retries= and retry_on="
                    )
                )
            return sweep
        if not wanted:
            return sweep
        delay = self._plugin.get_reruns_delay(item)
        return replace(sweep, retries=count, retry_on=retry_on or sweep.retry_on, backoff=delay or sweep.backoff)

    def pytest_sweep_trial_retry(self, trial: Trial) -> None:
        """Take note of a trial that is tried again."""
        self._flaky.add(trial.id)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Forget a trial that fails in the end."""
        if report.failed:
            self._flaky.discard(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Tell pytest-rerunfailures, by what it goes by, which trials have passed only when they were tried again."""
        for item in getattr(session, "items", ()) if self._plugin is not None else ():
            if item.nodeid in self._flaky:
                item.execution_count = 2

    def _is_wanted(self, item: pytest.Item) -> bool:
        """Say whether the mark's condition holds, as pytest-rerunfailures evaluates it.

        Raises:
            ValueError: the condition is about the error, which nobody knows yet.
        """
        mark = item.get_closest_marker("flaky")
        condition = None if mark is None else mark.kwargs.get("condition")
        if callable(condition) or (isinstance(condition, str) and re.search(r"\berror\b", condition)):
            raise ValueError(
                f"the condition {condition!r} of flaky is judged by the error, and a trial's retries before it runs"
            )
        return bool(self._plugin.get_reruns_condition(item))


def _filter(item: pytest.Item, name: str) -> Sequence[Any]:
    """Return what the mark says of `name`, else the option, else the ini key: classes and regular expressions."""
    mark = item.get_closest_marker("flaky")
    if mark is not None and name in mark.kwargs:
        given = mark.kwargs[name]
        return given if isinstance(given, (list, tuple)) else [given]
    given = item.config.getoption(name, None)
    return (item.config.getini(name) if given is None else given) or ()


def _retry_on(only: Sequence[Any], excepted: Sequence[Any]) -> RetryOn | None:
    """Return the failures that meet one of `only` and none of `excepted`; None where every failure does.

    Raises:
        ValueError: they cannot be said in our words.
    """
    try:
        if not excepted:
            return RetryOn.parse([re.compile(one) if isinstance(one, str) else one for one in only]) if only else None
        wanted = f"(?:{'|'.join(only)})" if only else ""
        return RetryOn(patterns=(re.compile(rf"\A(?!{_ANY}(?:{'|'.join(excepted)})){_ANY}{wanted}").pattern,))
    except TypeError as error:  # A class among them, whose subclasses no pattern knows.
        raise ValueError("rerun_except= is understood for regular expressions only, beside others of them") from error
    except re.error as error:
        raise ValueError(f"only_rerun or rerun_except: {error}") from error
