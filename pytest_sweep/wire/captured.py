"""The output of a trial that pytest has captured so far, in files that outlive the process. Knows no pytest.

pytest keeps captured output in memory and in files without a name, and both end with the process.
"""

from __future__ import annotations

import contextlib
import os
import pickle
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

Section = tuple[str, str]
"""A section of a report, as pytest names it: ``("Captured stdout call", "...")``."""

MOST_BYTES = 1_000_000
"""How much of each stream is read, its start and its end: a trial may print a hundred megabytes."""

STREAMS = ("stdout", "stderr", "log")

_PHASE_BYTES = 8


class CapturedFiles:
    """The files of one process, which writes them.

    Args:
        folder: the folder of this process; it exists.

    Attributes:
        stdout: the descriptor of what pytest has captured of the standard output in the current phase.
        stderr: likewise.
    """

    def __init__(self, folder: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC
        self.stdout, self.stderr, self._log, self._sections = (
            os.open(folder / name, flags, 0o600) for name in (*STREAMS, "sections")
        )
        self._has_log = self._has_sections = False

    def begin(self, phase: str) -> None:
        """Take note that a phase begins: ``setup``, ``call`` or ``teardown``."""
        os.pwrite(self._sections, phase.ljust(_PHASE_BYTES).encode(), 0)

    def keep(self, sections: Sequence[Section]) -> None:
        """Keep the sections of the phases that have ended."""
        if sections:
            os.ftruncate(self._sections, _PHASE_BYTES)
            os.pwrite(self._sections, pickle.dumps(list(sections)), _PHASE_BYTES)
            self._has_sections = True

    def clear(self) -> None:
        """The trial has ended: forget its sections. pytest empties the streams itself."""
        if self._has_sections:
            os.ftruncate(self._sections, 0)
            self._has_sections = False
        self._clear_log()

    def new_log(self) -> StringIO:
        """Return a stream for the log records of the phase that begins; what is written to it is in the file, too."""
        self._clear_log()
        return _CopiedText(self._write_log)

    def _clear_log(self) -> None:
        if self._has_log:
            os.ftruncate(self._log, 0)
            os.lseek(self._log, 0, os.SEEK_SET)
            self._has_log = False

    def _write_log(self, text: str) -> None:
        self._has_log = True
        write_text(self._log, text)


class _CopiedText(StringIO):
    def __init__(self, copied: object) -> None:
        super().__init__()
        self._copied = copied

    def write(self, text: str) -> int:
        self._copied(text)  # type: ignore[operator]
        return super().write(text)


def write_text(descriptor: int, text: str) -> None:
    """Write text to a file, as much of it as there is room for."""
    with contextlib.suppress(OSError):
        os.write(descriptor, text.encode("utf-8", "backslashreplace"))


def read_captured(folder: Path) -> tuple[Section, ...]:
    """Return the sections that pytest would have shown of the trial in which the process died."""
    sections: list[Section] = []
    phase = "call"
    with contextlib.suppress(OSError):
        content = (folder / "sections").read_bytes()
        phase = content[:_PHASE_BYTES].decode(errors="replace").strip("\0 ") or phase
        sections += _earlier(content[_PHASE_BYTES:])
    for name in STREAMS:
        text = _read_ends(folder / name).strip("\0")
        if text:
            sections.append((f"Captured {name} {phase}", text))
    return tuple(sections)


def _earlier(content: bytes) -> list[Section]:
    """Return the sections of the phases that had ended; those that can be read of what a process has not written to its end."""
    try:
        found = pickle.loads(content) if content else []
    except Exception:  # Half a pickle may be anything.
        return []
    return [section for section in found if _is_section(section)] if isinstance(found, list) else []


def _is_section(section: object) -> bool:
    return isinstance(section, tuple) and len(section) == 2 and all(isinstance(part, str) for part in section)


def _read_ends(path: Path) -> str:
    """Return the content of a file as text; of a long one the start and the end."""
    try:
        with path.open("rb") as file:
            missing = os.fstat(file.fileno()).st_size - MOST_BYTES
            if missing <= 0:
                return file.read().decode("utf-8", "replace")
            start = file.read(MOST_BYTES // 2).decode("utf-8", "replace")
            file.seek(-(MOST_BYTES // 2), os.SEEK_END)
            end = file.read().decode("utf-8", "replace")
            return f"{start}\n... {missing} bytes are cut here ...\n{end}"
    except OSError:
        return ""
