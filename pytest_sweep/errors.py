"""The errors that pytest-sweep raises. Knows nothing else of the project.

SweepError
├── DefinitionError        a sweep that cannot be collected as it is written
│   └── SpaceError         ... because of its search space
├── ResourcesError         resources that are misspelt, negative or cannot be had
├── GangError              a worker of a gang that failed, died or cannot be told what to do
├── MetricsError           a report or a return value that is not metrics
├── ExecutorError          the place where trials run cannot be started or used
│   └── InfeasibleError    a trial that no node can ever hold
├── StoreError             a results folder or database that cannot be used
│   ├── SchemaError        ... because a newer or an older version wrote it
│   └── NoResultsError     ... because it holds nothing that was asked for
└── MissingExtraError      an optional dependency that is not installed
"""

from __future__ import annotations


class SweepError(Exception):
    """The root of all errors that pytest-sweep raises on purpose.

    Its text is a sentence that says what was wrong, with which value, and what to do; it is shown without a traceback.
    """


class DefinitionError(SweepError):
    """A sweep that cannot be collected as it is written."""


class SpaceError(DefinitionError):
    """A search space that cannot be expanded."""


class ResourcesError(SweepError):
    """Resources that are misspelt, negative or cannot be parsed."""


class GangError(SweepError):
    """A worker of a gang has failed or died, or what it is to run cannot be pickled."""


class MetricsError(SweepError):
    """A report or a return value that is not a dict of metrics."""


class ExecutorError(SweepError):
    """The place where trials run cannot be started, reached or used."""


class InfeasibleError(ExecutorError):
    """A trial asks for more than any node can ever give."""


class StoreError(SweepError):
    """A results folder or a database that cannot be used."""


class SchemaError(StoreError):
    """A database that was written by a newer version, or by one that is too old; it is left untouched."""


class NoResultsError(StoreError):
    """Nothing is stored of what was asked for."""


class MissingExtraError(SweepError, ImportError):
    """An optional dependency is not installed; the text names the extra and the pip command."""

    def __init__(self, package: str, extra: str, what: str) -> None:
        super().__init__(f"{what} needs {package}: pip install 'pytest-sweep[{extra}]'")
        self.package = package
        self.extra = extra
