"""Weighs and packs what travels. Imports no Ray."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pytest_sweep.errors import ExecutorError
from pytest_sweep.executors.ray.code.files import ShippedFile
from pytest_sweep.sizes import size_words

_MOST_OF_IT = 0.8
_FOLDERS_NAMED = 5


def check_size(files: Sequence[ShippedFile], limit: int, why: str) -> int:
    """Return the size of `files` together, in bytes.

    Args:
        files: what travels.
        limit: how large it may be.
        why: why it must travel, the first half of a sentence.

    Raises:
        ExecutorError: it is larger; the text names the largest folders.
    """
    size = sum(file.size for file in files)
    if size > limit:
        largest = ", ".join(f"{name} ({size_words(part)})" for name, part in largest_parts(files))
        raise ExecutorError(
            f"{why}, and a copy of it would have {size_words(size)} in {len(files)} files; --sweep-code-limit is {size_words(limit)}. "
            f"The largest: {largest}. Name in .gitignore or .rayignore what trials do not read, or raise the limit, or share the folder "
            "with all nodes"
        )
    return size


def largest_parts(files: Sequence[ShippedFile]) -> list[tuple[str, int]]:
    """Return the largest folders, and files beside them, with their sizes in bytes, the largest first.

    Of a folder that is little more than one folder in it that one is named: ``data/raw/images/``, not ``data/``.
    """
    sizes: Counter[str] = Counter()
    for file in files:
        parts = file.name.split("/")
        sizes.update({"/".join(parts[:depth]) + "/": file.size for depth in range(1, len(parts))})
        if len(parts) == 1:
            sizes[file.name] = file.size

    def telling(name: str) -> str:
        inside = (other for other in sizes if other != name and other.startswith(name) and other.endswith("/"))
        return max((other for other in inside if sizes[other] >= _MOST_OF_IT * sizes[name]), key=len, default=name)

    top = [name for name in sizes if "/" not in name.rstrip("/")]
    largest = sorted(top, key=lambda name: (-sizes[name], name))[:_FOLDERS_NAMED]
    return [(name, sizes[name]) for name in (telling(name) if name.endswith("/") else name for name in largest)]


def pack(root: Path, files: Sequence[ShippedFile], target: Path) -> None:
    """Write `files` to the archive `target`, whose bytes depend on nothing but their names, contents and permissions.

    So Ray, which names archives by their contents, ships again only what has changed.

    Raises:
        OSError: one cannot be read, or the archive not be written.
    """
    with zipfile.ZipFile(target, "w") as archive:
        for file in files:
            path = root / file.name
            info = zipfile.ZipInfo(file.name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (path.stat().st_mode & 0o777) << 16
            with path.open("rb") as reading, archive.open(info, "w", force_zip64=True) as writing:
                while chunk := reading.read(1 << 20):
                    writing.write(chunk)
