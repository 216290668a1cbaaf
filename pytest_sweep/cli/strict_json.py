"""Documents as JSON that every parser accepts: numbers that JSON has not are null, and a list says where. Knows nothing of runs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TextIO

from pytest_sweep.model.exact_json import MOST_BITS

SCHEMA = 1
"""The version of the documents. A change that a reader would notice raises it; what is added does not."""

NAN = "nan"
"""Under which name the list is: of objects with ``at``, a JSON pointer (RFC 6901), and ``value``: ``nan``, ``inf`` or ``-inf``."""

# ASCII, so that it is the same in every locale, and half a surrogate pair is an escape.
_ENCODER = json.JSONEncoder(allow_nan=False, ensure_ascii=True)


def write_json(out: TextIO, document: Mapping[str, Any]) -> None:
    """Write a document; a value that is an iterator is written as a list, an entry at a time, each on a line of its own.

    Args:
        out: where to.
        document: its values; ``schema`` comes before them, ``nan`` after them.
    """
    odd: list[dict[str, str]] = []
    out.write(f'{{"schema": {SCHEMA}')
    for name, value in document.items():
        out.write(f",\n{_ENCODER.encode(name)}: ")
        pointer = f"/{_escaped(name)}"
        if isinstance(value, Iterator):
            _write_list(out, value, pointer, odd)
        else:
            out.write(_ENCODER.encode(strict(value, pointer, odd)))
    out.write(f",\n{_ENCODER.encode(NAN)}: {_ENCODER.encode(odd)}}}\n")


def json_line(record: Mapping[str, Any], nan: str = NAN) -> str:
    """Return a record as one line; where it has numbers that JSON has not, also the list of them, under the name `nan`."""
    odd: list[dict[str, str]] = []
    plain = strict(record, "", odd)
    return _ENCODER.encode({**plain, nan: odd} if odd else plain)


def strict(value: Any, pointer: str, odd: list[dict[str, str]]) -> Any:
    """Return plain data without numbers that JSON has not; they are noted in `odd`, with their places.

    Args:
        value: None, booleans, numbers, strings, lists, and dicts with string keys.
        pointer: where it is in the document, as a JSON pointer.
        odd: what is added to.
    """
    if isinstance(value, float) and not math.isfinite(value):
        odd.append({"at": pointer, "value": repr(float(value))})
        return None
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        odd.append({"at": pointer, "value": hex(value)})
        return None
    if isinstance(value, Mapping):
        return {str(key): strict(inner, f"{pointer}/{_escaped(str(key))}", odd) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [strict(inner, f"{pointer}/{place}", odd) for place, inner in enumerate(value)]
    return value


def _write_list(out: TextIO, values: Iterable[Any], pointer: str, odd: list[dict[str, str]]) -> None:
    before = "["
    for place, value in enumerate(values):
        out.write(f"{before}\n{_ENCODER.encode(strict(value, f'{pointer}/{place}', odd))}")
        before = ","
    out.write("[]" if before == "[" else "]")


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
