"""The benchmarks judge what they have measured as their documentation says; nothing is measured here."""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as command
from benchmarks import baseline, results
from benchmarks.cases import CASES, SHORT
from benchmarks.cases.times import occupation
from benchmarks.measuring import FailedError, environment, run_process
from benchmarks.model import Case, Contestant, Mark, Round, figure, ratio

MACHINE = {"machine": "2 CPUs", "python": "3.13.0"}


def rounds(*pairs: tuple[float, float]) -> list[Round]:
    return [{"ours": {"seconds": one, "cpu": one}, "peer": {"seconds": two, "cpu": two}} for one, two in pairs]


def case(*marks: Mark) -> Case:
    return Case("cold", "a hundred trials", (Contestant("ours", ()), Contestant("peer", ())), marks)


OF_PEER = Mark("of the peer", ratio("ours", "peer"), 1.2)
FASTER = Mark("faster than the peer", ratio("peer", "ours"), 2.0, at_least=True)
SECONDS = Mark("to the prompt", figure("ours", "seconds"), 2.0, unit="s", is_relative=False)


class TestMarks:
    def test_ratios_are_made_pair_by_pair(self) -> None:
        """The median of the ratios counts, not the ratio of the medians: a slow moment hits both of a pair."""
        outcome = OF_PEER.judge(rounds((10, 10), (100, 50), (3, 1)))
        assert outcome.values == (1.0, 2.0, 3.0)
        assert outcome.median == 2.0

    @pytest.mark.parametrize(
        ("mark", "seconds", "met"),
        [(OF_PEER, 1.2, True), (OF_PEER, 1.3, False), (FASTER, 0.5, True), (FASTER, 0.6, False)],
    )
    def test_a_mark_is_met_at_its_limit(self, mark: Mark, seconds: float, met: bool) -> None:
        """What is exactly the mark meets it, in both directions."""
        assert mark.judge(rounds((seconds, 1.0))).is_met is met

    def test_a_mark_without_a_limit_is_only_shown(self) -> None:
        """It is neither met nor not."""
        assert Mark("of it", ratio("ours", "peer")).judge(rounds((1, 1))).is_met is None


KNOWN = {"cold": {"of the peer": 1.0, "faster than the peer": 2.0, "to the prompt": 0.01}}


class TestBaseline:
    @pytest.mark.parametrize("times", [0.2, 1.0, 1.9, 2.0])
    def test_less_than_twice_as_slow_passes(self, times: float) -> None:
        """Up to twice the ratio of the baseline nothing is said, whatever the seconds were."""
        assert baseline.slower(case(OF_PEER), rounds((100 * times, 100.0)), KNOWN) == []

    def test_more_than_twice_as_slow_is_told(self) -> None:
        """The sentence names the case, the factor and both ratios."""
        (sentence,) = baseline.slower(case(OF_PEER), rounds((2.5, 1.0)), KNOWN)
        assert sentence == "cold got 2.5 times slower: 2.5 times of the peer, which is 1 in the baseline"

    def test_a_speedup_that_halves_is_told(self) -> None:
        """Where more is better, less than half of it is as bad."""
        assert baseline.slower(case(FASTER), rounds((1.0, 1.1)), KNOWN) == []
        assert len(baseline.slower(case(FASTER), rounds((1.0, 0.9)), KNOWN)) == 1

    def test_seconds_are_not_compared(self) -> None:
        """What is no ratio depends on the machine: it fails nobody, also where the baseline has it."""
        assert baseline.slower(case(SECONDS), rounds((100.0, 1.0)), KNOWN) == []

    def test_what_the_baseline_does_not_know_passes(self) -> None:
        """A new case, or a new mark of an old one, has nothing to be compared with."""
        assert baseline.slower(case(OF_PEER), rounds((100.0, 1.0)), {}) == []

    def test_a_mark_that_is_missed_is_no_failure(self) -> None:
        """The short form fails for what got slower, not for a mark: the baseline may miss it, too."""
        known = {"cold": {"of the peer": 5.0}}
        assert OF_PEER.judge(rounds((5.0, 1.0))).is_met is False
        assert baseline.slower(case(OF_PEER), rounds((5.0, 1.0)), known) == []

    def test_the_committed_baseline_knows_every_relative_mark_of_the_short_form(self) -> None:
        """A case that is not in it would never fail."""
        known = json.loads(command.BASELINE.read_text(encoding="utf-8"))
        wanted = {name: {mark.text for mark in short.marks if mark.is_relative} for name, short in SHORT.items()}
        assert {name: set(marks) for name, marks in known.items()} == wanted

    def test_what_is_slow_once_is_measured_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A slow round is not believed alone: more rounds are run, and their median counts."""
        again = rounds((1.0, 1.0), (1.0, 1.0), (1.0, 1.0))
        monkeypatch.setattr(command, "measure", lambda case, count: again[:count])
        played = rounds((9.0, 1.0))
        assert command.judge(case(OF_PEER), played, KNOWN) == []
        assert len(played) == 4


class TestExitStatus:
    @pytest.mark.parametrize(("seconds", "status"), [(1.5, 0), (3.0, 1)])
    def test_the_short_form_fails_for_what_got_slower_only(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seconds: float, status: int
    ) -> None:
        """Exit status 1 where a ratio is more than twice the baseline's, 0 where it is not."""
        known = tmp_path / "baseline.json"
        known.write_text(json.dumps(KNOWN), encoding="utf-8")
        monkeypatch.setattr(command, "BASELINE", known)
        monkeypatch.setattr(command, "SHORT", {"cold": case(OF_PEER)})
        monkeypatch.setattr(command, "measure", lambda case, count: rounds(*[(seconds, 1.0)] * count))
        monkeypatch.setattr(command, "adopt_orphans", lambda: None)
        monkeypatch.setattr(sys, "argv", ["benchmarks", "--short"])
        assert command.main() == status

    def test_an_unknown_case_is_told(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The message names the cases that there are."""
        with pytest.raises(SystemExit):
            command.parse(["cld"])
        assert "there is no case cld; there are cold, tune, running" in capsys.readouterr().err


class TestResults:
    def data(self, *marks: Mark) -> dict[str, Any]:
        return results.as_data(case(*marks), rounds((1, 1), (3, 1), (2, 1)), "2026-11-25 13:00:00", MACHINE, 0.1)

    def test_all_single_values_are_kept(self) -> None:
        """The data have each value of each round, when and on what machine it was, and can be written as JSON."""
        data = json.loads(json.dumps(self.data(OF_PEER)))
        assert [round_["ours"]["seconds"] for round_ in data["rounds"]] == [1, 3, 2]
        assert data["marks"][0]["values"] == [1, 3, 2]
        assert (data["date"], data["machine"], data["load"]) == ("2026-11-25 13:00:00", MACHINE, 0.1)

    def test_the_table_says_what_is_not_met(self) -> None:
        """A row for each mark, with the measured median, the mark, and whether it is met."""
        table = results.markdown({"cold": self.data(OF_PEER, SECONDS)}, ["cold"])
        assert table[2].startswith("| a hundred trials | ours: 2.00 (2.0)<br>peer: 1.00 (1.0) | 2 times of the peer |")
        assert table[2].endswith("| ≤ 1.2 times | **not met** |")
        assert table[3] == "|  |  | 2 s to the prompt | ≤ 2 s | met |"
        assert table[-1] == "Measured 2026-11-25 on 2 CPUs, python 3.13.0; medians of 3 rounds."

    def test_the_table_is_written_between_its_markers(self, tmp_path: Path) -> None:
        """What stands before and after it on the page stays; written twice, it is there once."""
        page = tmp_path / "page.md"
        page.write_text(f"# Speed\n\n{results.BEGIN}\nold\n{results.END}\n\nMore.\n", encoding="utf-8")
        for _ in range(2):
            results.write_docs(page, {"cold": self.data(OF_PEER)}, ["cold"])
        text = page.read_text(encoding="utf-8")
        assert text.startswith(f"# Speed\n\n{results.BEGIN}\n\n| case |")
        assert text.endswith(f"{results.END}\n\nMore.\n")
        assert text.count("a hundred trials") == 1
        assert "old" not in text

    def test_cases_that_were_not_measured_are_kept(self, tmp_path: Path) -> None:
        """A file of figures is added to: long cases are measured one at a time."""
        path = tmp_path / "figures.json"
        results.write_json(path, {"cold": {"date": "1"}, "tune": {"date": "1"}})
        assert results.write_json(path, {"cold": {"date": "2"}}) == {"cold": {"date": "2"}, "tune": {"date": "1"}}

    def test_the_page_has_the_figures_that_are_committed(self) -> None:
        """The table of docs/performance.md is the one that the command makes of docs/performance/figures.json."""
        page = command.PAGE.read_text(encoding="utf-8")
        table = "\n".join(results.markdown(json.loads(command.FIGURES.read_text(encoding="utf-8")), CASES))
        assert f"{results.BEGIN}\n\n{table}\n\n{results.END}" in page


class TestMeasuring:
    def test_the_cpu_of_descendants_counts(self, tmp_path: Path) -> None:
        """What a process has started and waited for is in its CPU seconds; its time is that of the clock."""
        burn = "import time\nwhile time.process_time() < 0.3: pass"
        command = [sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}])"]
        sample = run_process(command, tmp_path, environment({}), 60)
        assert sample["cpu"] >= 0.3
        assert sample["seconds"] >= 0.3

    def test_a_contestant_that_fails_is_no_contestant(self, tmp_path: Path) -> None:
        """Its time would be none; the error has what it said."""
        with pytest.raises(FailedError, match="ended with status 3:\nI give up"):
            run_process(
                [sys.executable, "-c", "print('I give up'); raise SystemExit(3)"], tmp_path, environment({}), 60
            )

    def test_a_contestant_that_hangs_is_ended(self, tmp_path: Path) -> None:
        """It counts as failed after its time."""
        with pytest.raises(FailedError, match="none after 1 s"):
            run_process([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path, environment({}), 0.6)

    def test_contestants_are_not_told_what_this_process_was(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A Ray that somebody has named, or options of pytest, are not those of the case; Ray wants tokens."""
        monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
        monkeypatch.setenv("PYTEST_ADDOPTS", "-x")
        own = environment({"BENCH_COUNT": "1"})
        assert "RAY_ADDRESS" not in own
        assert "PYTEST_ADDOPTS" not in own
        assert (own["RAY_AUTH_MODE"], own["BENCH_COUNT"]) == ("token", "1")

    def test_occupation_counts_from_when_all_workers_are_up(self) -> None:
        """A trial that ran at that moment counts with what was left of it."""
        rows = [("a", 0.0, 2.0, 2.0), ("b", 1.0, 3.0, 2.0), ("a", 2.0, 4.0, 2.0)]
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.execute("CREATE TABLE trial (location, started, finished, config)")
            connection.executemany(
                "INSERT INTO trial VALUES (?, ?, ?, ?)", [(*row[:3], json.dumps({"seconds": row[3]})) for row in rows]
            )
            found = occupation(connection)
        assert found == {"makespan": 3.0, "work": 5.0, "workers": 2, "share": 5 / 2 / 3}
