"""What becomes of a session's trials: which are run, and what is taken from earlier runs for the others.

Decides nothing; takes over what earlier runs have stored, and tidies what they have left half done.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_sweep.checkpoints import place_of
from pytest_sweep.model.code import KnownCode
from pytest_sweep.model.source import Source
from pytest_sweep.model.trials import Trial

if TYPE_CHECKING:  # Imports the database, which a session that takes nothing has no need of yet.
    from pytest_sweep.store import Outcome, RunStore


@dataclass
class Plan:
    """What becomes of a session's trials.

    Attributes:
        sources: what is known of the code of each sweep, by the sweep's id.
        taken: what is taken of earlier runs, by the trials' keys: CACHED, or ERROR where a trial has failed.
        continued: what goes on, by the trials' keys.
        known: what workers need to know of this code.
        resumed_from: the folder of the run that is resumed, or None.
        notes: what is to be said of it, a line each.
        warnings: what is to be said louder.
    """

    sources: Mapping[str, Source]
    taken: dict[str, Outcome] = field(default_factory=dict)
    continued: dict[str, Outcome] = field(default_factory=dict)
    known: KnownCode = field(default_factory=KnownCode)
    resumed_from: Path | None = None
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

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

    def tidy(self, trials: Iterable[Trial]) -> None:
        """Delete what killed workers have left half done in the folders of earlier runs: nobody looks there any more."""
        for trial in trials:
            outcome = self.continued.get(trial.key)
            attempts, begun_in = (0, None) if outcome is None else (outcome.attempts, outcome.folder)
            for folder in filter(None, {self.resumed_from, begun_in}):
                place = place_of(str(folder / trial.path_name / "checkpoints"))
                with contextlib.suppress(OSError):  # An archive that may not be written is left as it is.
                    # One attempt more may have begun than its driver had heard of when it died.
                    place.delete_incomplete(attempts + 2)
