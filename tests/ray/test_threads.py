"""How many threads numerical libraries have on Ray: as many as CPUs are held, also where Ray itself imports numpy first."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.sessions import Session

PROJECT = """
import os
import pytest
from pytest_sweep import shared, sweep

def threads(*_):
    import numpy as np
    from threadpoolctl import threadpool_info
    blas = [pool["num_threads"] for pool in threadpool_info() if "numpy.libs" in pool["filepath"]]
    return {"blas": blas, "omp": os.environ["OMP_NUM_THREADS"], "mkl": os.environ["MKL_NUM_THREADS"]}

@sweep(grid={"cpu": [1, pytest.param(2, marks=pytest.mark.resources(cpu=2))]})
def train(cpu):
    return threads()

@sweep(grid={"cpu": [2]})
@pytest.mark.resources(cpu=2, workers=1)
def gang(cpu, trial):
    return trial.gang.run(threads)[0]

@shared(cpu=2)
@pytest.fixture(scope="session")
def built():
    return threads()

@sweep(grid={"cpu": [2]})
def builder(cpu, built):
    return built
"""

PYARROW = """
# What pyarrow does where it is installed; Ray imports it before it constructs an actor.
import numpy
raise ModuleNotFoundError("No module named 'pyarrow'", name="pyarrow")
"""


def found(session: Session) -> dict[tuple[str, int], dict[str, object]]:
    """Return what all trials have found, by sweep and CPUs."""
    results = session.results()
    return {
        (name, result.config["cpu"]): {key: dict(result.metrics or {})[key] for key in ("blas", "omp", "mkl")}
        for name in results
        for result in results[name]
    }


def test_as_many_threads_as_cpus(
    pytester: pytest.Pytester, start: Callable[..., Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    """BLAS has as many threads as a trial, a gang's worker or a builder holds CPUs, though numpy is imported before our code runs."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    pytester.makepyfile(PROJECT)
    pytester.mkdir("libs").joinpath("pyarrow.py").write_text(PYARROW)
    session = start("--sweep-num-cpus=2", RAY_ADDRESS="", PYTHONPATH=str(pytester.path / "libs"))
    assert session.wait() == 0, session.output
    one, two = ({"blas": [count], "omp": str(count), "mkl": str(count)} for count in (1, 2))
    expected = {("train", 1): one, ("train", 2): two, ("gang", 2): two, ("builder", 2): two}
    assert found(session) == expected


def test_the_user_s_own_number_stays(pytester: pytest.Pytester, start: Callable[..., Session]) -> None:
    """OMP_NUM_THREADS that the user has set holds for all libraries, and a library's own variable for that one."""
    pytester.makepyfile(PROJECT)
    session = start("--sweep-num-cpus=2", "-k", "train", RAY_ADDRESS="", OMP_NUM_THREADS="2", MKL_NUM_THREADS="7")
    assert session.wait() == 0, session.output
    own = {"blas": [2], "omp": "2", "mkl": "7"}
    assert found(session) == {("train", 1): own, ("train", 2): own}
