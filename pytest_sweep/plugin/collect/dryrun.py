"""What ``--sweep --co`` adds to pytest's list: how many trials there are, what they ask for, and how many can run at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from pytest_sweep.engine.feasible import most_at_once
from pytest_sweep.engine.port import Executor
from pytest_sweep.engine.worker import Shape
from pytest_sweep.model.events import Node
from pytest_sweep.model.resources import Resources
from pytest_sweep.model.trials import Sweep, Trial
from pytest_sweep.plugin.collect.spaces import SpaceExpander
from pytest_sweep.plugin.collect.sweeps import TRIAL
from pytest_sweep.reporting.text import counted
from pytest_sweep.space import printable


class DryRun:
    """Sums up the selected trials, and starts nothing.

    Args:
        executor: where the trials would run.
        limit: how many trials may run at once, or None.
        spaces: has expanded the spaces.
    """

    def __init__(self, executor: Executor, limit: int | None, spaces: SpaceExpander) -> None:
        self._executor = executor
        self._spaces = spaces
        self._limit = limit
        self._trials: Counter[tuple[str, Shape]] = Counter()
        self._chosen: dict[str, str] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Count the trials that are left after every deselection."""
        trials = [item.stash[TRIAL] for item in session.items if TRIAL in item.stash]
        sweeps = {trial.sweep.id: trial.sweep for trial in trials}
        names = Counter(sweep.name for sweep in sweeps.values())
        self._chosen = {
            sweep.name if names[sweep.name] == 1 else sweep.id: _chosen(
                sweep, [one for one in trials if one.sweep is sweep]
            )
            for sweep in sweeps.values()
        }
        self._trials = Counter(
            (
                trial.sweep.name if names[trial.sweep.name] == 1 else trial.sweep.id,
                Shape(trial.resources, placement=trial.placement),
            )
            for trial in trials
        )

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
        """Write the sums, a line for each sweep and each kind of request, and in the end what that means for this machine."""
        if not self._trials or exitstatus != pytest.ExitCode.OK:
            return
        terminalreporter.write_sep("=", "sweep dry run")
        for (sweep, shape), count in self._trials.items():
            each = "" if count == 1 else f", {_request(shape)} each"
            terminalreporter.write_line(
                f"{printable(sweep)}: {counted(count, 'trial')}{each}, {_in_all(shape, count)} in all"
            )
        for line in filter(None, (chosen and f"{sweep}: {chosen}" for sweep, chosen in self._chosen.items())):
            terminalreporter.write_line(printable(line))
        for sweep, count in self._spaces.excluded.items():
            terminalreporter.write_line(f"{printable(sweep)}: where= left out {counted(count, 'configuration')}")
        if len(self._trials) > 1:
            total = Resources(cpu=0.0)
            for (_, shape), count in self._trials.items():
                total = total.plus(_in_all(shape, count))
            terminalreporter.write_line(f"all: {counted(self._trials.total(), 'trial')}, {total}")
        terminalreporter.write_line(self._at_once(self._executor.expected_nodes()))

    def _at_once(self, sizes: Sequence[Resources]) -> str:
        if not sizes:
            return "How many can run at once is known when the cluster is joined."
        requests: Counter[Shape] = Counter()
        for (_, shape), count in self._trials.items():
            requests[shape] += count
        nodes = [Node(str(number), "", size) for number, size in enumerate(sizes)]
        limits = [limit for limit in (self._limit, self._executor.max_concurrent) if limit is not None]
        most = min([most_at_once(requests, nodes), *limits])
        text = f"At most {most} can run at once on {' + '.join(map(str, sizes))} ({self._executor.name})."
        large = [shape for shape in requests if not most_at_once({shape: 1}, nodes)]
        if large:
            cannot = counted(sum(requests[one] for one in large), "trial")
            text += f" {cannot} cannot: {'; '.join(map(_request, large))} is more than there is."
        return text


def _chosen(sweep: Sweep, trials: Sequence[Trial]) -> str:
    """Return who chooses the configurations of a sweep and who stops its trials; empty where nobody does."""
    names = ", ".join(filter(None, (sweep.search, sweep.scheduler)))
    studies = {trial.study for trial in trials}
    each = f", in {len(studies)} studies" if len(studies) > 1 else ""
    if sweep.search:
        return f"configurations are chosen while the trials run ({names}){each}"
    return f"trials may be stopped early ({names}){each}" if names else ""


def _request(shape: Shape) -> str:
    if shape.placement.workers is None:
        return ", ".join(filter(None, (str(shape.resources), str(shape.placement))))
    return f"{shape.placement} of {shape.resources}"


def _in_all(shape: Shape, count: int) -> Resources:
    return shape.resources.times(count * shape.placement.bundles)
