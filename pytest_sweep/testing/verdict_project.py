"""The project that `pytest_sweep.testing.verdict_contract` runs: sweeps whose trials a script judges, each in its own way."""

from __future__ import annotations

CONFTEST = '''
import os
from pathlib import Path

import pytest
from pytest_sweep.model.events import TrialFinished, TrialReported
from pytest_sweep.model.study import Milestones, VerdictKind
from pytest_sweep.testing.judging import JudgingExecutor, told

LOG = Path(__file__).parent / "log"

def note(text):
    with LOG.open("a") as log:
        log.write(f"{os.getpid()} {text}\\n")

@pytest.fixture
def resource(trial):
    yield
    note(f"down {trial.name} {trial.attempt}")

JUDGED = {  # by sweep: milestones, and where its trials pause by their task
    "judged": (Milestones((1, 3)), None), "generator": (Milestones((1, 3)), None), "in_a_thread": (Milestones((1, 3)), None),
    "stops_by_rule": (Milestones((3,)), 3), "pauses": (Milestones((2,)), 2), "keeps_nothing": (Milestones((2,)), 2),
    "is_paused": (Milestones((2,)), None), "measures": (Milestones(every=1), None), "talks": (None, None),
    "is_tried_again": (Milestones((1, 2)), None), "late": (Milestones((1, 2)), None), "never_waits": (Milestones((2,), waits=False), None),
    "unanswered": (Milestones((1,)), None), "killed_there": (Milestones((1,)), None), "has_no_clock": (Milestones((1, 2)), None),
    "later": (Milestones((1,)), None), "is_over": (Milestones((1,)), None),
}

class Script:
    def __init__(self):
        self.first, self.last = {}, {}

    def judged(self, task):
        return JUDGED[task.trial.sweep.name]

    def verdicts(self, worker, task, event):
        if isinstance(event, TrialReported):
            self.last[event.key] = event
        elif isinstance(event, TrialFinished) and event.key in self.last:
            # It has just ended: whatever runs there now must not obey.
            return [(0, told(worker, self.last[event.key], VerdictKind.STOP))]
        return getattr(self, f"of_{task.trial.sweep.name}", self.stop_odd)(worker, task, event)

    def paused(self, event):
        note(f"paused {event.metrics['training_iteration']} {len(event.reports)}")

    def stop_odd(self, worker, task, event):
        if not isinstance(event, TrialReported) or not task.milestones.include(event.metrics["training_iteration"]):
            return []
        is_stopped = task.trial.config.get("a", 0) % 2 and event.metrics["training_iteration"] > 1
        return [(0, told(worker, event, VerdictKind.STOP if is_stopped else VerdictKind.CONTINUE))]

    def of_is_paused(self, worker, task, event):
        found = isinstance(event, TrialReported) and event.metrics["training_iteration"] == 2
        return [(0, told(worker, event, VerdictKind.PAUSE))] if found else []

    def of_is_tried_again(self, worker, task, event):
        if isinstance(event, TrialReported) and event.attempt == 1:
            self.first[event.key] = worker, event
        elif isinstance(event, TrialReported) and event.metrics["training_iteration"] < 3:
            stale = told(*self.first[event.key], VerdictKind.STOP)
            return [(0, stale), (0, told(worker, event))]
        return []

    def of_late(self, worker, task, event):
        """Say at the second report what was to be said at the first."""
        if isinstance(event, TrialReported) and event.metrics["training_iteration"] == 1:
            self.first[event.key] = worker, event
        elif isinstance(event, TrialReported):
            return [(0, told(*self.first[event.key], VerdictKind.STOP))]
        return []

    def of_never_waits(self, worker, task, event):
        found = isinstance(event, TrialReported) and event.metrics["training_iteration"] == 2
        return [(0, told(worker, event, VerdictKind.STOP))] if found else []

    def of_later(self, worker, task, event):
        found = isinstance(event, TrialReported) and event.metrics["training_iteration"] == 1
        return [(1.5, told(worker, event, VerdictKind.STOP))] if found else []

    def of_is_over(self, worker, task, event):
        found = isinstance(event, TrialReported) and event.metrics["training_iteration"] == 1
        return [(1.3, told(worker, event, VerdictKind.STOP))] if found else []

    def of_unanswered(self, worker, task, event):
        return []

    def of_killed_there(self, worker, task, event):
        is_heard = isinstance(event, TrialReported)
        if is_heard:
            note(f"heard of attempt {event.attempt}")
        return [(0, told(worker, event))] if is_heard and event.attempt == 2 else []

    def of_talks(self, worker, task, event):
        return []

@pytest.hookimpl(wrapper=True)
def pytest_sweep_make_executor(options):
    return JudgingExecutor((yield), Script())
'''

MODELS = """
import threading, time
from pathlib import Path

import pytest
from pytest_sweep import clock, sweep

def save(trial, number):
    path = Path(trial.dir, "step")
    path.write_text(str(number))
    return path

@sweep(grid={"a": [1, 2]})
def judged(a, trial):
    for number in range(1, 6):
        try:
            trial.report({"x": number})
        except Exception:
            pass

@sweep(grid={"a": [1, 2]})
def generator(a, resource):
    for number in range(1, 6):
        yield {"x": number}

@sweep(configs=[{"a": 1}], stop={"x": ">= 3"})
def stops_by_rule(a, trial):
    for number in range(1, 6):
        trial.report({"x": number}, save(trial, number))

@sweep(configs=[{}])
def pauses(trial, resource):
    for number in range(1, 6):
        trial.report({"x": number}, save(trial, number))

@sweep(configs=[{}])
def keeps_nothing(trial):
    for number in range(1, 6):
        trial.report({"x": number})

@sweep(configs=[{}])
def is_paused(trial):
    for number in range(1, 6):
        trial.report({"x": number}, save(trial, number))

@sweep(configs=[{}], retries=1)
def is_tried_again(trial):
    trial.report({"x": 1})
    if trial.attempt == 1:
        raise OSError("fails once")
    for number in range(2, 6):
        trial.report({"x": number})

@sweep(configs=[{}])
def late(trial):
    for number in range(1, 6):
        trial.report({"x": number})

@sweep(configs=[{}])
def has_no_clock(trial, monkeypatch):
    for name in ("time", "sleep", "monotonic", "perf_counter"):
        monkeypatch.setattr(time, name, lambda *_: 0.0)
    for number in range(1, 4):
        trial.report({"x": number})
"""

# Where trials run in the driver's own process nobody is there to take or to give a verdict but at milestones, on the main thread.
ELSEWHERE = """
import os, subprocess, sys, threading, time

from pytest_sweep import clock, sweep

@sweep(grid={"a": [1, 2]})
def in_a_thread(a, trial):
    def train():
        for number in range(1, 6):
            trial.report({"x": number})
            if trial.should_stop:
                return

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()

@sweep(configs=[{}])
def never_waits(trial):
    for number in range(1, 1000):
        trial.report({"x": number})
        time.sleep(0.02)

@sweep(configs=[{}])
def later(trial):
    for number in range(1, 1000):
        trial.report({"x": number})
        time.sleep(0.02)

@sweep(configs=[{}])
def is_over(trial):
    trial.report({"x": 1})
    time.sleep(2)

@sweep(configs=[{}])
def unanswered(trial):
    began = clock.monotonic()
    trial.report({"x": 1})
    return {"waited": clock.monotonic() - began}

KILL = "import os, sys, time; time.sleep(0.4); os.kill(int(sys.argv[1]), 9)"

@sweep(configs=[{}])
def killed_there(trial):
    if trial.attempt == 1:
        subprocess.Popen([sys.executable, "-c", KILL, str(os.getpid())], start_new_session=True)
    trial.report({"x": trial.attempt})
    assert trial.attempt == 2
"""

LOAD = """
import time

from pytest_sweep import clock, sweep

@sweep(configs=[{}])
def talks(trial):
    end = clock.monotonic() + 3
    number = 0
    while clock.monotonic() < end:
        for _ in range(20):
            number += 1
            trial.report({"x": number})
            print("a line that is captured" * 10)
        time.sleep(0.01)

@sweep(configs=[{}])
def measures(trial):
    waited = []
    for number in range(60):
        began = clock.monotonic()
        trial.report({"x": number})
        waited.append(clock.monotonic() - began)
        time.sleep(0.03)
    return {"longest": max(waited), "median": sorted(waited)[len(waited) // 2]}
"""
