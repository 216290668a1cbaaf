"""ASHA: the rungs, the rules of stopping, promotion, and what Ray Tune's has wrong (issue numbers are those of ray-project/ray)."""

from __future__ import annotations

import math
import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sweep.errors import DefinitionError
from pytest_sweep.model.study import Objective, Observation, Outcome, Resumption, Verdict, VerdictKind
from pytest_sweep.search.asha import Asha
from pytest_sweep.search.rungs import brackets_of, rungs_of
from pytest_sweep.search.settings import asha
from pytest_sweep.testing.played_study import PlayedStudy, random_curves, states

LOSS, SCORE = Objective("loss", "min"), Objective("score", "max")
RULES = ("tune", "strict")


def make(
    rule: str = "tune", *, pause: str = "never", max_t: int = 27, factor: float = 3, objective: Objective = SCORE
) -> Asha:
    settings = asha(max_t=max_t, reduction_factor=factor, rule=rule, pause=pause)
    made = settings.make((objective,), 0, None, {})
    assert isinstance(made, Asha)
    return made


def report(scheduler: Asha, key: str, iteration: int, value: float, *, can_pause: bool = False) -> Verdict:
    return scheduler.judge(Observation(key, iteration, (value,)), can_pause=can_pause)


def end(scheduler: Asha, key: str, outcome: Outcome, iteration: int = 0, value: float = math.nan) -> None:
    scheduler.end(Observation(key, iteration, (value,), outcome))


def kinds(scheduler: Asha, values: list[float], iteration: int = 1) -> list[str]:
    return [report(scheduler, str(number), iteration, value).kind.value for number, value in enumerate(values)]


class TestRungs:
    @pytest.mark.parametrize(
        ("grace", "max_t", "factor", "rungs"),
        [
            (1, 81, 3, (1, 3, 9, 27, 81)),
            (1, 243, 3, (1, 3, 9, 27, 81, 243)),
            (1, 1000, 10, (1, 10, 100, 1000)),
            (1, 100, 4, (1, 4, 16, 64, 100)),
            (5, 5, 3, (5,)),
            (1, 10, 1.5, (1, 2, 3, 5, 7, 10)),
            (2, 20, 2, (2, 4, 8, 16, 20)),
            (1, 1, 2, (1,)),
        ],
    )
    def test_rungs(self, grace: int, max_t: int, factor: float, rungs: tuple[int, ...]) -> None:
        """Defect 5 of Tune: rungs are counted exactly, so that none is lost where max_t is a power; the last one is max_t."""
        assert rungs_of(grace, max_t, Fraction(str(factor))) == rungs

    def test_brackets(self) -> None:
        """Each further bracket begins one rung later, and there are no more of them than rungs."""
        assert brackets_of(1, 9, Fraction(3), 5) == [(1, 3, 9), (3, 9), (9,)]

    def test_brackets_are_drawn_from_the_seed(self) -> None:
        """The bracket of a trial depends on the seed and its key; longer brackets get more trials."""
        settings = asha(max_t=9, reduction_factor=3, brackets=3)
        one, same, other = (settings.make((LOSS,), seed, None, {}) for seed in (1, 1, 2))
        firsts = [[scheduler.milestones(str(key)).at[0] for key in range(300)] for scheduler in (one, same, other)]
        assert firsts[0] == firsts[1] != firsts[2]
        assert firsts[0].count(1) > firsts[0].count(3) > firsts[0].count(9) > 0

    def test_max_t_is_needed(self) -> None:
        """Without max_t= and stop= there is no silent 100 as in Tune, but an error that says what to write."""
        with pytest.raises(DefinitionError, match=r"asha\(\) needs to know how long a trial lasts: give max_t="):
            asha().make((LOSS,), 0, None, {})
        assert asha().make((LOSS,), 0, 9, {}).milestones("a").at == (1, 4, 9)

    def test_a_grace_period_beyond_the_end(self) -> None:
        """A grace period of more than max_t is an error."""
        with pytest.raises(DefinitionError, match="grace_period=10 is more than max_t=9"):
            asha(grace_period=10).make((LOSS,), 0, 9, {})


class TestDefectsOfTune:
    @pytest.mark.parametrize("rule", RULES)
    @pytest.mark.parametrize("value", [math.nan, -math.inf])
    def test_nan_is_stopped(self, rule: str, value: float) -> None:
        """Defect 1: a trial whose metric is NaN or infinitely bad is stopped at the rung, and is the worst of it."""
        scheduler = make(rule)
        assert kinds(scheduler, [0.3, 0.2, value, 0.1])[2] == "STOP"
        verdict = report(make(rule), "a", 1, math.nan)
        assert verdict == Verdict(VerdictKind.STOP, "asha: score is not finite at iteration 1")

    @pytest.mark.parametrize("rule", RULES)
    def test_nan_counts_in_the_rung(self, rule: str) -> None:
        """Defect 1: those that are NaN are not left out of the percentile: beside enough of them a poor value is among the best."""
        assert kinds(make(rule), [math.nan] * 6 + [0.5])[-1] == "CONTINUE"

    @pytest.mark.parametrize("rule", RULES)
    def test_jumps_fill_every_rung(self, rule: str) -> None:
        """Defect 2: a trial that is first judged at iteration 10 is compared at the rungs 1, 3 and 9."""
        scheduler = make(rule)
        for number in range(3):
            report(scheduler, f"jump {number}", 10, 0.9)
        assert [report(scheduler, "late", rung, 0.1).kind for rung in (1,)] == [VerdictKind.STOP]
        other = make(rule)
        for number in range(3):
            report(other, f"jump {number}", 10, 0.9)
        assert report(other, "late", 9, 0.1).kind is VerdictKind.STOP

    def test_the_second_is_not_stopped(self) -> None:
        """Defect 3: with fewer trials than reduction_factor nobody is stopped for being a millionth worse than the first one."""
        assert kinds(make("tune"), [0.5, 0.5 - 1e-6, 0.4]) == ["CONTINUE", "CONTINUE", "STOP"]
        assert kinds(make("tune", factor=4), [0.5, 0.4, 0.3, 0.2]) == ["CONTINUE", "CONTINUE", "CONTINUE", "STOP"]

    @pytest.mark.parametrize("rule", RULES)
    def test_the_top_rung_is_filled(self, rule: str) -> None:
        """Defect 4: a trial that reaches max_t is in the rungs that it passed before it is stopped."""
        scheduler = make(rule, max_t=9)
        for number in range(3):
            assert report(scheduler, str(number), 9, 0.9).reason == "asha: iteration 9 is max_t"
        assert report(scheduler, "late", 3, 0.1).kind is VerdictKind.STOP

    @pytest.mark.parametrize("rule", RULES)
    def test_errors_are_the_worst(self, rule: str) -> None:
        """A trial that fails on its way to a rung is the worst there: others need be no better than it."""
        scheduler = make(rule)
        for number in range(6):
            end(scheduler, f"failed {number}", Outcome.FAILED)
        assert report(scheduler, "poor", 1, -5.0).kind is VerdictKind.CONTINUE

    @pytest.mark.parametrize("rule", RULES)
    def test_ties(self, rule: str) -> None:
        """Equal values stop nobody."""
        assert set(kinds(make(rule), [0.5] * 20)) == {"CONTINUE"}


class TestStopping:
    def test_the_reason(self) -> None:
        """The reason says the value, the iteration, what was needed and of how many; in the metric's own direction."""
        scheduler = make("strict", objective=LOSS)
        for number, value in enumerate([0.5, 0.42, 0.6, 0.7, 0.8, 0.9, 0.41, 0.4]):
            report(scheduler, str(number), 3, value)
        assert report(scheduler, "x", 3, 0.51).reason == "asha: 0.51 at iteration 3, needed 0.42 of 9"

    @given(st.lists(st.integers(0, 20), min_size=1, max_size=40), st.sampled_from([2, 3, 4]))
    def test_strict_is_the_rank(self, values: list[int], factor: int) -> None:
        """rule="strict": whoever has fewer than max(1, n // reduction_factor) better ones goes on, oneself among the n."""
        found = kinds(make("strict", factor=factor), [float(value) for value in values])
        expected = [
            "CONTINUE" if sum(other > value for other in values[: n + 1]) < max(1, (n + 1) // factor) else "STOP"
            for n, value in enumerate(values)
        ]
        assert found == expected

    def test_completed_trials_count(self) -> None:
        """A trial that ends by itself is in the rungs that it has reached."""
        scheduler = make("strict")
        for number in range(3):
            end(scheduler, str(number), Outcome.COMPLETED, 4, 0.9)
        assert report(scheduler, "late", 3, 0.1).kind is VerdictKind.STOP
        assert report(scheduler, "later", 9, 0.1).kind is VerdictKind.CONTINUE

    def test_no_pause_without_a_checkpoint(self) -> None:
        """With pause="auto", a trial without a checkpoint is stopped or goes on by the rule."""
        scheduler = make("strict", pause="auto")
        assert scheduler.pauses
        assert scheduler.pause_at("a") == 1
        assert kinds(scheduler, [0.5, 0.4, 0.6]) == ["CONTINUE", "STOP", "CONTINUE"]
        assert not make(pause="never").pauses
        assert make(pause="never").pause_at("a") is None


class Reference:
    """Promotion as its definition has it, by sorting everything each time: Li et al. (2020), algorithm 2."""

    def __init__(self, factor: int, rungs: tuple[int, ...]) -> None:
        self.factor, self.rungs = factor, rungs
        self.there: dict[int, list[tuple[float, int, str]]] = {rung: [] for rung in rungs}
        self.paused: dict[str, int] = {}

    def pause(self, key: str, rung: int, value: float) -> None:
        self.there[rung].append((value, -len(self.there[rung]), key))
        self.paused[key] = rung

    def fail(self, rung: int, key: str) -> None:
        self.there[rung].append((-math.inf, -len(self.there[rung]), key))

    def promote(self, *, is_last: bool) -> tuple[str, int] | None:
        for at_least in (0, 1) if is_last else (0,):
            for rung in reversed(self.rungs[:-1]):
                ranked = sorted(self.there[rung], reverse=True)
                for value, _, key in ranked[: max(at_least, len(ranked) // self.factor)]:
                    if self.paused.get(key) == rung and value > -math.inf:
                        del self.paused[key]
                        return key, rung
        return None


class TestPromotion:
    @given(st.lists(st.tuples(st.sampled_from("bpprl"), st.integers(0, 12)), max_size=60), st.sampled_from([2, 3]))
    def test_it_equals_the_reference(self, steps: list[tuple[str, int]], factor: int) -> None:
        """Whatever is reported in whatever order, who is promoted is who brute force promotes."""
        scheduler = make(pause="auto", factor=factor, max_t=factor**3)
        rungs = rungs_of(1, factor**3, Fraction(factor))
        reference = Reference(factor, rungs)
        running: list[tuple[str, int]] = []
        begun = 0
        for step, number in steps:
            if step == "b":
                running.append((str(begun), 0))
                begun += 1
            elif step == "p" and running:
                key, level = running.pop(number % len(running))
                if level == len(rungs) - 1:
                    assert report(scheduler, key, rungs[level], number, can_pause=True).kind is VerdictKind.STOP
                else:
                    assert report(scheduler, key, rungs[level], number, can_pause=True).kind is VerdictKind.PAUSE
                    reference.pause(key, rungs[level], number)
            elif step == "l" and running:
                key, level = running.pop(number % len(running))
                end(scheduler, key, Outcome.FAILED)
                reference.fail(rungs[level], key)
            elif step == "r":
                is_last = not running and number > 6
                found, expected = scheduler.resume(is_last=is_last), reference.promote(is_last=is_last)
                assert (found and found.key) == (expected and expected[0])
                if expected is not None and found is not None:
                    level = rungs.index(expected[1]) + 1
                    assert found.pause_at == (None if level == len(rungs) - 1 else rungs[level])
                    running.append((expected[0], level))

    def test_the_reason(self) -> None:
        """A promotion says why."""
        scheduler = make(pause="auto", objective=LOSS)
        for key, value in (("a", 0.3), ("b", 0.2), ("c", 0.4)):
            report(scheduler, key, 1, value, can_pause=True)
        reason = "asha: 0.2 at iteration 1 is among the best 1 of 3"
        assert scheduler.resume(is_last=False) == Resumption("b", 3, reason=reason)
        assert scheduler.resume(is_last=False) is None

    def test_a_few_trials_are_enough(self) -> None:
        """At the end of a study that has fewer trials than reduction_factor the best one still runs to max_t."""
        scheduler = make(pause="auto")
        study = PlayedStudy(scheduler, ["a", "b"], random_curves(1), length=27)
        study.run()
        assert sorted(iteration for _, iteration in states(study).values()) == [1, 27]

    def test_dropped(self) -> None:
        """At the end those that were not promoted are told, each with what it needed; NaN at once."""
        scheduler = make(pause="auto", objective=LOSS)
        for key, value in (("a", 0.3), ("b", 0.2), ("c", 0.4), ("d", math.nan)):
            report(scheduler, key, 1, value, can_pause=True)
        assert scheduler.dropped() == {"d": "asha: loss is not finite at iteration 1"}
        assert scheduler.resume(is_last=False) is not None
        end(scheduler, "b", Outcome.FAILED)
        assert scheduler.resume(is_last=True) is None
        assert scheduler.dropped() == {
            "a": "asha: 0.3 at iteration 1, needed 0.2 of 4",
            "c": "asha: 0.4 at iteration 1, needed 0.2 of 4",
        }
        assert scheduler.dropped() == {}

    def test_the_last_legs_do_not_pause(self) -> None:
        """The leg to max_t pauses nowhere: it ends there."""
        scheduler = make(pause="auto", max_t=3)
        for key in "abc":
            report(scheduler, key, 1, 0.5, can_pause=True)
        found = scheduler.resume(is_last=False)
        assert found is not None
        assert (found.key, found.pause_at) == ("a", None)


class TestPlayed:
    @given(
        st.integers(0, 10**6),
        st.sampled_from([0.0, 0.3, 1.0]),
        st.integers(1, 5),
        st.sampled_from([0.0, 0.2]),
        st.sampled_from(RULES),
    )
    def test_no_trial_is_lost(self, seed: int, checkpoints: float, workers: int, failures: float, rule: str) -> None:
        """In any order of events no rung of a trial is judged twice, no paused trial is forgotten, and any prefix can be replayed."""
        study = PlayedStudy(
            make(rule, pause="auto"),
            [str(key) for key in range(20)],
            random_curves(seed, nans=failures),
            length=27,
            workers=workers,
            seed=seed,
            checkpoints=checkpoints,
            failures=failures,
        )
        study.run()
        prefix = seed % (len(study.calls) + 1)
        scheduler = make(rule, pause="auto")
        for call in study.calls[:prefix]:
            call.repeat(scheduler)
        assert [call.repeat(scheduler) for call in study.calls[prefix:]] == [
            call.answer for call in study.calls[prefix:]
        ]

    @pytest.mark.parametrize("pause", ["auto", "never"])
    def test_a_decision_costs_the_same(self, pause: str) -> None:
        """With 30,000 trials a decision costs not much more than with 300."""
        costs = []
        for count in (300, 30_000):
            scheduler = make("tune", pause=pause)
            before = time.process_time()
            for number in range(count):
                value = math.sin(number * 12.9898) * 43758.5453 % 1
                report(scheduler, str(number), 1, value, can_pause=pause == "auto")
                scheduler.resume(is_last=False)
            costs.append((time.process_time() - before) / count)
        assert costs[1] < 5 * costs[0] + 1e-5
