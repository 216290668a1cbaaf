"""Which classifier reads handwritten digits best? A real training, with a test that guards the answer.

Run it with ``pytest --sweep examples/digits``; it needs scikit-learn (``pip install 'pytest-sweep[examples]'``).

* Each configuration names a model family and its own hyper-parameters: that is what ``configs=`` is for.
* The stacked ``parametrize`` multiplies the sweep, as it multiplies any test.
* The fixture ``digits`` has session scope: it is built once in each worker, not once in each trial.
* ``test_reads_digits`` takes ``sweep_results``, so it runs after the trials, and fails where the best of them is not good enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from pytest_sweep import ActiveTrial, ResultGrid, sweep


class Digits(NamedTuple):
    """1,797 pictures of 8 by 8 pixels, a quarter of them kept back for the judgement."""

    train_x: npt.NDArray[np.float64]
    test_x: npt.NDArray[np.float64]
    train_y: npt.NDArray[np.int64]
    test_y: npt.NDArray[np.int64]


@pytest.fixture(scope="session")
def digits() -> Digits:
    pictures, labels = load_digits(return_X_y=True)
    return Digits(*train_test_split(pictures, labels, test_size=0.25, random_state=0, stratify=labels))


@sweep(
    configs=[
        {"model": GaussianNB, "var_smoothing": 1e-9},
        {"model": GaussianNB, "var_smoothing": 1e-2},
        {"model": KNeighborsClassifier, "n_neighbors": 1},
        {"model": KNeighborsClassifier, "n_neighbors": 5},
        {"model": RandomForestClassifier, "n_estimators": 25},
        {"model": RandomForestClassifier, "n_estimators": 100},
        {"model": SVC, "C": 1.0, "gamma": "scale"},
        {"model": SVC, "C": 10.0, "gamma": "scale"},
    ],
    metric="accuracy",
    mode="max",
)
@pytest.mark.parametrize("scaler", [FunctionTransformer, StandardScaler], ids=["raw", "scaled"])
@pytest.mark.resources(cpu=1)
def train_classifier(
    config: Mapping[str, Any], scaler: type[Any], digits: Digits, trial: ActiveTrial
) -> dict[str, float]:
    """Fit one model on the training pictures and judge it on the others."""
    parameters = dict(config)
    model = parameters.pop("model")
    if "random_state" in model().get_params():
        parameters["random_state"] = trial.seed  # Stable for the trial: the same in every run.
    pipeline = make_pipeline(scaler(), model(**parameters))
    pipeline.fit(digits.train_x, digits.train_y)
    return {
        "accuracy": pipeline.score(digits.test_x, digits.test_y),
        "train_accuracy": pipeline.score(digits.train_x, digits.train_y),
    }


def test_reads_digits(sweep_results: Mapping[str, ResultGrid]) -> None:
    best = sweep_results["train_classifier"].get_best_result()
    assert best.metrics is not None
    assert best.metrics["accuracy"] >= 0.97


def test_memorizing_is_not_what_wins(sweep_results: Mapping[str, ResultGrid]) -> None:
    """The best model on pictures that it has never seen is not merely the one that knows the others by heart."""
    grid = sweep_results["train_classifier"]
    best = grid.get_best_result()
    by_heart = grid.get_best_result("train_accuracy", "max")
    assert by_heart.metrics is not None
    assert best.metrics is not None
    assert best.metrics["accuracy"] >= by_heart.metrics["accuracy"]
