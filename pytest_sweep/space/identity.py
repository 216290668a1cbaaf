"""Keys and seeds: numbers that are equal for an equal trial, in every run and on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from pytest_sweep.model.integers import digits
from pytest_sweep.space.canonical import identity_text


def digest(value: object, length: int = 16) -> str:
    """Return the first `length` (at most 64) hexadecimal digits of the SHA-256 of the identity of `value`.

    Raises:
        SpaceError: the value has no canonical form.
    """
    return hashlib.sha256(identity_text(value).encode("ascii")).hexdigest()[:length]


def trial_key(sweep_id: str, config: object, parameters: Mapping[str, object], replicate: int) -> str:
    """Return the 16 hexadecimal digits that are a trial's key: equal in every run and on every machine for an equal trial.

    Args:
        sweep_id: the node id of the sweep's function.
        config: the configuration; for a `Point`, its `identity`.
        parameters: what else parametrizes the trial, by name.
        replicate: which of equal configurations this is, from 0.

    Raises:
        SpaceError: a value has no canonical form.
    """
    config = dict(config) if isinstance(config, Mapping) else config
    return digest(["trial", sweep_id, config, dict(parameters), replicate])


def trial_seed(run_seed: int, key: str) -> int:
    """Return a number in 0..2**32-1 that is a stable function of the run's seed and the trial's key."""
    return int(hashlib.sha256(f"{digits(run_seed)}:{key}".encode()).hexdigest()[:8], 16)
