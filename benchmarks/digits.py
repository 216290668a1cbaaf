"""A real training for the case ``asha-digits``: a network of scikit-learn on its digits. The same for all contestants."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from benchmarks.learning import seed

TRIALS, EPOCHS = 40, 27


def configurations() -> list[dict[str, Any]]:
    """Return what the trials of this round are, in order."""
    chance = random.Random(seed())  # noqa: S311 - draws configurations
    return [
        {
            "lr": 10 ** chance.uniform(-4.5, -0.5),
            "alpha": 10 ** chance.uniform(-6, 0),
            "width": chance.choice([16, 32, 64, 128]),
            "batch": chance.choice([16, 32, 64, 128]),
            "momentum": chance.uniform(0.0, 0.99),
        }
        for _ in range(TRIALS)
    ]


def train(config: dict[str, Any]) -> Iterator[float]:
    """Train, and yield the share of wrong predictions after each epoch."""
    import warnings

    import numpy as np
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier

    data, target = load_digits(return_X_y=True)
    parts = train_test_split(data / 16.0, target, test_size=0.3, random_state=0, stratify=target)
    fit, check, fit_target, check_target = parts
    model = MLPClassifier(
        (int(config["width"]),),
        solver="sgd",
        learning_rate_init=config["lr"],
        alpha=config["alpha"],
        batch_size=int(config["batch"]),
        momentum=config["momentum"],
        random_state=0,
    )
    for _ in range(EPOCHS):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                model.partial_fit(fit, fit_target, classes=np.arange(10))
                yield 1.0 - float(model.score(check, check_target))
            except ValueError:  # It has diverged.
                yield 1.0
