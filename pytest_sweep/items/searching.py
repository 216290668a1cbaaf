"""Who chooses the configurations of a sweep and who stops its trials, as it is written: ``search=`` and ``scheduler=``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_sweep.errors import DefinitionError, SweepError
from pytest_sweep.model.stop import StopRule
from pytest_sweep.space import Space, searched_axes

if TYPE_CHECKING:  # Many records, which only a sweep that is searched or scheduled needs.
    from pytest_sweep.search.settings import SchedulerSettings, SearcherSettings

_ITERATION = "training_iteration"


@dataclass(frozen=True)
class _Named:
    """Stands for a searcher or a scheduler that only a plugin knows, by its name."""

    name: str

    def __call__(self, *_: object) -> Any:
        raise DefinitionError(f"no plugin has made {self.name!r}: its hook returned nothing for it")


def are_points(value: Any) -> bool:
    """Say whether `value` can be ``points_to_evaluate=``."""
    return value is None or (
        isinstance(value, (list, tuple))
        and all(isinstance(point, Mapping) and all(isinstance(key, str) for key in point) for point in value)
    )


def searcher_of(value: Any) -> SearcherSettings | None:
    """Return the settings that ``search=value`` means; None where it is left out.

    A name that only a plugin knows stands for a searcher that the hook ``pytest_sweep_make_searcher`` makes.

    Raises:
        DefinitionError: it is no searcher.
    """
    if value is None:
        return None
    from pytest_sweep.search.settings import SEARCHERS, OwnSearcher, read_searcher

    return OwnSearcher(_Named(value)) if isinstance(value, str) and value not in SEARCHERS else read_searcher(value)


def scheduler_of(value: Any) -> SchedulerSettings | None:
    """Return the settings that ``scheduler=value`` means, as `searcher_of` does."""
    if value is None:
        return None
    from pytest_sweep.search.settings import SCHEDULERS, OwnScheduler, read_scheduler

    return OwnScheduler(_Named(value)) if isinstance(value, str) and value not in SCHEDULERS else read_scheduler(value)


def has_slots(arguments: Mapping[str, Any]) -> bool:
    """Say whether configurations are chosen while the sweep runs, by a searcher that learns from results."""
    chosen = searcher_of(arguments.get("search"))
    return chosen is not None and chosen.needs_slots


def max_t_of(scheduler: SchedulerSettings | None, rules: Iterable[StopRule]) -> int | None:
    """Return at how many iterations a trial is done: what the scheduler says, or what ``stop=`` does; None where nothing does."""
    if scheduler is None or scheduler.max_t is not None:
        return None if scheduler is None else scheduler.max_t
    limits = [rule.limit for rule in rules if rule.metric == _ITERATION and rule.comparison == ">="]
    return int(min(limits)) if limits else None


def check_searching(arguments: Mapping[str, Any], space: Space, is_made: Callable[[str], bool]) -> None:
    """Check how a sweep is searched and scheduled.

    Args:
        arguments: the arguments of the sweep, with what the options of the run have changed.
        space: its space.
        is_made: says of ``search`` and of ``scheduler`` whether a plugin makes some, so that any name may be known to it.

    Raises:
        DefinitionError: it cannot be; the text does not name the sweep.
    """
    problems = _unreadable(arguments, is_made) or [
        *_points_problems(arguments),
        *_search_problems(arguments),
        *_slot_problems(arguments),
        *_scheduler_problems(arguments),
    ]
    if not problems and arguments.get("search") is not None and not searched_axes(space):
        raise DefinitionError(
            f"{_word(arguments, 'search')} chooses values from domains, and the space has only lists, of which each combination is "
            "tried: write uniform(low, high), randint(low, high) or choice([...]) for what is to be chosen, or leave out search="
        )
    if problems:
        raise DefinitionError("; ".join(problems))


def _unreadable(arguments: Mapping[str, Any], is_made: Callable[[str], bool]) -> list[str]:
    written = [name for name in ("search", "scheduler") if arguments.get(name) is not None]
    if not written:
        return []
    from pytest_sweep.search.settings import read_scheduler, read_searcher

    problems = []
    for argument in written:
        given = arguments[argument]
        if isinstance(given, str) and is_made(argument):
            continue
        try:
            (read_searcher if argument == "search" else read_scheduler)(given)
        except SweepError as error:
            problems.append(f"{argument}={given!r}: {error}" if isinstance(given, str) else str(error))
    return problems


def _points_problems(arguments: Mapping[str, Any]) -> list[str]:
    points, slots = arguments.get("points_to_evaluate"), arguments.get("num_samples")
    if not points:
        return []
    if not has_slots(arguments):
        return [
            "points_to_evaluate= are what a searcher tries first, and none here learns: add search=tpe(), or write them in configs="
        ]
    if type(slots) is int and slots < len(points):
        return [
            f"points_to_evaluate= has {len(points)} points for num_samples={slots} trials: give at least as many samples"
        ]
    return []


def _search_problems(arguments: Mapping[str, Any]) -> list[str]:
    if arguments.get("search") is None:
        return []
    what, problems = _word(arguments, "search"), []
    if "configs" in arguments:
        problems.append(
            f"{what} has nothing to choose in configs=, which lists whole configurations: write domains in space=, or leave out search="
        )
    if "num_samples" not in arguments:
        problems.append(f"{what} needs num_samples=, the number of trials whose configurations it chooses, such as 50")
    return problems


def _slot_problems(arguments: Mapping[str, Any]) -> list[str]:
    if not has_slots(arguments):
        return []
    what, problems = _word(arguments, "search"), []
    if arguments.get("metric") is None:
        problems.append(f"{what} learns from a metric: give metric= and mode=")
    if arguments.get("repeats", 1) != 1:
        problems.append(
            f"{what} chooses a configuration for each trial, and cannot have repeats= yet: leave out repeats=, and average over several "
            "seeds within the trial"
        )
    if arguments.get("ids") is not None and not callable(arguments["ids"]):
        problems.append(
            f"{what} chooses configurations while the sweep runs, so that ids cannot be listed: give a function of the configuration as "
            "ids=, whose text is shown beside train[trial=07], or leave it out"
        )
    if arguments.get("average_over"):
        problems.append(
            f"{what} makes a study of its own for each value of a stacked parametrize, with other configurations in each, over which "
            "average_over= cannot average: leave it out, and average within the trial"
        )
    return problems


def _scheduler_problems(arguments: Mapping[str, Any]) -> list[str]:
    chosen = scheduler_of(arguments.get("scheduler"))
    if chosen is None:
        return []
    what, problems = _word(arguments, "scheduler"), []
    if arguments.get("metric") is None:
        problems.append(f"{what} compares trials by a metric: give metric= and mode=")
    if chosen.name == "pbt" and has_slots(arguments):
        problems.append(
            f"{what} changes configurations itself, and cannot have {_word(arguments, 'search')} beside it: leave one out"
        )
    try:
        rules = [StopRule.parse(metric, rule) for metric, rule in (arguments.get("stop") or {}).items()]
    except (SweepError, AttributeError):
        return problems  # Said elsewhere.
    if getattr(chosen, "needs_max_t", False) and max_t_of(chosen, rules) is None:
        problems.append(
            f"{what} must know how many reports a whole trial makes: write scheduler={chosen.name}(max_t=100), or "
            f"stop={{'{_ITERATION}': 100}}, which ends each trial there"
        )
    return problems


def _word(arguments: Mapping[str, Any], argument: str) -> str:
    """Return how an argument reads in a sentence: ``search=tpe()``."""
    given = arguments[argument]
    if isinstance(given, str):
        return f"{argument}={given!r}"
    chosen = searcher_of(given) if argument == "search" else scheduler_of(given)
    return f"{argument}={getattr(chosen, 'name', given)}()"
