"""What a worker process writes past capture is passed on before a trial's end, and where nothing was written nobody waits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# In a process of its own: the pipe takes the place of its descriptors 1 and 2, to the end. What was passed on goes to descriptor 3.
SCRIPT = """
import os, subprocess, sys, threading, time
from pytest_sweep.worker.output import OutputPipe
out = os.dup(1)
said = []
pipe = OutputPipe(said.append)
{body}
os.write(out, repr(said).encode())
"""


def passed_on(body: str) -> str:
    """Return what was passed on, as a list in Python."""
    root = str(Path(__file__).parent.parent.parent)
    script = SCRIPT.format(body=body)
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, encoding="utf-8", timeout=60, cwd=root
    )
    return done.stdout


class TestSync:
    @pytest.mark.parametrize(
        "write",
        [
            "print('from python')",
            "subprocess.run(['echo', 'from a child'])",
            "os.write(1, b'from below\\n')",
            "os.write(2, b'an error\\n')",
        ],
    )
    def test_what_was_written_is_passed_on_before_it_returns(self, write: str) -> None:
        """Two hundred times out of two hundred, whoever has written: the end of a trial never overtakes its output."""
        body = f"for n in range(200):\n    {write}\n    pipe.sync()\n    assert len(said) == n + 1, (n, said)"
        if "subprocess" in write:
            body = body.replace("200", "20")
        assert passed_on(body).count("'") >= 40

    def test_a_line_without_an_end_is_passed_on(self) -> None:
        """The end of a trial ends what it was writing."""
        assert (
            passed_on("os.write(1, b'half a line')\npipe.sync()\nsaid.append('synced')") == "['half a line', 'synced']"
        )

    def test_a_large_output_is_passed_on_whole(self) -> None:
        """More than a pipe holds comes through, in order, before it returns."""
        body = "os.write(1, b'x' * 50 + b'\\n')\n" * 3 + "for n in range(5000): print('line', n)\npipe.sync()\n"
        body += "text = ''.join(said)\nsaid[:] = [text.count('line'), text.endswith('line 4999\\n')]"
        assert passed_on(body) == "[5000, True]"

    def test_nobody_waits_where_nothing_was_written(self) -> None:
        """After a trial that wrote nothing the pipe's thread is not waited for: it may be held up for as long as it likes."""
        body = "pipe._marked.wait = lambda seconds: said.append('waited')\nfor n in range(100): pipe.sync()"
        assert passed_on(body) == "[]"


class TestRewritten:
    def test_a_bar_is_passed_on_while_it_is_drawn(self) -> None:
        """What is followed by a carriage return is passed on without a line break, its newest state only."""
        body = "for n in range(100): os.write(1, b'\\r%d%%' % n)\nos.write(1, b'\\r')\n"
        body += "while not said: time.sleep(0.01)\nos.write(1, b'\\rdone\\n')\npipe.sync()\n"
        body += "text = ''.join(said)\nsaid[:] = [len(said) <= 3, text.count('%') <= 2, text.endswith('\\rdone\\n')]"
        assert passed_on(body) == "[True, True, True]"

    def test_a_bar_without_end_is_not_kept(self) -> None:
        """A line that is rewritten for days takes no more memory than its newest state, colours included."""
        body = "for n in range(20000): os.write(1, b'\\r\\x1b[32m%d%%\\x1b[0m' % n)\n"
        body += "pipe.sync()\nsaid[:] = [len(''.join(said)) < 2000, said[-1].endswith('19999%\\x1b[0m')]"
        assert passed_on(body) == "[True, True]"
