"""What all sub-commands are handed: where to write, and where runs are. Reads no run."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path

from pytest_sweep.cli.errors import NoSuchRunError, UsageError
from pytest_sweep.cli.output import Output
from pytest_sweep.errors import NoResultsError
from pytest_sweep.results.errors import TagsError
from pytest_sweep.results.finding import find_run, is_path
from pytest_sweep.results.project import results_folder
from pytest_sweep.results.tags import Tags


class Context:
    """What a sub-command needs besides its options.

    Attributes:
        output: where it writes to.

    Args:
        output: where it writes to.
        given: the folder for results that ``--dir`` names, or None.
    """

    def __init__(self, output: Output, given: str | None = None) -> None:
        self.output = output
        self._given = given

    @cached_property
    def results_dir(self) -> Path:
        """The folder for results.

        Raises:
            UsageError: ``--dir`` names no folder.
            NoSuchRunError: there is none.
        """
        if self._given is not None and not os.path.isdir(self._given):  # noqa: PTH112 - Path.is_dir() raises for what is no path
            raise UsageError(f"--dir {self._given}: there is no such folder")
        try:
            return results_folder(self._given)
        except NoResultsError as error:
            raise NoSuchRunError(str(error).replace("dir=...", "--dir")) from error

    @cached_property
    def tags(self) -> Tags:
        """The tags of its runs."""
        return Tags(self.results_dir)

    def find(self, word: str) -> Path:
        """Return the folder of the run that is meant by a word.

        Raises:
            NoResultsError, QueryError: as for `find_run`.
        """
        return find_run(word, Path() if is_path(word) else self.results_dir)

    def tags_of(self, folder: Path) -> list[str]:
        """Return the tags of the run in `folder`; a run elsewhere has none here."""
        try:
            return Tags(folder.parent).of(folder.name)
        except TagsError:  # What is wrong with the file of tags hides no run.
            return []
