"""Stop rules, states and trials: what they accept, and what they say."""

from __future__ import annotations

import dataclasses
import importlib
import math
import re
from dataclasses import is_dataclass, replace
from pkgutil import iter_modules

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sweep import model
from pytest_sweep.errors import DefinitionError, ExecutorError, MissingExtraError, SweepError
from pytest_sweep.model import Resources, StopRule, Sweep, Trial, TrialState, events
from pytest_sweep.model.metrics import AUTO_METRICS
from pytest_sweep.model.parameters import Parameters, ParameterValue
from pytest_sweep.model.trials import name_without_replicate
from pytest_sweep.testing.samples import SWEEP, make_replicates


def named(name: str, key: str = "0123456789abcdef") -> Trial:
    return Trial(key, f"test_models.py::{name}", name, SWEEP, {})


class TestStopRule:
    @pytest.mark.parametrize(
        ("condition", "met", "missed"),
        [(0.9, 0.9, 0.8), ("< 0.1", 0.09, 0.1), ("<=0.1", 0.1, 0.2), ("> 5", 6, 5), (">= 1e3", 1000, 999.0), (7, math.inf, 6)],
    )  # fmt: skip
    def test_conditions(self, condition: object, met: float, missed: float) -> None:
        """A number means at least that; a string compares as it is written."""
        rule = StopRule.parse("loss", condition)
        assert rule.met({"loss": met})
        assert not rule.met({"loss": missed})

    @pytest.mark.parametrize("value", [math.nan, True, None, "0.5", [1], {"a": 1}])
    def test_what_never_meets_it(self, value: object) -> None:
        """NaN, and what is no number, never end a trial; nor does a metric that is not there."""
        rule = StopRule.parse("loss", "< 1e9")
        assert not rule.met({"loss": value})
        assert not rule.met({"accuracy": 1})

    @pytest.mark.parametrize(
        "condition", ["0.1", "== 1", "< a", "< ", "", None, True, math.nan, "< nan", [1], "loss < 1", "< 1 2"]
    )
    def test_bad_conditions(self, condition: object) -> None:
        """What is neither a number nor a comparison with one is an error that says what to write."""
        with pytest.raises(DefinitionError) as caught:
            StopRule.parse("loss", condition)
        assert str(caught.value) == (
            f"stop={{'loss': {condition!r}}}: write a number (at least that) or a comparison such as '< 0.1' or '>= 5'"
        )

    def test_the_name_is_a_string(self) -> None:
        """A metric that is not named by a string is an error."""
        with pytest.raises(DefinitionError, match=r"stop=\{3: \.\.\.\}: the name of a metric is a string"):
            StopRule.parse(3, 1)

    def test_as_text(self) -> None:
        """As text it reads as it was written."""
        assert str(StopRule.parse("loss", "<0.10")) == "loss < 0.1"
        assert str(StopRule.parse("training_iteration", 100)) == "training_iteration >= 100"


class TestTrialState:
    def test_finished(self) -> None:
        """What waits, runs or was not run has no result; everything else has one."""
        assert [state.value for state in TrialState if not state.is_finished] == [
            "PENDING",
            "RUNNING",
            "PAUSED",
            "INTERRUPTED",
            "NOT_RUN",
        ]

    def test_as_text(self) -> None:
        """A state prints as its name and is found by it."""
        assert f"{TrialState.ERROR}" == str(TrialState.ERROR) == "ERROR"
        assert TrialState("STOPPED") is TrialState.STOPPED
        assert [state.value for state in TrialState] == [state.name for state in TrialState], "databases hold them"


class TestTrial:
    @given(st.text(max_size=300))
    def test_path_names_are_safe(self, name: str) -> None:
        """A folder's name is short, plain ASCII, and neither hidden nor cut by any file system."""
        folder = named(f"train[{name}]").path_name
        assert re.fullmatch(r"[A-Za-z0-9._=-]{1,97}", folder)
        assert folder.startswith("train")
        assert folder[-1] != "."

    def test_path_names_are_readable(self) -> None:
        """What is safe in a node id stays."""
        assert named("train[lr=0.001-depth=2]").path_name == "train_lr=0.001-depth=2_-0123456789abcdef"
        assert named("Train[Adam_Z=0.9]").path_name == "Train_Adam_Z=0.9_-0123456789abcdef"

    def test_idents(self) -> None:
        """A slot is named by its number, whatever stands beside it; any other trial by its label."""
        slot = dataclasses.replace(named("train[trial=07-x=1#2]"), slot=7, label="x=1")
        assert slot.ident == "trial=07"
        assert dataclasses.replace(slot, name="train").ident == "x=1"
        assert dataclasses.replace(slot, slot=None).ident == "x=1"

    def test_path_names_are_unique(self) -> None:
        """Trials whose names are cut alike, or differ in case only, and whose keys begin alike have folders of their own."""
        long = "train[" + "x" * 200
        folders = {named(f"{long}{end}]", f"0123456789abcd{end}").path_name.lower() for end in ("00", "01", "a0")}
        assert len(folders) == 3

    @pytest.mark.parametrize(
        ("gpu", "asked", "fresh"),
        [(0, None, False), (0.5, None, True), (1, False, False), (0, True, True)],
    )
    def test_fresh_process(self, gpu: float, asked: bool | None, fresh: bool) -> None:
        """A GPU means a process of its own, unless the sweep says otherwise."""
        sweep = Sweep("test_models.py::train", "train", fresh_process=asked)
        assert Trial("0" * 16, "id", "name", sweep, {}, Resources(gpu=gpu)).fresh_process is fresh

    def test_group_key(self) -> None:
        """A trial without replicates is a group of its own; a further replicate belongs to the first one's."""
        first, second = make_replicates(7, 2)
        assert (first.group_key, second.group_key) == (first.key, first.key)

    @pytest.mark.parametrize(
        ("name", "replicate", "common"),
        [
            ("train[lr=1]", 0, "train[lr=1]"),
            ("train[lr=1#2]", 1, "train[lr=1]"),
            ("t.py::Test::train[lr=1#12-cuda]", 11, "t.py::Test::train[lr=1-cuda]"),
            ("train[tag=#2]", 0, "train[tag=#2]"),
            ("train[tag=#2#2]", 1, "train[tag=#2]"),
            ("train[a=#2-b=1#2]", 1, "train[a=#2-b=1]"),
            ("train[an id of its own]", 1, "train[an id of its own]"),
        ],
    )
    def test_the_name_of_a_configuration(self, name: str, replicate: int, common: str) -> None:
        """The number of a replicate goes, and nothing that only looks like it."""
        assert name_without_replicate(name, replicate) == common

    def test_hashable(self) -> None:
        """Trials can be keys, though their configuration cannot."""
        assert len({named("a"), named("a"), named("b")}) == 2


class TestRecords:
    def test_dicts_do_not_hinder(self) -> None:
        """Records that hold dicts can be keys, too; equal ones are one, and others differ."""
        node = events.Node("node-1", "10.0.0.1", Resources(), labels={"zone": "a"})
        (trial,) = make_replicates(1, 1)
        for one, same, other in (
            (node, replace(node), replace(node, labels={"zone": "b"})),
            (
                events.TrialsAdded((trial,), {trial.key: 1}),
                events.TrialsAdded((trial,), {trial.key: 1}),
                events.TrialsAdded((trial,), {}),
            ),
            (trial, replace(trial), replace(trial, marks=([1],), config={"a": [1]})),
        ):
            assert len({one, same, other}) == 2

    def test_they_are_frozen(self) -> None:
        """What crosses a border between threads or processes cannot be changed on its way."""
        modules = [
            importlib.import_module(f"pytest_sweep.model.{found.name}") for found in iter_modules(model.__path__)
        ]
        records = {one for module in modules for one in vars(module).values() if is_dataclass(one)}
        assert len(records) > 40
        assert [one for one in records if not one.__dataclass_params__.frozen] == []  # type: ignore[union-attr]

    def test_what_is_left_out(self) -> None:
        """Without further words a node has no labels and stays, nobody else holds any of it, and trials begin with attempt 1."""
        node = events.Node("node-1", "10.0.0.1", Resources())
        assert (node.labels, node.is_leaving, node.taken) == ({}, False, Resources(cpu=0.0))
        assert events.TrialsAdded(()).attempts == {}
        value = ParameterValue("n", "abc", "1", b"x")
        assert (value.is_certain, value.problem, Parameters((value,)).position) == (True, "", 0)
        assert "content" not in repr(value)

    def test_the_metrics_of_every_report(self) -> None:
        """They have Ray Tune's names."""
        assert AUTO_METRICS == ("training_iteration", "time_total_s", "time_this_iter_s", "timestamp")


class TestErrors:
    def test_one_root(self) -> None:
        """Whatever is raised on purpose is a SweepError."""
        assert issubclass(ExecutorError, SweepError)
        assert issubclass(DefinitionError, SweepError)

    def test_a_missing_extra(self) -> None:
        """An extra that is not installed names itself and the command that installs it; it is an ImportError too."""
        error = MissingExtraError("pandas", "pandas", "get_dataframe()")
        assert str(error) == "get_dataframe() needs pandas: pip install 'pytest-sweep[pandas]'"
        assert isinstance(error, ImportError)
        assert (error.package, error.extra) == ("pandas", "pandas")
