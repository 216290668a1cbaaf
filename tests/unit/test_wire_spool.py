"""What a worker has said survives its death, in order, and costs little."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sweep.model.events import TrialReported
from pytest_sweep.wire.inbox import Inbox
from pytest_sweep.wire.messages import pack, unpack
from pytest_sweep.wire.outbox import Numbered, Outbox
from pytest_sweep.wire.spool import Spool, read_spool


def event(number: int) -> Numbered:
    """Return an event."""
    return number, pack(number)


def left(folder: Path) -> list[int]:
    """Return the events that are in the spool."""
    return [unpack(packed) for _, packed in read_spool(folder)]


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """A spool in the test's folder."""
    return Spool(tmp_path)


def test_what_was_written_is_there(spool: Spool, tmp_path: Path) -> None:
    """It is in the files at once, in the order of its numbers."""
    for number in (1, 2, 3):
        spool.write(event(number))
    assert left(tmp_path) == [1, 2, 3]


def test_what_has_arrived_is_dropped(spool: Spool, tmp_path: Path) -> None:
    """What was written before it was sent is dropped when that has arrived; what came meanwhile is kept."""
    spool.write(event(1))
    spool.turn()
    spool.write(event(2))
    assert left(tmp_path) == [1, 2]
    spool.arrived()
    assert left(tmp_path) == [2]
    spool.turn()
    spool.arrived()
    assert left(tmp_path) == []


def test_what_has_not_arrived_is_kept(spool: Spool, tmp_path: Path) -> None:
    """Where something could not be sent, both files are kept until it could."""
    spool.write(event(1))
    spool.turn()  # Sent, and lost on the way.
    spool.write(event(2))
    spool.turn()
    spool.write(event(3))
    assert left(tmp_path) == [1, 2, 3]
    spool.arrived()
    assert left(tmp_path)[-1] == 3


@given(cut=st.integers(0, 400))
def test_an_incomplete_record(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    """Wherever the last record ends, those before it are read."""
    folder = tmp_path_factory.mktemp("spool")
    spool = Spool(folder)
    sizes = []
    for number in range(1, 6):
        spool.write(event(number))
        sizes.append((folder / "events-0").stat().st_size)
    cut = min(cut, sizes[-1])
    os.truncate(folder / "events-0", cut)
    assert left(folder) == [number for number, size in enumerate(sizes, 1) if size <= cut]


def test_a_full_disk(spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that has no room raises nothing, and none is written after it: what cannot be told in order is not told."""
    spool.write(event(1))
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda *_: 3)
        spool.write(event(2))
    spool.write(event(3))
    assert left(tmp_path) == [1]


def test_a_forked_child(spool: Spool, tmp_path: Path) -> None:
    """A forked child writes nothing into the spool of its parent."""
    child = os.fork()
    if not child:
        spool.write(event(1))
        os._exit(0)
    os.waitpid(child, 0)
    assert left(tmp_path) == []


SAYS = """
    import os, signal, sys, time
    from pathlib import Path
    from pytest_sweep.model.events import TrialReported
    from pytest_sweep.wire.outbox import Outbox
    from pytest_sweep.wire.spool import Spool

    sent = []

    def send(numbered):
        if sys.argv[3] == "broken":
            raise OSError
        sent.extend(number for number, _ in numbered)
        Path(sys.argv[1], "half").write_text(repr(sent))
        Path(sys.argv[1], "half").replace(Path(sys.argv[1], "sent"))

    box = Outbox(send)
    box.keep_in(Spool(Path(sys.argv[1])))
    box.begin_call()
    for number in range(1, int(sys.argv[2]) + 1):
        box.put(TrialReported("k", 1, {"i": number}))
        time.sleep(float(sys.argv[4]))
    os.kill(os.getpid(), signal.SIGSEGV)
"""


@pytest.mark.parametrize("way", ["open", "broken"])
@pytest.mark.parametrize(("count", "pause"), [(1, 0), (31, 0), (31, 0.01), (5_000, 0)])
def test_a_crash(tmp_path: Path, way: str, count: int, pause: float) -> None:
    """What was sent and what is in the spool are together all that was put, whenever the process crashes."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SAYS), tmp_path, str(count), way, str(pause)], check=False
    )
    assert done.returncode == -signal.SIGSEGV
    sent: Sequence[int] = eval((tmp_path / "sent").read_text()) if (tmp_path / "sent").exists() else ()
    inbox, found = Inbox(), [number for number, _ in read_spool(tmp_path)]
    assert list(sent) == list(range(1, len(sent) + 1))
    assert found == sorted(set(found))
    assert sorted({*sent, *found}) == list(range(1, count + 1))
    told: list[Any] = inbox.put([(number, pack(None)) for number in sent])
    told += inbox.put(read_spool(tmp_path))
    assert len(told) == count


def test_a_call(tmp_path: Path) -> None:
    """What travels with the result of a call is kept until the next call: the driver has had the result then."""
    box = Outbox(lambda _: None)
    box.keep_in(Spool(tmp_path))
    box.put(TrialReported("k", 1, {}))
    last, rest = box.take()
    assert (last, len(rest)) == (1, 1)
    assert [number for number, _ in read_spool(tmp_path)] == [1]
    box.put(TrialReported("k", 1, {}))
    box.begin_call()
    assert [number for number, _ in read_spool(tmp_path)] == [2]
    box.take()
