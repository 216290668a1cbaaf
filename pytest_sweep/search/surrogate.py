"""A Gaussian process over configurations and how far their trainings are. Knows neither trials nor spaces. Needs numpy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pytest_sweep.search.cube import Floats

_ROUNDS = 30
"""Steps of the search for the hyperparameters. Their gradients are exact: a few dozen are enough."""

_FIRST_STEP, _LEAST_STEP, _LARGEST_STEP = 0.15, 1e-3, 0.5
_ROOT = math.sqrt(5)


class Surrogate:
    """A model of scores, the less the better, of which some are of unfinished trainings.

    The covariance of two scores is ``signal * matern52(rows) * rbf(progress) + trend * (1 - progress) * (1 - progress') + 1``, with a
    length for each column, as in automatic relevance determination. To it comes noise, and more noise for early scores: how a training
    begins says less than how it ends. Hyperparameters are those of the greatest posterior density, found by iRprop (Igel and Hüsken 2000).

    Args:
        choices: of each column without order how many numbers it has, from 0, beside -1: two of them are equal or not. 0 for the others.
    """

    def __init__(self, choices: Sequence[int]) -> None:
        self._choices = choices
        self._column_of = np.repeat(np.arange(len(choices)), [size + 1 for size in choices])
        width = self._width = len(choices)
        length = math.log(0.4 * math.sqrt(width))
        rest = [math.log(one) for one in (1.0, 1.0, 1.0, 0.02, 0.2)]  # Progress, signal, trend, noise, early noise.
        self._expected = np.array([*[length] * width, *rest])
        self._spread = np.array([*[0.9] * width, 0.7, 1.0, 1.0, 1.2, 1.2])
        self._logs = self._expected

    def fit(self, rows: Floats, progress: Floats, scores: Floats) -> None:
        """Find the hyperparameters. What was found before does not matter.

        Args:
            rows: a row for each score.
            progress: how far each training was, from 0 to 1.
            scores: of about mean 0 and deviation 1.
        """
        logs, found = self._expected.copy(), (math.inf, self._expected)
        features = self._features(rows)
        step, before = np.full(len(logs), _FIRST_STEP), np.zeros(len(logs))
        for _ in range(_ROUNDS):
            badness, slope = self._badness(logs, features, progress, scores)
            if badness < found[0]:
                found = (badness, logs)
            turned = before * slope
            factor = np.where(turned > 0, 1.3, np.where(turned < 0, 0.5, 1.0))
            step = np.clip(step * factor, _LEAST_STEP, _LARGEST_STEP)
            before = np.where(turned < 0, 0.0, slope)
            bound = 3 * self._spread
            logs = np.clip(logs - np.sign(before) * step, self._expected - bound, self._expected + bound)
        self._logs = found[1]

    def condition(self, rows: Floats, progress: Floats, scores: Floats) -> None:
        """Take what is known, for `mean` and `log_improvement`."""
        self._known, self._progress = self._features(rows), progress
        known = self._covariance(self._logs, self._known, self._known, progress, progress)
        self._inverse = np.linalg.inv(known + np.diag(self._noise(self._logs, progress)))
        self._weights = self._inverse @ scores

    def mean(self, rows: Floats) -> Floats:
        """Return the expected scores of whole trainings."""
        found: Floats = self._across(rows) @ self._weights
        return found

    def log_improvement(self, rows: Floats, best: float) -> Floats:
        """Return the logarithm of by how much whole trainings are expected to be better than `best`."""
        across = self._across(rows)
        signal = math.exp(self._logs[self._width + 1])
        variance = signal + 1 - ((across @ self._inverse) * across).sum(axis=1)
        deviation = np.sqrt(np.maximum(variance, 1e-9))
        found: Floats = _log_gain((best - across @ self._weights) / deviation) + np.log(deviation)
        return found

    def _across(self, rows: Floats) -> Floats:
        return self._covariance(self._logs, self._features(rows), self._known, np.ones(1), self._progress)

    def _features(self, rows: Floats) -> Floats:
        """Return rows in which each choice without order has a column for each of its numbers: two that differ are 1 apart."""
        found = [
            rows[:, [index]] if size == 0 else math.sqrt(0.5) * (rows[:, [index]] == np.arange(-1, size))
            for index, size in enumerate(self._choices)
        ]
        return np.hstack(found)

    def _covariance(self, logs: Floats, rows: Floats, others: Floats, progress: Floats, of_others: Floats) -> Floats:
        matern, _, close, early = self._parts(logs, rows, others, progress, of_others)
        found: Floats = math.exp(logs[self._width + 1]) * matern * close + math.exp(logs[self._width + 2]) * early + 1.0
        return found

    def _parts(
        self, logs: Floats, rows: Floats, others: Floats, progress: Floats, of_others: Floats
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """Return the factors of the covariance: of rows, its derivative by minus half the squared distance, of progress, of the trend."""
        scale = np.exp(-logs[self._column_of])
        one, two = rows * scale, others * scale
        squares = np.square(one).sum(axis=1)[:, None] + np.square(two).sum(axis=1)[None, :] - 2 * (one @ two.T)
        far = _ROOT * np.sqrt(np.maximum(squares, 0.0) + 1e-12)
        fading = np.exp(-far)
        later = np.square(progress[:, None] - of_others[None, :])
        close = np.exp(-0.5 * later * math.exp(-2 * logs[self._width]))
        matern = (1 + far + np.square(far) / 3) * fading
        return matern, 5 / 3 * (1 + far) * fading, close, np.outer(1 - progress, 1 - of_others)

    def _noise(self, logs: Floats, progress: Floats) -> Floats:
        found: Floats = math.exp(logs[self._width + 3]) + math.exp(logs[self._width + 4]) * np.square(1 - progress)
        return found

    def _badness(self, logs: Floats, features: Floats, progress: Floats, scores: Floats) -> tuple[float, Floats]:
        """Return minus the logarithm of the posterior density of hyperparameters, and its gradient."""
        width = self._width
        matern, steep, close, early = self._parts(logs, features, features, progress, progress)
        signal, trend, noise = (math.exp(log) for log in logs[width + 1 : width + 4])
        covariance = signal * matern * close + trend * early + 1.0 + np.diag(self._noise(logs, progress))
        inverse = np.linalg.inv(covariance)
        weights = inverse @ scores
        from_expected = (logs - self._expected) / self._spread
        badness = (
            0.5 * float(scores @ weights)
            + float(np.log(np.diag(np.linalg.cholesky(covariance))).sum())
            + 0.5 * float(np.square(from_expected).sum())
        )
        pull = 0.5 * (inverse - np.outer(weights, weights))
        later = np.square(progress[:, None] - progress[None, :])
        slope = np.empty(len(logs))
        slope[:width] = self._pulled(pull * signal * close * steep, features) * np.exp(-2 * logs[:width])
        slope[width] = (pull * signal * matern * close * later).sum() * math.exp(-2 * logs[width])
        slope[width + 1] = (pull * signal * matern * close).sum()
        slope[width + 2] = (pull * trend * early).sum()
        slope[width + 3] = noise * np.trace(pull)
        slope[width + 4] = (np.diag(pull) * np.square(1 - progress)).sum() * math.exp(logs[width + 4])
        return badness, slope + from_expected / self._spread

    def _pulled(self, pulls: Floats, features: Floats) -> Floats:
        """Return for each column the sum of the squared distances of all pairs of rows, weighted by `pulls`, which is symmetric."""
        sums = 2 * (pulls.sum(axis=1) @ np.square(features)) - 2 * ((pulls @ features) * features).sum(axis=0)
        found: Floats = np.bincount(self._column_of, sums, minlength=self._width).astype(np.float64)
        return found


def _log_gain(z: Floats) -> Floats:
    """Return the logarithm of the expected positive part of a normal variable with mean `z` and deviation 1."""
    below = np.array([0.5 * math.erfc(-one / math.sqrt(2)) for one in z.tolist()])
    gain = np.exp(-0.5 * np.square(z)) / math.sqrt(2 * math.pi) + z * below
    tail = -0.5 * np.square(z) - 2 * np.log(np.maximum(-z, 1.0)) - 0.5 * math.log(2 * math.pi)
    found: Floats = np.where(z > -5, np.log(np.maximum(gain, 1e-300)), tail)  # Below that, digits cancel.
    return found
