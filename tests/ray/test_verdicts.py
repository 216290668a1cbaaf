"""Verdicts on Ray where the mailbox, which they go through, does not answer in time."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_sweep.testing.sessions import run_session

MODELS = """
import contextlib, signal, time
import psutil
from pytest_sweep import clock, sweep
from pytest_sweep.model.study import Milestones, Verdict, VerdictKind

class StopsAtOnce:
    pauses = False

    def milestones(self, key):
        return Milestones((1,))

    def pause_at(self, key):
        return None

    def judge(self, observation, *, can_pause):
        return Verdict(VerdictKind.STOP, "at once")

    def end(self, observation):
        pass

    def resume(self, *, is_last):
        return None

    def dropped(self):
        return {}

@contextlib.contextmanager
def stopped_mailbox():
    siblings = psutil.Process().parent().children()
    (mailbox,) = [process for process in siblings if "Mailbox" in " ".join(process.cmdline())]
    mailbox.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        mailbox.send_signal(signal.SIGCONT)

@sweep(configs=[{}], metric="waited", mode="min", scheduler=StopsAtOnce())
def train(trial):
    with stopped_mailbox():
        began = clock.monotonic()
        trial.report({"waited": 0.0})
        waited = clock.monotonic() - began
    for _ in range(1000):
        trial.report({"waited": waited})
        time.sleep(0.02)
"""


@pytest.mark.usefixtures("shared_ray")
def test_a_mailbox_that_is_stopped(tmp_path: Path) -> None:
    """A report waits for it a second at the most; the trial goes on, and obeys when the verdict arrives."""
    files = {"pytest.ini": "[pytest]\n", "sweep_a.py": MODELS}
    session = run_session(tmp_path, files, ["--sweep-executor=ray"])
    assert session.status == 0, session.output
    waited = session.history("train[{}]", "waited")
    assert str(session.trials["train[{}]"].state) == "STOPPED"
    assert waited[0] == 0
    assert 0.9 < float(str(waited[1])) < 3
    assert len(waited) < 500
