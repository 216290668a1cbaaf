"""What an MLflow server accepts: names, lengths, and how much in a request. Pure: sends nothing, and does not import MLflow."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

MOST_METRICS = 1000
"""Metrics in a request."""

MOST_PARAMS = 100
"""Parameters, or tags, in a request."""

MOST_BYTES = 900_000
"""Bytes in a request, about. The server refuses 1,000,000; this is an estimate, and the request has a frame."""

MOST_NAME = 250
"""Characters in the name of a run, a metric, a parameter or a tag."""

MOST_PARAM = 6000
"""Characters in the value of a parameter."""

MOST_TAG = 5000
"""Characters in the value of a tag. The newest servers store 8000, older ones 5000."""

_FORBIDDEN = re.compile(r"[^\w.\- :/]")
_HASH = 8

T = TypeVar("T")


def names_of(names: Iterable[str]) -> dict[str, str]:
    """Return for each name the one that it has in MLflow: itself where MLflow accepts it.

    MLflow accepts letters, digits and ``_-. :/``, and names that are paths without empty parts and dots. Everything else becomes ``_``. Of
    names that would be the same then, and of those that are too long, a part is replaced by a hash.

    Example:
        >>> names_of(["loss", "acc@1", "p<", "p>"])
        {'loss': 'loss', 'acc@1': 'acc_1', 'p<': 'p_-61c23c94', 'p>': 'p_-3f0d7e54'}
    """
    accepted = {name: _accepted(name) for name in names}
    taken = Counter(accepted.values())
    return {
        name: new if len(new) <= MOST_NAME and (taken[new] == 1 or new == name) else _hashed(new, name)
        for name, new in accepted.items()
    }


def clean_text(text: str, most: int) -> str:
    """Return a text that each database can store: of at most `most` characters, NUL and half surrogate pairs as escapes."""
    text = text.replace("\0", "\\x00")
    if not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= most else f"{text[: most - 1]}…"


def batches(items: Iterable[T], most: int, size: Callable[[T], int], most_bytes: int = MOST_BYTES) -> Iterator[list[T]]:
    """Iterate over lists of at most `most` items and `most_bytes` bytes, in their order."""
    batch: list[T] = []
    used = 0
    for item in items:
        needed = size(item)
        if batch and (len(batch) == most or used + needed > most_bytes):
            yield batch
            batch, used = [], 0
        batch.append(item)
        used += needed
    if batch:
        yield batch


def json_bytes(text: str) -> int:
    """Return how many bytes a text takes in a request."""
    return len(json.dumps(text))


def _accepted(name: str) -> str:
    parts = _FORBIDDEN.sub("_", clean_text(name, len(name) * 6 + 1)).split("/")
    return "/".join(part if part.strip(".") else "_" * max(1, len(part)) for part in parts)


def _hashed(accepted: str, name: str) -> str:
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH]
    return f"{accepted[: MOST_NAME - _HASH - 1]}-{digest}"
