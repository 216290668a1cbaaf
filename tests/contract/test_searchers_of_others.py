"""The searchers of examples/search, over Nevergrad, SMAC and Ax, play by the rules; each is skipped where its library is missing."""

from __future__ import annotations

import importlib.util
import math
import warnings
from pathlib import Path
from typing import Any

import pytest

from pytest_sweep.model.study import Objective, Observation, Outcome
from pytest_sweep.search.settings import read_searcher
from pytest_sweep.search.space import SearchSpace
from pytest_sweep.space.sampling import choice, loguniform, quniform, randint, uniform
from pytest_sweep.testing import searcher_contract

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "search"
SPACE = {
    "lr": loguniform(1e-4, 1e-1),
    "model": {"depth": randint(2, 9), "drop": quniform(0, 0.5, 0.1)},
    "kind": choice(["a", "b"]),
    "shift": uniform(-1, 1),
}


def factory(name: str, library: str) -> Any:
    """Return the class of an example, whose sweep is not looked at."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip(library, exc_type=ImportError)
        spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"test_{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return getattr(module, name.capitalize())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "library"), [("nevergrad", "nevergrad"), ("smac", "smac"), ("ax", "ax.api.client")])
def test_an_example(name: str, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It chooses values of the space, takes good values and NaN, and makes the same choices again for the same seed."""
    monkeypatch.setattr("pytest_sweep.sweep", lambda **_: lambda function: function, raising=False)
    settings = read_searcher(factory(name, library))
    space = SearchSpace(SPACE, seed=1)

    def run(seed: int) -> list[dict[str, Any]]:
        searcher = settings.make(space, (Objective("loss", "min"),), seed, 12)
        chosen = []
        for slot in range(12):
            completed = space.complete(searcher.ask(str(slot), slot), slot)  # type: ignore[arg-type]
            assert completed is not None
            assert set(completed.values) == set(space.dimensions)
            chosen.append(dict(completed.values))
            loss = math.nan if slot == 4 else searcher_contract.loss(completed.config)
            searcher.tell(Observation(str(slot), 1, (loss,)))
            searcher.tell(Observation(str(slot), 1, (loss,), Outcome.COMPLETED))
        return chosen

    first = run(1)
    assert run(1) == first
    assert len({str(values) for values in first}) == 12
