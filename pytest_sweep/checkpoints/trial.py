"""The checkpoints of one trial, as its attempts see them: kept, pruned, and found again."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_sweep.checkpoints.keeping import Keeping
from pytest_sweep.checkpoints.manifest import DamagedError, Manifest, Name, Recent
from pytest_sweep.checkpoints.places import Place, place_of
from pytest_sweep.errors import SweepError


@dataclass(frozen=True, slots=True)
class Restored:
    """What an attempt starts from.

    Attributes:
        path: a folder of this machine with the contents of the checkpoint.
        address: where the checkpoint lies: a path or a URL.
        manifest: what it is.
        complete: the addresses of all checkpoints of its trial, by their names.
    """

    path: Path
    address: str
    manifest: Manifest
    complete: Mapping[Name, str] = field(default_factory=dict)


class TrialCheckpoints:
    """Writes the checkpoints of an attempt, and finds those of the attempts before.

    Args:
        location: the path or URL of the folder for the checkpoints of the trial.
        attempt: the attempt.
        keeping: which ones are kept.
    """

    def __init__(self, location: str, attempt: int, keeping: Keeping) -> None:
        self._location = location
        self._attempt = attempt
        self._keeping = keeping
        self._opened: Place | None = None
        self._metrics: dict[Name, Mapping[str, Any]] = {}
        self._damaged: dict[str, str] = {}
        self._unusable: set[Name] = set()

    @property
    def damaged(self) -> Mapping[str, str]:
        """What `restore` could not use: the addresses of checkpoints, and what is wrong with each."""
        return self._damaged

    def save(self, source: Path, iteration: int, metrics: Mapping[str, Any], recent: Sequence[Recent] = ()) -> str:
        """Copy a file or a folder, delete what is not to be kept any longer, and return the address of the copy.

        Args:
            source: the file or folder.
            iteration: the ``training_iteration`` of the report that it belongs to.
            metrics: the full metrics of that.
            recent: the reports before it that may get lost with this process.

        Raises:
            SweepError: `source` does not exist, or the copy failed.
        """
        if not source.exists():
            raise SweepError(
                f"checkpoint={str(source)!r} does not exist: write the file or folder before you report it"
            )
        name = Name(self._attempt, iteration)
        contents = self._place.put(source, str(name))
        self._place.put_manifest(str(name), Manifest(name, contents, metrics, tuple(recent)).encode())
        if self._keeping.count is not None:
            self._metrics[name] = metrics
            self._prune()
        return self._place.address(str(name))

    @property
    def kept(self) -> tuple[str, ...] | None:
        """The addresses of all complete checkpoints of the trial, where some were deleted; None where all are kept."""
        if self._keeping.count is None:
            return None
        return tuple(self._place.address(str(name)) for name in sorted(self._metrics.keys() - self._unusable))

    def restore(self, scratch: Path, known: str | None = None, *, is_lent: bool = False) -> Restored | None:
        """Return the newest good checkpoint of an earlier attempt, or None; what is bad goes into `damaged`.

        Args:
            scratch: a folder for a copy, if one must be made.
            known: the address of the newest one that the driver knows of; it may lie in another location.
            is_lent: whether that is another trial's, which comes before the own ones; where it is not good these do.

        Raises:
            SweepError: the location cannot be read.
        """
        if is_lent and known is not None:
            lent = _lent(scratch, known)
            if lent is not None:
                return lent
            self._damaged[known] = "another trial lends it, and it is not there any more"
            known = None
        try:
            self._place.delete_incomplete(self._attempt)
            names = sorted(filter(None, map(Name.parse, self._place.names())), reverse=True)
            earlier = [name for name in names if name.attempt < self._attempt]
            return self._first_good(earlier, scratch, known)
        except SweepError:
            raise
        except Exception as error:  # The packages behind fsspec raise what they like.
            raise SweepError(f"the checkpoints at {self._location} cannot be read: {error}") from error

    def _first_good(self, names: Sequence[Name], scratch: Path, known: str | None) -> Restored | None:
        addresses = {name: self._place.address(str(name)) for name in names}
        if self._keeping.count is not None:
            self._read_metrics(names)
        candidates = [(self._place, name) for name in names]
        if known is not None and known not in addresses.values():
            elsewhere = _elsewhere(known)
            here = elsewhere is not None and elsewhere[0].address("") == self._place.address("")
            if elsewhere is None or here:
                self._damaged[known] = "it is not there any more"
            else:
                candidates += _before(self._attempt, *elsewhere)
        for place, name in candidates:
            address = place.address(str(name))
            try:
                manifest = Manifest.decode(place.read_manifest(str(name)))
                if manifest.name != name:
                    raise DamagedError(f"its manifest is that of {manifest.name}")
                return Restored(place.fetch(manifest, scratch), address, manifest, addresses)
            except (DamagedError, FileNotFoundError) as error:
                self._damaged[address] = str(error) if isinstance(error, DamagedError) else "its manifest is missing"
                if place is self._place:
                    self._unusable.add(name)
        return None

    def _read_metrics(self, names: Sequence[Name]) -> None:
        for name in names:
            metrics = self._metrics_of(name)
            if metrics is None:
                self._unusable.add(name)
            else:
                self._metrics[name] = metrics

    def _metrics_of(self, name: Name) -> Mapping[str, Any] | None:
        try:
            return Manifest.decode(self._place.read_manifest(str(name))).metrics
        except (DamagedError, FileNotFoundError):
            return None

    def _prune(self) -> None:
        usable = {name: metrics for name, metrics in self._metrics.items() if name not in self._unusable}
        for name in (self._metrics.keys() | self._unusable) - self._keeping.kept(usable):
            # What cannot be deleted now is tried again after the next checkpoint; the trial goes on.
            with contextlib.suppress(Exception):
                self._place.delete(str(name))
                self._metrics.pop(name, None)
                self._unusable.discard(name)

    @property
    def _place(self) -> Place:
        # Opened on first use: most trials keep nothing.
        if self._opened is None:
            self._opened = place_of(self._location)
        return self._opened


def _before(attempt: int, place: Place, known: Name) -> list[tuple[Place, Name]]:
    """Return the checkpoints of an earlier run's attempts, the newest first: `known`, those around it, and what nobody has heard of.

    What they have left half done is deleted.
    """
    place.delete_incomplete(attempt)
    names = {known, *filter(None, map(Name.parse, place.names()))}
    return [(place, name) for name in sorted(names, reverse=True) if name.attempt < attempt]


def _lent(scratch: Path, address: str) -> Restored | None:
    """Return a copy of another trial's checkpoint, or of its newest one that is there; None where none is good. Nothing is deleted there.

    Its owner goes on, and may delete it at any time: its manifest first, so that a copy is whole if that is there afterwards.
    """
    elsewhere = _elsewhere(address)
    if elsewhere is None:
        return None
    place, known = elsewhere
    with contextlib.suppress(Exception):  # The packages behind fsspec raise what they like.
        others = set(filter(None, map(Name.parse, place.names())))
        for name in (known, *sorted(others - {known}, reverse=True)):
            with contextlib.suppress(Exception):  # It is damaged, or was deleted meanwhile: the next one.
                manifest = Manifest.decode(place.read_manifest(str(name)))
                path, copy = place.fetch(manifest, scratch), scratch / str(name)
                if path != copy:
                    shutil.rmtree(copy, ignore_errors=True)
                    shutil.copytree(path, copy)
                    place.read_manifest(str(name))
                return Restored(copy, place.address(str(name)), manifest, {})
    return None


def _elsewhere(address: str) -> tuple[Place, Name] | None:
    location, _, text = address.rpartition("/")
    name = Name.parse(text)
    return None if name is None else (place_of(location), name)
