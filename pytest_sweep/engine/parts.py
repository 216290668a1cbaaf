"""The parts of an engine, made and connected: each knows those that it uses. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pytest_sweep.engine.accepting import Acceptance
from pytest_sweep.engine.clock import Clock
from pytest_sweep.engine.deadlines import Deadlines
from pytest_sweep.engine.dealing import Dealer
from pytest_sweep.engine.endings import Endings
from pytest_sweep.engine.failures import Failures
from pytest_sweep.engine.limits import Budget, SameFailures
from pytest_sweep.engine.pacing import Pacing
from pytest_sweep.engine.policy import Policy
from pytest_sweep.engine.requests import Requests
from pytest_sweep.engine.staffing import Staffing
from pytest_sweep.engine.studies import Studies
from pytest_sweep.engine.study import Study
from pytest_sweep.engine.trials import Ledger
from pytest_sweep.engine.workers import Workers
from pytest_sweep.model.commands import Command
from pytest_sweep.model.resources import Resources


class Parts:
    """What a controller consists of.

    Args:
        policy: the settings.
        future: the node types that an autoscaler could add.
        can_kill: whether the executor can end a trial.
        studies: those of trials that are chosen or judged while the run goes on.
        order: takes orders that none of the parts keeps until it is asked for them.
    """

    def __init__(
        self,
        policy: Policy,
        future: Iterable[Resources],
        *,
        can_kill: bool,
        studies: Iterable[Study],
        order: Callable[[Command], None],
    ) -> None:
        self.ledger = Ledger()
        self.clock = Clock(has_stalls=can_kill)
        budget = Budget(policy.budget, policy.grace)
        self.deadlines = Deadlines(self.ledger, policy, budget)
        self.workers = Workers(self.deadlines.within, future)
        self.ledger.shared.within = self.deadlines.within
        self.staffing = Staffing(policy, self.ledger, self.workers)
        self.failures = Failures(self.ledger, self.deadlines)
        self.endings = Endings(self.ledger, self.workers, budget, policy)
        self.studies = Studies(studies, self.ledger, self.workers.capacity, order)
        same_failures, pacing = SameFailures(policy.abort_after), Pacing()
        self.dealer = Dealer(self.ledger, self.workers, pacing, self.deadlines, same_failures, self.studies.slots)
        self.acceptance = Acceptance(
            self.ledger, self.clock, pacing, same_failures, self.endings, self.studies, self.workers
        )
        self.requests = Requests(self.ledger, self.workers.capacity, policy)
