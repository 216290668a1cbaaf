"""What users may write at ``search=`` and ``scheduler=``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from pytest_sweep.errors import DefinitionError, MissingExtraError
from pytest_sweep.model.study import Milestones, Objective, Observation
from pytest_sweep.search.protocols import Values
from pytest_sweep.search.settings import (
    SCHEDULERS,
    SEARCHERS,
    asha,
    hyperband,
    median,
    optuna,
    pbt,
    qmc,
    random,
    read_scheduler,
    read_searcher,
    stop_after,
    tpe,
)
from pytest_sweep.search.space import SearchSpace
from pytest_sweep.space.sampling import uniform

LOSS = (Objective("loss", "min"),)


class Own:
    """A searcher of a user's."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.recalled: list[Values] = []

    def ask(self, key: str, slot: int) -> Values:  # noqa: ARG002 - a protocol
        self.asked.append(slot)
        return {"lr": 0.5}

    def tell(self, observation: Observation) -> None: ...

    def recall(self, values: Values, observation: Observation) -> None:  # noqa: ARG002 - a protocol
        self.recalled.append(values)


class Judge:
    """A scheduler of a user's, as far as it is looked at."""

    def milestones(self, key: str) -> Milestones:  # noqa: ARG002 - a protocol
        return Milestones((1,))

    def judge(self, observation: Observation, *, can_pause: bool) -> None: ...


class Sampler:
    """A sampler of Optuna, as far as it is looked at."""

    def sample_relative(self) -> None: ...


class TestReading:
    def test_names(self) -> None:
        """A name stands for the call without arguments."""
        assert [read_searcher(name).name for name in SEARCHERS] == ["random", "qmc", "tpe", "gp"]
        assert [read_scheduler(name).name for name in SCHEDULERS] == ["asha", "median", "hyperband"]
        assert read_searcher("tpe") == tpe()
        assert read_scheduler("median") == median()

    def test_who_needs_slots(self) -> None:
        """Only what learns from results needs slots, and what ends a study."""
        assert [read_searcher(one).needs_slots for one in (random(), qmc(), tpe(), stop_after(random(), goal=1))] == [
            False, False, True, True,
        ]  # fmt: skip

    def test_an_object(self) -> None:
        """An object with ask and tell is taken; each study gets a copy of its own."""
        own = Own()
        settings = read_searcher(own)
        made = settings.make(SearchSpace({"lr": uniform(0, 1)}), LOSS, 0, 3)
        made.ask("a", 0)
        assert (settings.name, settings.needs_slots, own.asked) == ("Own", True, [])

    def test_a_factory(self) -> None:
        """What makes a searcher of a space, objectives, a seed and a number of samples is taken."""
        seen: list[Any] = []

        def factory(*given: Any) -> Own:
            seen.append(given)
            return Own()

        space = SearchSpace({"lr": uniform(0, 1)})
        assert isinstance(read_searcher(factory).make(space, LOSS, 5, 3), Own)
        assert seen == [(space, LOSS, 5, 3)]

    def test_points_for_an_object(self) -> None:
        """The points to evaluate come first with a searcher of a user's, too, which is told of them if it can recall."""
        space = SearchSpace({"lr": uniform(0, 1)}, points_to_evaluate=[{"lr": 0.25}])
        made = read_searcher(lambda *_: Own()).make(space, LOSS, 0, 3)
        assert made.ask("a", 0) == {"lr": 0.25}
        assert made.ask("b", 1) == {"lr": 0.5}
        made.tell(Observation("a", 1, (0.1,)))
        inner: Any = made._searcher  # type: ignore[attr-defined]
        assert (inner.asked, inner.recalled) == ([1], [{"lr": 0.25}])

    def test_a_scheduler_of_a_users(self) -> None:
        """An object with judge and milestones is taken as a scheduler, and what makes one."""

        class Mine:
            def __init__(self, *_: object) -> None: ...

            def milestones(self, key: str) -> Milestones:  # noqa: ARG002 - a protocol
                return Milestones((1,))

            def judge(self, observation: Observation, *, can_pause: bool) -> None: ...

        assert read_scheduler(Mine()).name == "Mine"
        assert isinstance(read_scheduler(Mine).make(LOSS, 0, None, {}), Mine)
        assert isinstance(read_scheduler(Mine()).make(LOSS, 0, None, {}), Mine)

    @pytest.mark.parametrize(
        ("read", "written", "said"),
        [
            (read_searcher, "tp", "unknown searcher 'tp'; did you mean 'tpe'. There are random, qmc, tpe, gp"),
            (read_scheduler, "ahsa", "unknown scheduler 'ahsa'; did you mean 'asha'"),
            (read_searcher, "zzz", "unknown searcher 'zzz'; there are random, qmc, tpe, gp"),
            (
                read_searcher,
                "asha",
                "unknown searcher 'asha'; it is a scheduler: give it as scheduler= or --sweep-scheduler",
            ),
            (read_scheduler, "pbt", r"unknown scheduler 'pbt'; it needs arguments: write scheduler=pbt\(\.\.\.\)"),
            (read_searcher, asha, r"search=asha is a scheduler: write scheduler=asha\(\)"),
            (read_searcher, asha(max_t=9), r"search=AshaSettings\(.* is a scheduler: write scheduler=asha\(\)"),
            (read_scheduler, tpe, r"scheduler=tpe is a searcher: write search=tpe\(\)"),
            (read_scheduler, stop_after(goal=1), r"scheduler=StopAfter.* is a searcher: write search=tpe\(\)"),
            (read_scheduler, Own(), r"scheduler=.* is a searcher: write search=Own\(\)"),
            (read_scheduler, Own, r"scheduler=Own is a searcher: write search=Own\(\)"),
            (read_searcher, Judge(), r"search=.* is a scheduler: write scheduler=Judge\(\)"),
            (read_searcher, Judge, r"search=Judge is a scheduler: write scheduler=Judge\(\)"),
            (read_searcher, Own, r"search=Own lacks its parentheses: write search=Own\(\)"),
            (read_searcher, type(tpe()), r"search=TpeSettings lacks its parentheses: write search=TpeSettings\(\)"),
            (read_searcher, Sampler, r"search=Sampler is a sampler of Optuna: write search=optuna\(Sampler\(\)\)"),
            (read_searcher, Sampler(), r"is a sampler of Optuna: write search=optuna\(Sampler\(\)\)"),
            (read_searcher, lambda seed: seed, r"cannot be called with \(space, objectives, seed, num_samples\)"),
            (read_scheduler, lambda seed: seed, r"cannot be called with \(objectives, seed, max_t, trials\)"),
            (read_searcher, tpe, r"lacks its parentheses: write search=tpe\(\)"),
            (read_scheduler, asha, r"lacks its parentheses: write scheduler=asha\(\)"),
            (read_searcher, 3, r"search=3 \(int\) chooses nothing: write tpe\(\), a name"),
            (read_scheduler, None, r"scheduler=None \(NoneType\) stops nothing"),
        ],
    )
    def test_what_is_not_taken(self, read: Callable[[object], Any], written: object, said: str) -> None:
        """Anything else is an error that says what to write."""
        with pytest.raises(DefinitionError, match=said):
            read(written)


class TestStopAfter:
    """What `stop_after` takes is what ``search=`` takes."""

    @pytest.mark.parametrize("written", ["tpe", tpe(), Own(), lambda *_: Own()])
    def test_what_is_taken(self, written: Any) -> None:
        """A name, settings, an object and a function."""
        assert stop_after(written, goal=1).search.needs_slots

    @pytest.mark.parametrize(
        ("written", "said"),
        [
            ("tpee", "unknown searcher 'tpee'; did you mean 'tpe'"),
            (tpe, r"stop_after\(\): search=tpe lacks its parentheses: write .*tpe\(\)"),
            (asha(max_t=9), r"stop_after\(\): search=.* is a scheduler: write scheduler=asha\(\)"),
            (3, r"stop_after\(\): search=3 \(int\) chooses nothing"),
        ],
    )
    def test_what_is_not_taken(self, written: Any, said: str) -> None:
        """Anything else is an error that says where it is."""
        with pytest.raises(DefinitionError, match=said):
            stop_after(written, goal=1)


def test_a_function_that_makes_something_else() -> None:
    """What a function makes must be a searcher, or a scheduler."""
    space = SearchSpace({"lr": uniform(0, 1)})
    with pytest.raises(
        DefinitionError, match=r"has made 3 \(int\), which is no searcher: return an object with ask\(\) and tell\(\)"
    ):
        read_searcher(lambda *_: 3).make(space, LOSS, 0, 3)
    with pytest.raises(
        DefinitionError, match=r"which is no scheduler: return an object with judge\(\) and milestones\(\)"
    ):
        read_scheduler(lambda *_: 3).make(LOSS, 0, None, {})


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: stop_after(goal=10**400), r"stop_after\(\): goal=1000"),
        (lambda: asha(max_t=0), r"asha\(\): max_t=0 \(int\) is not a whole number, 1 or more"),
        (lambda: asha(grace_period=1.5), r"asha\(\): grace_period=1.5"),  # type: ignore[arg-type]
        (lambda: asha(reduction_factor=1), r"asha\(\): reduction_factor=1 \(int\) is not a number above 1"),
        (lambda: asha(brackets=0), "brackets=0"),
        (lambda: asha(rule="lenient"), r"rule='lenient' \(str\) is none of 'tune', 'strict'"),
        (lambda: asha(pause="always"), "pause='always'"),
        (lambda: asha(time_attr="time_total_s"), "is not 'training_iteration', the number of reports"),
        (lambda: median(min_samples_required=0), r"median\(\): min_samples_required=0"),
        (lambda: median(grace_period=-1), r"median\(\): grace_period=-1 \(int\) is not a whole number, 0 or more"),
        (lambda: hyperband(reduction_factor=float("nan")), r"hyperband\(\): reduction_factor=nan"),
        (lambda: pbt({}), r"pbt\(\): hyperparam_mutations=\{\}"),
        (lambda: pbt({"a": [1]}, quantile_fraction=0.6), "quantile_fraction=0.6 .* at most 0.5"),
        (lambda: pbt({"a": [1]}, perturbation_factors=(1,)), "perturbation_factors="),  # type: ignore[arg-type]
        (lambda: tpe(n_startup_trials=0), r"tpe\(\): n_startup_trials=0"),
        (lambda: tpe(random_fraction=1.5), r"tpe\(\): random_fraction=1.5 .* at most 1"),
        (lambda: tpe(multivariate=1), "multivariate=1 .* is neither True nor False"),  # type: ignore[arg-type]
        (lambda: tpe(batch=0), "batch=0"),
        (lambda: optuna("tpe"), r"optuna\(\): 'tpe' \(str\) is neither a sampler of Optuna nor"),
        (lambda: stop_after(tpe()), r"stop_after\(\) has no condition: give no_better=20, goal=0.05"),
        (lambda: stop_after(no_better=0), r"stop_after\(\): no_better=0"),
        (lambda: stop_after(goal=float("inf")), r"stop_after\(\): goal=inf"),
    ],
)
def test_arguments_are_checked(make: Callable[[], object], said: str) -> None:
    """An argument that makes no sense is an error where it is written; it names the call, the argument and the value."""
    with pytest.raises(DefinitionError, match=said):
        make()


def test_settings_are_light() -> None:
    """Importing what users write loads neither Optuna nor numpy, nor any searcher or scheduler."""
    code = (
        "import sys; from pytest_sweep.search.settings import asha, tpe; asha(max_t=9); tpe()\n"
        "print([name for name in ('optuna', 'numpy', 'scipy', 'pytest_sweep.search.tpe', 'pytest_sweep.search.asha') "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_without_optuna(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Optuna is not installed, the error names the extra and the command."""
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"tpe\(\) needs optuna: pip install 'pytest-sweep\[optuna\]'"):
        tpe().make(SearchSpace({"lr": uniform(0, 1)}), LOSS, 0, 3)


def test_an_old_optuna(monkeypatch: pytest.MonkeyPatch) -> None:
    """An Optuna that is too old is an error that says which is needed."""
    module = pytest.importorskip("optuna")
    monkeypatch.setattr(module, "__version__", "4.6.0")
    with pytest.raises(DefinitionError, match=r"tpe\(\) needs optuna 5 or later, and 4.6.0 is installed"):
        tpe().make(SearchSpace({"lr": uniform(0, 1)}), LOSS, 0, 3)
