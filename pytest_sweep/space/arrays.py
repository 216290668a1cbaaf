"""Arrays and scalars of numpy in canonical forms. Imports no numpy: who has such a value has imported it."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from typing import Any

Form = Callable[[Any], list[Any]]


def numpy_form(value: Any, of_objects: Form) -> list[Any] | None:
    """Return the canonical form of a value of numpy that is more than a Python scalar; None for all other values.

    Args:
        value: any value.
        of_objects: returns the form of an array of objects.
    """
    dtype = getattr(value, "dtype", None)
    if type(value).__module__ != "numpy" or dtype is None:
        return None
    if type(value).__name__ == "ndarray" and value.shape != ():
        return _array_form(value, of_objects)
    if value.shape != ():
        return None
    if dtype.kind in "mM":  # Some units have no equal in Python, and NaT would be None.
        return ["array", dtype.str, [], int(value.astype("i8"))]
    return None if dtype.names is None else _array_form(value, of_objects)


def _array_form(value: Any, of_objects: Form) -> list[Any]:
    if value.dtype.names is not None:  # By field: what is between them is not of the value.
        asarray = sys.modules["numpy"].asarray
        fields = [[name, *_array_form(asarray(value[name]), of_objects)[1:]] for name in value.dtype.names]
        return ["array", fields, list(value.shape)]
    if value.dtype.hasobject:
        return of_objects(value)
    # Not as it would pickle, which differs between versions of numpy.
    return ["array", value.dtype.str, list(value.shape), hashlib.sha256(value.tobytes()).hexdigest()]
