"""The results of several sweeps by name. Knows nothing of where they are stored."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pytest_sweep.errors import NoResultsError
from pytest_sweep.results.grid import ResultGrid
from pytest_sweep.space import escaped

__tracebackhide__ = True  # What a user reported or asked wrongly is shown at the line that did so.


class UnknownSweepError(NoResultsError, KeyError):
    """No sweep, or more than one, has the name that was asked for. Also a KeyError, as for any mapping."""

    def __str__(self) -> str:
        # A KeyError shows its text in quotes.
        return str(self.args[0])


class SweepResults(Mapping[str, ResultGrid]):
    """The results of a run: a mapping from sweep to `ResultGrid`.

    A sweep is found by its node id, and by the function's name where only one has it. Iteration yields the names where they
    are unique, node ids where not, in the order of collection.

    Attributes:
        run: the name of the run; None where the results come from several.
        path: the folder of the run; the results folder where they come from several.

    Looking up a name that no sweep has, or more than one, raises UnknownSweepError, which is a KeyError.
    """

    def __init__(self, grids: Mapping[str, ResultGrid], *, run: str | None, path: Path) -> None:
        self._grids = dict(grids)
        self.run = run
        self.path = path

    @property
    def grids(self) -> tuple[ResultGrid, ...]:
        """All grids, in order; of a session those too that lack results."""
        return tuple(self._grids.values())

    def __getitem__(self, sweep: str) -> ResultGrid:
        return self._grids[self.id_of(sweep)]

    def __contains__(self, sweep: object) -> bool:
        try:
            return isinstance(sweep, str) and bool(self.id_of(sweep))
        except KeyError:
            return False

    def __iter__(self) -> Iterator[str]:
        counts = Counter(map(_name, self._grids))
        for sweep in self._grids:
            name = _name(sweep)
            yield name if counts[name] == 1 else sweep

    def __len__(self) -> int:
        return len(self._grids)

    def __repr__(self) -> str:
        lines = "".join(f"\n  {grid!r}" for grid in self._grids.values())
        return f"<{type(self).__name__} of {escaped(str(self.path))}:{lines or ' no sweeps'}>"

    def id_of(self, sweep: str) -> str:
        """Return the node id of the sweep that has this name, or this node id.

        Raises:
            UnknownSweepError: none has, or more than one.
        """
        if sweep in self._grids:
            return sweep
        named = [known for known in self._grids if _name(known) == sweep]
        if len(named) == 1:
            return named[0]
        if named:
            raise UnknownSweepError(f"{len(named)} sweeps are called {sweep!r}: take one of {_listed(named)}")
        if not self._grids:
            raise UnknownSweepError(f"there are no results of {sweep!r}, nor of any sweep, in {self.path}")
        near = difflib.get_close_matches(sweep, [*self._grids, *self], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UnknownSweepError(f"there are no results of {sweep!r}: there are {_listed(list(self))}{hint}")


class SessionResults(SweepResults):
    """The newest stored results of the trials that a session has collected: what the fixture `sweep_results` is.

    As `SweepResults`, but looking up a sweep raises NoResultsError while one of its trials has no stored result, because a
    test should not judge a part as if it were the whole.

    Attributes:
        missing: the names of the trials without a stored result, by the node id of their sweep.
        notes: what was passed over, one sentence a run: it cannot be read, or still goes on.
        judged: the node ids of the sweeps whose results were looked up, in order.
    """

    def __init__(
        self, grids: Mapping[str, ResultGrid], *, path: Path, missing: Mapping[str, Sequence[str]], notes: Sequence[str]
    ) -> None:
        super().__init__(grids, run=None, path=path)
        self.missing = {sweep: tuple(names) for sweep, names in missing.items() if names}
        self.notes = tuple(notes)
        self.judged: dict[str, None] = {}

    def __getitem__(self, sweep: str) -> ResultGrid:
        return self.get_results(sweep)

    def get_results(self, sweep: str, *, partial: bool = False) -> ResultGrid:
        """Return the results of `sweep`, a name or a node id.

        Args:
            sweep: the sweep.
            partial: take what there is, where some trials have no stored result. Default False.

        Raises:
            UnknownSweepError: no sweep of this session, or more than one, has this name.
            NoResultsError: trials have no stored result, and `partial` is False.
        """
        found = self.id_of(sweep)
        missing = self.missing.get(found, ())
        if missing and not partial:
            count = len(self._grids[found]) + len(missing)
            names = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
            raise NoResultsError(
                f"{len(missing)} of {count} trials of {_name(found)} have no stored result ({names}): run them with"
                f" pytest --sweep, or take what there is with sweep_results.get_results({sweep!r}, partial=True)"
            )
        self.judged[found] = None
        return self._grids[found]


def _name(sweep: str) -> str:
    """Return the name of the function that a node id ends with."""
    return sweep.rpartition("::")[2]


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names[:20])) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
