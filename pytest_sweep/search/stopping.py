"""Ends a study that no longer improves, or has reached its goal. Pure."""

from __future__ import annotations

from pytest_sweep.model.study import Objective, Observation, Outcome
from pytest_sweep.search.around import Around
from pytest_sweep.search.protocols import Done, Searcher, Values, Wait
from pytest_sweep.search.rungs import score_of, shown_score


class StoppingSearcher(Around):
    """The searcher of ``stop_after()``.

    Args:
        searcher: what chooses.
        objectives: what trials are judged by.
        no_better: after how many trials without an improvement the study ends; None is no limit.
        goal: which value of the first metric ends it; None is none.
    """

    def __init__(
        self, searcher: Searcher, objectives: tuple[Objective, ...], *, no_better: int | None, goal: float | None
    ) -> None:
        super().__init__(searcher)
        self._objectives = objectives
        self._no_better, self._goal = no_better, goal
        self._front: list[tuple[float, ...]] = []
        self._since = 0
        self._over = ""

    def ask(self, key: str, slot: int) -> Values | Wait | Done:
        """Return the next choice, or that the study is over."""
        return Done(self._over) if self._over else self._searcher.ask(key, slot)

    def tell(self, observation: Observation) -> None:
        """Note whether anything got better, and pass it on."""
        self._searcher.tell(observation)
        if observation.outcome is Outcome.SKIPPED:
            return
        improved = observation.outcome is not Outcome.FAILED and self._improves(observation)
        self._since = 0 if improved else self._since + observation.outcome.is_end
        if self._no_better is not None and self._since >= self._no_better and not self._over:
            best = "" if not self._front else f" on {self._metrics} = {self._shown(self._front[-1])}"
            self._over = f"stop_after: {self._since} trials have not improved{best}"

    def _improves(self, observation: Observation) -> bool:
        found = [
            score_of(objective, value) for objective, value in zip(self._objectives, observation.values, strict=True)
        ]
        scores = tuple(score for score in found if score is not None)
        infeasible = any(not violation <= 0 for violation in observation.constraints)
        if len(scores) < len(found) or infeasible:
            return False
        if any(all(one >= two for one, two in zip(other, scores, strict=True)) for other in self._front):
            return False
        self._front = [other for other in self._front if any(one > two for one, two in zip(other, scores, strict=True))]
        self._front.append(scores)
        if self._goal is not None and not self._over:
            goal = score_of(self._objectives[0], self._goal)
            if goal is not None and scores[0] >= goal:
                self._over = f"stop_after: {self._objectives[0].metric} = {observation.values[0]:.4g} reaches the goal {self._goal:.4g}"
        return True

    @property
    def _metrics(self) -> str:
        return ", ".join(objective.metric for objective in self._objectives)

    def _shown(self, scores: tuple[float, ...]) -> str:
        return ", ".join(shown_score(one, score) for score, one in zip(scores, self._objectives, strict=True))
