"""Files of a trial: complete or absent, on a disk or in a store of objects. Knows neither pytest, nor Ray, nor the database."""

from __future__ import annotations

from pytest_sweep.checkpoints.files import folders_with, get_file, put_file
from pytest_sweep.checkpoints.keeping import Keeping
from pytest_sweep.checkpoints.manifest import Name, Recent
from pytest_sweep.checkpoints.places import check_place, local_path, place_of
from pytest_sweep.checkpoints.reach import is_real, is_within
from pytest_sweep.checkpoints.trial import Restored, TrialCheckpoints

__all__ = [
    "Keeping",
    "Name",
    "Recent",
    "Restored",
    "TrialCheckpoints",
    "check_place",
    "folders_with",
    "get_file",
    "is_real",
    "is_within",
    "local_path",
    "place_of",
    "put_file",
]
