"""What becomes of a session's trials: which are run, and what is taken from earlier runs for the others.

Decides nothing; takes over what earlier runs have stored, and tidies what they have left half done.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_sweep.checkpoints import is_real, is_within, place_of
from pytest_sweep.model.code import KnownCode
from pytest_sweep.model.search_events import Decision
from pytest_sweep.model.source import Source
from pytest_sweep.model.trials import Trial

if TYPE_CHECKING:  # Imports the database, which a session that takes nothing has no need of yet.
    from pytest_sweep.store import Outcome, RunStore, Start, TriedPoint


@dataclass
class Plan:
    """What becomes of a session's trials.

    Attributes:
        sources: what is known of the code of each sweep, by the sweep's id.
        taken: what is taken of earlier runs, by the trials' keys: CACHED, or ERROR where a trial has failed.
        continued: what goes on, by the trials' keys.
        known: what workers need to know of this code.
        resumed_from: the folder of the run that is resumed, or None.
        origins: that folder, and those of the runs that it went on from.
        notes: what is to be said of it, a line each.
        warnings: what is to be said louder.
        decisions: what searchers and schedulers have decided in the run that is resumed, in order.
        decided_in: the folder of the run that has these decisions, or None.
        known_points: the configurations of searched sweeps that earlier runs have tried, newest first, by the keys of their points.
    """

    sources: Mapping[str, Source]
    taken: dict[str, Outcome] = field(default_factory=dict)
    continued: dict[str, Outcome] = field(default_factory=dict)
    known: KnownCode = field(default_factory=KnownCode)
    resumed_from: Path | None = None
    origins: tuple[Path, ...] = ()
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    decisions: Sequence[Decision] = ()
    decided_in: Path | None = None
    known_points: dict[str, TriedPoint] = field(default_factory=dict)

    @property
    def known_metrics(self) -> dict[str, dict[str, Any]]:
        """The final metrics of configurations that were tried already, by the keys of their points."""
        return {point: its.metrics for point, its in self.known_points.items()}

    @property
    def known_from(self) -> dict[str, str]:
        """The names of the runs that have tried them, likewise."""
        return {point: its.outcome.folder.name for point, its in self.known_points.items()}

    def copy_into(self, store: RunStore) -> None:
        """Copy all that it is about into the store of the new run, whose trials are there.

        Raises:
            StoreError: a database cannot be used.
        """
        folders: defaultdict[Path, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
        for place, chosen in enumerate((self.taken, self.continued)):
            for key, outcome in chosen.items():
                folders[outcome.folder][place].append(key)
        for folder, (taken, continued) in folders.items():
            store.copy_trials(folder, taken, continued)
        if self.decided_in is not None:
            store.copy_decisions(self.decided_in)

    def tidy(self, trials: Iterable[Trial]) -> None:
        """Delete what killed workers have left half done in the folders of earlier runs: nobody looks there any more."""
        for trial in trials:
            outcome = self.continued.get(trial.key)
            attempts, begun_in = (0, None) if outcome is None else (outcome.attempts, outcome.folder)
            for folder in filter(None, {self.resumed_from, begun_in}):
                below = str(Path(trial.path_name, "checkpoints"))
                if not is_real(
                    str(folder), below
                ):  # A link, which may lead out of the folder: a run may come from anyone.
                    continue
                place = place_of(str(folder / below))
                with contextlib.suppress(OSError):  # An archive that may not be written is left as it is.
                    # One attempt more may have begun than its driver had heard of when it died.
                    place.delete_incomplete(attempts + 2)

    def within_reach(self, starts: Mapping[str, Start], storage: str | None) -> dict[str, Start]:
        """Return where trials go on, without checkpoints that may not be used: a database may come from anyone, and name any path or URL.

        Those in the folders of the runs that are resumed may be used, and those that these runs have in the storage that is named now.

        Args:
            starts: where the trials go on, by their keys, as the databases have it.
            storage: what ``--sweep-storage`` names, or None.
        """
        places = [str(folder) for folder in self.origins]
        if storage is not None:
            places += [f"{storage.rstrip('/')}/{folder.name}" for folder in self.origins]
        return {
            key: start
            if start.checkpoint is None or is_within(start.checkpoint, places)
            else replace(start, checkpoint=None, iteration=0)
            for key, start in starts.items()
        }


def out_of_reach(before: Mapping[str, Start], after: Mapping[str, Start], names: Mapping[str, str]) -> str:
    """Return what is to be said of checkpoints that `Plan.within_reach` has left out; "" where there are none.

    Args:
        before: what it was given.
        after: what it has returned.
        names: of the trials, by their keys.
    """
    lost = [(names[key], start.checkpoint) for key, start in before.items() if start != after[key]]
    if not lost:
        return ""
    named = ", ".join(f"{name} ({address!r})" for name, address in lost[:3]) + (", ..." if len(lost) > 3 else "")
    what = "1 trial starts" if len(lost) == 1 else f"{len(lost)} trials start"
    return (
        f"{what} from the beginning, since the checkpoints lie outside of the folder of the run that is resumed, and are not opened: "
        f"{named}. To go on from them, resume with the --sweep-storage that the run had"
    )
