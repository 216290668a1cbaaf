"""What is drawn: repeatable, different for each point, and unmoved by what is added to a space."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sweep.space import Choice, Listed, expand, grid, trial_key
from pytest_sweep.space.sampling import choice, loguniform, randint, uniform

AXES = st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True)
SEEDS = st.integers(0, 2**32)


def configs(space: Any, **options: Any) -> list[dict[str, Any]]:
    return [point.config for point in expand(space, **options).points]


def drawn(space: Any, **options: Any) -> dict[tuple[Any, ...], float]:
    """Return what was drawn as lr, by the rest of the configuration."""
    return {tuple(sorted((k, v) for k, v in c.items() if k != "lr")): c["lr"] for c in configs(space, **options)}


@given(AXES, SEEDS)
def test_a_seed_repeats_everything(axis: list[int], seed: int) -> None:
    """The same space with the same seed is the same in every detail, and with another seed other values are drawn."""
    space = grid(a=axis, lr=loguniform(1e-5, 1), x=uniform(0, 1))
    assert expand(space, seed=seed) == expand(space, seed=seed)
    assert configs(space, seed=seed) != configs(space, seed=seed + 1)


@given(AXES, SEEDS)
def test_each_point_and_key_has_its_own_draw(axis: list[int], seed: int) -> None:
    """Points, samples and keys are drawn apart."""
    made = configs(grid(a=axis, one=uniform(0, 1), two=uniform(0, 1)), seed=seed, num_samples=2)
    values = [config[key] for config in made for key in ("one", "two")]
    assert len(set(values)) == 4 * len(axis)


@given(AXES, st.integers(10, 19), SEEDS, st.data())
def test_a_value_more_moves_no_other_draw(axis: list[int], more: int, seed: int, data: st.DataObject) -> None:
    """A value that is added to an axis, wherever it is put, leaves what was drawn for the other trials as it was."""
    place = data.draw(st.integers(0, len(axis)))
    wider = [*axis[:place], more, *axis[place:]]
    before = drawn(grid(a=axis, lr=uniform(0, 1)), seed=seed)
    after = drawn(grid(a=wider, lr=uniform(0, 1)), seed=seed)
    assert {key: after[key] for key in before} == before


def test_what_else_moves_no_draw() -> None:
    """Neither more samples, nor another domain beside it, nor the order of the axes moves a draw."""
    space = grid(a=[1, 2], lr=uniform(0, 1))
    before = configs(space)
    assert configs(space, num_samples=3)[:2] == before
    beside = configs(grid(a=[1, 2], lr=uniform(0, 1), wd=uniform(0, 1)))
    assert [config["lr"] for config in beside] == [config["lr"] for config in before]
    assert [config["lr"] for config in configs(grid(lr=uniform(0, 1), a=[1, 2]))] == [c["lr"] for c in before]
    assert [config["lr"] for config in configs(space, repeats=2)] == [config["lr"] for config in before] * 2


def test_samples_repeat_the_whole_space() -> None:
    """All of the space is there once before it is there again, as in Tune."""
    made = configs(grid(a=[1, 2], x=randint(0, 10)), num_samples=3)
    assert [config["a"] for config in made] == [1, 2, 1, 2, 1, 2]


def test_repeats_are_replicates() -> None:
    """Repeats have the same configuration, all of them before any again, each with a number, a label and a key of its own."""
    points = expand(grid(a=[1, 2], x=uniform(0, 1)), repeats=3).points
    assert [point.replicate for point in points] == [0, 0, 1, 1, 2, 2]
    assert points[0].config == points[2].config == points[4].config
    assert points[0].config is not points[2].config
    assert [point.label for point in points[::2]] == [points[0].label + tail for tail in ("", "#2", "#3")]
    keys = {trial_key("t.py::f", point.identity, {}, point.replicate) for point in points}
    assert len(keys) == 6


def test_more_repeats_keep_the_keys_that_there_were() -> None:
    """A sweep that is repeated more often keeps its first trials, by name and by key."""
    few, many = (expand(grid(a=[1, 2]), repeats=repeats).points for repeats in (1, 3))
    assert [(p.label, p.identity, p.replicate) for p in few] == [(p.label, p.identity, p.replicate) for p in many[:2]]


def test_equal_draws_are_replicates() -> None:
    """Configurations that are drawn equal are kept, and told apart as replicates."""
    points = expand(grid(x=choice([1])), num_samples=3).points
    assert [(point.label, point.replicate) for point in points] == [("x=1", 0), ("x=1#2", 1), ("x=1#3", 2)]


def test_equal_rows_draw_apart() -> None:
    """A value that is listed twice gets two draws."""
    one, two = configs(grid(a=[1, 1], x=uniform(0, 1)))
    assert one["x"] != two["x"]


def test_choices_keep_their_labels_and_marks() -> None:
    """A value that was given an id and marks carries them when it is drawn, and functions see the value."""
    (point,) = expand(grid(x=choice([Choice(7, "seven", ("slow",))]))).points
    assert (point.config, point.label, point.marks) == ({"x": 7}, "x=seven", ("slow",))


def test_listed_configurations_may_draw() -> None:
    """A domain in one of several listed configurations is drawn from: each model has a space of its own."""
    made = configs(Listed([{"model": "mlp", "depth": randint(2, 9)}, {"model": "svm", "opt": {"c": uniform(0, 1)}}]))
    assert [sorted(config) for config in made] == [["depth", "model"], ["model", "opt"]]
    assert 2 <= made[0]["depth"] < 9
    assert 0 <= made[1]["opt"]["c"] < 1


@pytest.mark.parametrize("repeats", [1, 2])
def test_ids_with_samples_and_repeats(repeats: int) -> None:
    """A list of ids names the configurations; their repeats get a number after it."""
    points = expand(grid(a=[1], x=uniform(0, 1)), num_samples=2, repeats=repeats, ids=["one", "two"]).points
    assert [point.label for point in points] == ["one", "two", "one#2", "two#2"][: 2 * repeats]
