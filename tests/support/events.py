"""What is in TensorBoard's event files, read without TensorBoard: records, and what a restart of the session takes back."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from tensorboardX.proto import event_pb2


def scalars(folder: Path) -> list[tuple[int, dict[str, float]]]:
    """Return steps and values of all files in a folder, in order, without those that a ``SessionLog START`` has taken back."""
    found: list[tuple[int, dict[str, float]]] = []
    for path in sorted(folder.glob("*tfevents*")):
        for event in events(path):
            if event.HasField("session_log") and event.session_log.status == event_pb2.SessionLog.START:
                found = [(step, values) for step, values in found if step < event.step]
            values = {value.tag: value.simple_value for value in event.summary.value if value.HasField("simple_value")}
            if values:
                found.append((event.step, values))
    return found


def events(path: Path) -> Iterator[event_pb2.Event]:
    """Yield the events of a file, up to one that is incomplete."""
    data, at = path.read_bytes(), 0
    while at + 12 <= len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        at += 12 + length + 4
        if at > len(data):
            return
        yield event_pb2.Event.FromString(data[at - length - 4 : at - 4])
