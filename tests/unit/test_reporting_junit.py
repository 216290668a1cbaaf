"""Properties in junit files: all there is, under names that are distinct and valid XML."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from pytest_sweep.model import TrialState
from pytest_sweep.reporting import Progress, junit_properties, junit_suite_properties
from pytest_sweep.testing.samples import SWEEP, finished, make_replicates, make_trial

TEXT = st.text(st.characters(exclude_categories=[]))


def properties(metrics: dict[str, Any] | None = None, **trial: Any) -> list[tuple[str, str]]:
    return junit_properties(replace(make_trial(1), **trial), TrialState.TERMINATED, metrics, "run")


def test_parameters_beside_the_configuration() -> None:
    """Stacked parametrize and parametrized fixtures are properties of their own."""
    found = dict(properties(params={"fold": 2, "data": {"name": "iris"}}))
    assert (found["params.fold"], found["params.data.name"], found["config.lr"]) == ("2", "iris", "1")


def test_names_that_read_the_same() -> None:
    """Of a plain and a nested metric of one dotted name both are kept."""
    found = properties({"val.loss": 1, "val": {"loss": 2}})
    assert ("metric.val.loss", "1") in found
    assert ("sweep.metric.val.loss", "2") in found


def test_names_that_the_test_has_recorded() -> None:
    """What the test has recorded under a name of ours keeps it, and ours gets a prefix."""
    taken = ("metric.loss", "sweep.key")
    found = dict(junit_properties(make_trial(1), TrialState.TERMINATED, {"loss": 1}, "run", taken=taken))
    assert (found["sweep.metric.loss"], found["sweep.sweep.key"]) == ("1", make_trial(1).key)
    assert "metric.loss" not in found


@given(name=TEXT, inner=TEXT, value=TEXT)
def test_names_are_valid_xml(name: str, inner: str, value: str) -> None:
    """Whatever a metric or a parameter is called, an XML parser reads the names, and no two are equal."""
    found = properties({name: 1, "a": {inner: 2}, "b": value}, config={name: value}, params={inner: value})
    element = ElementTree.Element("properties")
    for one, _ in found:
        ElementTree.SubElement(element, "property", name=one)
    read = [one.attrib["name"] for one in ElementTree.fromstring(ElementTree.tostring(element, "utf-8"))]
    assert read == [one for one, _ in found]
    assert len(set(read)) == len(read)


def test_escapes_are_pytests() -> None:
    """Control characters read as in values, which pytest escapes."""
    assert ("metric.loss#x1B[31m", "0.5") in properties({"loss\x1b[31m": 0.5})
    assert ("metric.#xDC80#xFFFF", "1") in properties({"\udc80\uffff": 1})


def test_values_in_full() -> None:
    """Numbers are written in full; an integer that Python cannot write stops nothing."""
    found = dict(properties({"a": 0.1 + 0.2, "b": math.nan}, config={"big": [10**5000]}))
    assert (found["metric.a"], found["metric.b"]) == ("0.30000000000000004", "nan")
    assert "config.big" in found


def test_the_best_of_the_suite() -> None:
    """The suite says which trial or configuration of each sweep is best, and by which value."""
    trials = [*make_replicates(1, 2), *make_replicates(2, 2)]
    progress = Progress(trials)
    for trial, loss in zip(trials, (0.1, 0.9, 0.3, 0.3), strict=True):
        progress.update(finished(trial, metrics={"loss": loss}))
    assert junit_suite_properties(progress) == [
        ("sweep.best.train_model", "train_model[lr=2]"),
        ("sweep.best_value.train_model", "0.3"),
    ]
    assert junit_suite_properties(Progress([make_trial(1)])) == []
    assert junit_suite_properties(Progress([make_trial(1, replace(SWEEP, metric=None))])) == []
