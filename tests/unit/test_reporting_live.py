"""The lines of a live view: what they say, in any width and height, of any trial."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sweep.model import Sweep, Trial, TrialState
from pytest_sweep.model.events import Accepted, TrialFinished, TrialReported, TrialStarted
from pytest_sweep.model.waiting import Wait, Waiting, WaitingGroup
from pytest_sweep.reporting import FailureReasons, Leaders, Progress
from pytest_sweep.reporting.live import LiveView, NamedLine, live_line, live_lines
from pytest_sweep.reporting.live_session import SessionView
from pytest_sweep.reporting.rewritten import RewrittenLines
from pytest_sweep.reporting.text import text_width

SWEEP = Sweep("test_m.py::train", "train", metric="loss", mode="min", varying=("lr",))
HOSTILE = "a\x1b[31mb\nc\r\x07\t\u202e宽😀\u0301\x9b2J"


def trial(number: int, name: str = "") -> Trial:
    return Trial(f"{number:016x}", f"{SWEEP.id}[{number}]", name or f"train[lr={number}]", SWEEP, {"lr": number})


def ended(number: int, loss: float | None, began: float = 100.0) -> list[Accepted]:
    """Return the events of a trial that takes 2 s; None is a failure."""
    key = trial(number).key
    state = TrialState.ERROR if loss is None else TrialState.TERMINATED
    metrics: dict[str, Any] | None = None if loss is None else {"loss": loss, "training_iteration": 1}
    error = "Traceback\nValueError: boom" if loss is None else None
    return [TrialStarted(key, 1, began, "h:1"), TrialFinished(key, 1, state, metrics, error, 2.0, began + 2)]


def look(progress: Progress, now: float = 110.0, waiting: Waiting | None = None, **more: Any) -> LiveView:
    return SessionView(progress, Leaders(progress), FailureReasons(progress)).look(now, now - 100.0, waiting, **more)


def played(trials: int, *events: Accepted) -> Progress:
    progress = Progress([trial(number) for number in range(trials)])
    for event in events:
        progress.update(event)
    return progress


def test_what_is_shown() -> None:
    """A bar, states, time, the best so far, failures by reason, what waits, and what runs with its latest report."""
    events = [event for number in range(6) for event in ended(number, None if number in (1, 4) else 1 / (number + 1))]
    running = trial(6).key
    progress = played(
        20, *events, TrialStarted(running, 1, 105.0, "h:1"), TrialReported(running, 1, {"loss": 3.0, "training_iteration": 7})
    )  # fmt: skip
    waiting = Waiting((WaitingGroup(Wait("1 CPU", "none is free"), 13, ("train",)),), None, lambda key: None)
    assert live_lines(look(progress, waiting=waiting, trackers=["mlflow is 20 reports behind"]), 100, 20) == [
        "sweep [########!!!!>>--------------------------] 6/20 done, 00:00:10, about 20 s left",
        "4 TERMINATED, 2 ERROR, 1 RUNNING, 13 PENDING",
        "Best so far: loss=0.166667 (min): train[lr=5]",
        "ERROR train[lr=4] and 1 more: ValueError: boom",
        "Waiting: 13 trials for 1 CPU",
        "mlflow is 20 reports behind",
        "RUNNING train[lr=6]: 00:00:05, iteration 7, loss=3",
    ]


def test_a_slot_has_its_configuration() -> None:
    """The configuration that a searcher has chosen stands beside the name of its slot."""
    slot = Trial(
        "0" * 16, "test_m.py::train[trial=0]", "train[trial=0]", SWEEP, {"lr": 1}, slot=0, point_key="x", label="lr=1"
    )
    progress = Progress([slot])
    progress.update(TrialStarted(slot.key, 1, 105.0, "h:1"))
    assert live_lines(look(progress), 100, 20)[-1] == "RUNNING train[trial=0] {lr=1}: 00:00:05"


@pytest.mark.parametrize(("number", "is_known"), [(4, False), (5, True)])
def test_no_time_before_five_have_ended(number: int, is_known: bool) -> None:
    """The remaining time is shown when five trials have ended, not before."""
    progress = played(20, *(event for one in range(number) for event in ended(one, 0.5)))
    assert (look(progress).remaining is not None) is is_known
    assert any("left" in line for line in live_lines(look(progress), 100, 20)) is is_known


def test_few_rows() -> None:
    """Of few rows the bar has the first, the states the second, the best trial the next, then what runs, then failures."""
    view = LiveView(
        {TrialState.TERMINATED: 3, TrialState.ERROR: 1, TrialState.RUNNING: 5}, 5.0,
        best=[NamedLine("", "best")], failures=[NamedLine("", "failed")], waiting=["waiting"],
        running=[NamedLine("", f"runs {number}") for number in range(5)],
    )  # fmt: skip
    assert live_lines(view, 80, 0) == []
    assert live_lines(view, 60, 1) == ["sweep [###########!!!!>>>>>>>>>>>>>>>>>>] 4/9 done, 00:00:05"]
    assert live_lines(view, 200, 1)[0].endswith("4/9 done, 00:00:05, 3 TERMINATED, 1 ERROR, 5 RUNNING")
    assert live_lines(view, 80, 3)[2:] == ["best"]
    assert live_lines(view, 80, 4)[2:] == ["best", "runs 0"]
    assert live_lines(view, 80, 8)[2:] == ["best", "failed", "waiting", "runs 0", "runs 1", "runs 2"]


def test_a_short_name_where_it_is_narrow() -> None:
    """Where a name does not fit, the first digits of the trial's key stand for it, which -k takes; the value comes first."""
    progress = Progress([trial(1, f"train[{'x' * 300}]")])
    for event in ended(1, 0.25):
        progress.update(event)
    assert live_lines(look(progress), 60, 20)[2] == "Best so far: loss=0.25 (min): train_00000000"


@given(st.text(max_size=30) | st.just(HOSTILE) | st.just("宽" * 50), st.integers(1, 120), st.integers(0, 20))
def test_hostile_names(name: str, width: int, rows: int) -> None:
    """No line is too wide, none moves the cursor, and there are not too many, whatever trials are called."""
    progress = Progress([trial(number, f"train[{name}]") for number in range(12)])
    for number in range(8):
        for event in ended(number, None if number % 2 else 0.5):
            progress.update(event)
    progress.update(TrialStarted(trial(9).key, 1, 105.0, "h:1"))
    lines = live_lines(look(progress, trackers=[name], most=rows), width, rows)
    assert len(lines) <= rows
    assert all(line.isprintable() and text_width(line) <= width for line in lines)
    assert live_line(look(progress)).isprintable()


def test_one_line() -> None:
    """In a pipe the same is one line."""
    progress = played(3, *ended(0, 0.5), *ended(1, None))
    assert live_line(look(progress)) == (
        "sweep: 2/3 done (1 TERMINATED, 1 ERROR, 1 PENDING), 00:00:10; Best so far: loss=0.5 (min): train[lr=0]; "
        "ERROR train[lr=1]: ValueError: boom"
    )


def test_what_a_look_costs() -> None:
    """A look at 10,000 trials costs about as much as one at 100: it is taken four times a second beside the engine."""

    def cost(number: int) -> float:
        progress = played(number, *(event for one in range(number // 2) for event in ended(one, 0.5)))
        view = SessionView(progress, Leaders(progress), FailureReasons(progress))
        view.look(110.0, 10.0, None)
        times = []
        for _ in range(50):
            before = time.thread_time()
            live_lines(view.look(110.0, 10.0, None), 80, 8)
            times.append(time.thread_time() - before)
        return min(times)

    assert cost(10_000) < 5 * cost(100)


def streamed(*pieces: str) -> tuple[list[str], list[str], list[str]]:
    """Return the lines that stay, those that are held back, and what comes in the end."""
    lines = RewrittenLines()
    done = [line for piece in pieces for line in lines.feed(piece)]
    return done, lines.held, lines.end()


class TestRewritten:
    def test_plain_text_is_passed_on(self) -> None:
        """Lines, blank lines, lines of Windows, and a line that has not ended come as they are."""
        assert streamed("a\n\nb\r\n", "begun ") == (["a", "", "b", "begun "], [], [])
        assert streamed("begun", "\n", "next\n") == (["begun", "next"], [], [])

    def test_a_bar_is_one_line(self) -> None:
        """What is rewritten is held back in its newest state, and stays when text follows below it, or its trial ends."""
        assert streamed("\r 1%", "\r 2%", "\r 3%") == ([], [" 3%"], [" 3%"])
        assert streamed("\r 1%\r 2%\r100%\n", "done\n") == (["100%", "done"], [], [])
        assert streamed("start", "\r 1%\r", "\n") == (["start"], [" 1%"], [" 1%"])

    def test_a_bar_that_wipes_itself_out(self) -> None:
        """What tqdm does with ``leave=False`` leaves nothing, and what follows comes at once."""
        assert streamed("\r 1%\r 2%\r    \r", "after\n") == (["after"], [], [])

    def test_nested_bars(self) -> None:
        """A bar below another one moves back up: both are held, and none floods."""
        inner = [f"\n\rinner {number}\x1b[A" for number in range(3)]
        assert streamed("\router 0", *inner) == ([], ["outer 0", "inner 2"], ["outer 0", "inner 2"])
        assert streamed("\router 0", *inner, "\router 1", *inner, "\r\n\n", "text\n") == (
            ["outer 1", "inner 2", "text"],
            [],
            [],
        )

    def test_rows_without_end(self) -> None:
        """Of a program that moves down only, no more is kept than a screen has."""
        done, held, _ = streamed("\rx", *["\n\ry"] * 1000)
        assert len(done) > 900
        assert len(held) <= 21

    @given(st.lists(st.sampled_from(["\r", "\n", "\r\n", "\x1b[A", "\x1b[2A", "\x1b[31m", "a", "b c", "   "])))
    def test_anything(self, pieces: list[str]) -> None:
        """How the text is cut into pieces changes nothing of rewritten lines, and what is held ends up as lines."""
        lines = RewrittenLines()
        lines.feed("".join(pieces))
        held = lines.held
        assert lines.end() == held
        assert lines.held == []
