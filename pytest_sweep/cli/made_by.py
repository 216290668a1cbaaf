"""What two runs were made by: their code, packages, seeds and commits. Reads their databases."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_sweep.cli.comparison import SweepComparison
from pytest_sweep.cli.run_rows import seed_of
from pytest_sweep.model.source import Source
from pytest_sweep.store import RunScan, outcomes, version_changes


@dataclass(frozen=True)
class MadeBy:
    """What is different between what has made two runs.

    Attributes:
        code: what has changed in the code of trials that are in both, a few words each.
        is_code_compared: whether there is such a trial.
        packages: the packages that have another version.
        seed: the seeds of both runs where they differ, else None.
        commit: the commits of both runs where they differ, else None.
    """

    code: tuple[str, ...]
    is_code_compared: bool
    packages: tuple[str, ...]
    seed: tuple[Any, Any] | None
    commit: tuple[str | None, str | None] | None

    def lines(self) -> list[str]:
        """Return it as lines."""
        same = "the same" if self.is_code_compared else "not compared, since no trial is in both runs"
        lines = [f"Code: {', '.join(self.code) or same}", f"Packages: {', '.join(self.packages) or 'the same'}"]
        if self.seed is not None:
            lines.append(f"Seed: {self.seed[0]}, now {self.seed[1]}")
        if self.commit is not None:
            lines.append(f"Commit: {_short(self.commit[0])}, now {_short(self.commit[1])}")
        return lines

    def as_json(self) -> dict[str, Any]:
        """Return it as a record of the JSON schema."""
        return {
            "code": list(self.code),
            "packages": list(self.packages),
            "seed": None if self.seed is None else list(self.seed),
            "commit": None if self.commit is None else list(self.commit),
        }


def made_by(base: RunScan, run: RunScan, sweeps: Iterable[SweepComparison]) -> MadeBy:
    """Return what is different.

    Args:
        base: the earlier run.
        run: the later one.
        sweeps: how their sweeps compare.
    """
    both = {
        pair.now.row.key: its.sweep.id
        for its in sweeps
        for pair in its.pairs
        if pair.base is not None and pair.now is not None
    }
    then, now = base.run, run.run
    seeds, commits = ((then[name], now[name]) for name in ("seed", "git_commit"))
    return MadeBy(
        tuple(_code(base, run, both)),
        bool(both),
        tuple(version_changes(json.loads(then["versions"]), json.loads(now["versions"]))),
        None if seeds[0] == seeds[1] else (seed_of(seeds[0]), seed_of(seeds[1])),
        None if commits[0] == commits[1] else commits,
    )


def _code(base: RunScan, run: RunScan, sweeps: Mapping[str, str]) -> Iterable[str]:
    then = {outcome.key: outcome.source for outcome in outcomes(base.folder, sweeps)}
    compared: list[tuple[str, Source, Source]] = []
    changes: dict[str, None] = {}
    for outcome in outcomes(run.folder, sweeps):
        if outcome.key not in then:
            continue
        sweep, earlier = sweeps[outcome.key], then[outcome.key]
        # Most trials of a sweep share one source, which the store hands out once.
        if any(sweep == one and earlier is two and outcome.source is three for one, two, three in compared):
            continue
        compared.append((sweep, earlier, outcome.source))
        changes |= dict.fromkeys(outcome.source.changes_since(earlier, sweep))
    return changes


def _short(commit: str | None) -> str:
    return commit[:12] if commit else "none"
