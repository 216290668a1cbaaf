"""The data of the report page: what is in it, how large it gets, and that no name ends the element it is in."""

from __future__ import annotations

import base64
import gzip
import json
import math
import os
import re
import struct
import threading
from array import array
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from pytest_sweep.cli.trial_rows import TrialView
from pytest_sweep.model import Sweep, TrialState
from pytest_sweep.model.events import Accepted, TrialFinished, TrialReported, TrialStarted
from pytest_sweep.model.study import Objective
from pytest_sweep.page import histories, reading, run_facts
from pytest_sweep.page.build import build
from pytest_sweep.page.columns import Columns, encoded, metric
from pytest_sweep.page.curves import CurveWriter, quantized, thinned
from pytest_sweep.page.failures import Failures
from pytest_sweep.page.histories import spread
from pytest_sweep.store import RunScan
from tests.support.runs import BEGAN, begin_run, command, ended, make_run, trial

HOSTILE = "</script><img src=x onerror=alert(1)><!--"


class Page:
    """A page, opened as its script does it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.document: Any = json.loads(self._packed("data"), parse_constant=_refuse)
        self.curves = self._packed("curves-data")

    @property
    def sweep(self) -> Any:
        return self.document["sweeps"][0]

    def column(self, name: str) -> Any:
        return next(column for column in self.sweep["columns"] if column["name"] == name)

    def curve(self, number: int = 0) -> tuple[list[int], list[float]]:
        """Return iterations and values of a curve."""
        its = self.sweep["curves"]
        curves, points, timed = its["curves"], its["points"], its["timed"]
        content, at = self.curves[its["begin"] :], 0

        def section(kind: str, count: int) -> Any:
            nonlocal at
            found = struct.unpack_from(f"<{count}{kind}", content, at)
            at += struct.calcsize(f"<{count}{kind}")
            return found

        section("I", curves)
        ranges, steps = section("f", 2 * curves), section("I", points)
        _ = section("I", timed), section("f", timed), section("I", 2 * timed)
        values, _knots = section("H", points), section("H", timed * its["knots"])
        counts, scales = section("H", curves), section("B", curves)
        begin, count = sum(counts[:number]), counts[number]
        low, high = ranges[2 * number : 2 * number + 2]
        iterations = [*accumulate(steps[begin : begin + count])]
        linear = [low + value / 65532 * (high - low) for value in values[begin : begin + count]]
        return iterations, [math.exp(value) if scales[number] else value for value in linear]

    def _packed(self, name: str) -> bytes:
        found = re.search(rf'id="{name}">([A-Za-z0-9+/=]*)</script>', self.text)
        assert found
        return gzip.decompress(base64.b64decode(found[1]))


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def reports(key: str, metrics: Sequence[Mapping[str, Any]], attempt: int = 1, now: float = BEGAN) -> list[Accepted]:
    """Return what happens to a trial that reports these, and ends."""
    told = [{"training_iteration": number, **one} for number, one in enumerate(metrics, 1)]
    return [
        TrialStarted(key, attempt, now, "host:1"),
        *(TrialReported(key, attempt, one) for one in told),
        TrialFinished(key, attempt, TrialState.TERMINATED, told[-1], None, 2.0, now + 2),
    ]


class TestColumns:
    @pytest.mark.parametrize(
        ("values", "found"),
        [
            ([1, 2.5], {"kind": "number", "values": [1, 2.5]}),
            ([math.nan, math.inf, -math.inf], {"kind": "number", "values": ["nan", "inf", "-inf"]}),
            ([None, 10, 5], {"kind": "word", "words": ["5", "10", "None"], "values": [2, 1, 0]}),
            (["b", "a", "b"], {"kind": "word", "words": ["a", "b"], "values": [1, 0, 1]}),
            ([True, 1], {"kind": "word", "words": ["1", "True"], "values": [1, 0]}),
            ([10**400, 1], {"kind": "word", "words": ["1", "1e+400"], "values": [1, 0]}),
            ([[64, 32], {"a": 1}], {"kind": "word", "words": ["[64, 32]", '{"a": 1}'], "values": [0, 1]}),
        ],
    )
    def test_kinds(self, values: list[Any], found: dict[str, Any]) -> None:
        """Numbers stay numbers, anything else is a word that is written once; None is a value of a configuration."""
        assert encoded(values) == found

    def test_a_metric_of_several_kinds(self) -> None:
        """A metric is a column of numbers, if it has any: what else was reported stands beside them."""
        assert metric([0.5, "text", True, 10**400]) == {
            "kind": "number",
            "values": [0.5, None, 1, "inf"],
            "texts": {"1": "text", "2": "True", "3": "1e+400"},
        }

    def test_a_trial_without_a_value(self) -> None:
        """Columns that come later, and values that are missing, leave no other value in their place."""
        columns = Columns(3)
        columns.add({"param": {"a": 1}, "metric": {"loss": 0.5}, "own": {"x": None}})
        columns.add({"param": {"b": 2}, "metric": {"loss": None}, "own": {"x": None}})
        columns.add({"param": {"a": 3}, "metric": {}, "own": {"x": None}})
        found = {column["name"]: column["values"] for column in columns.document()}
        assert found == {"a": [1, None, 3], "b": [None, 2, None], "loss": [0.5, None, None]}

    def test_there_is_a_limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Columns that there is no room for are named, not kept."""
        monkeypatch.setattr("pytest_sweep.page.columns.MOST_CELLS", 20)
        columns = Columns(1)
        columns.add({"param": {f"p{number}": number for number in range(30)}})
        assert len(columns.document()) == 20
        assert [*columns.left_out] == [f"p{number}" for number in range(20, 30)]


class TestCurves:
    @pytest.mark.parametrize(
        ("count", "most", "found"),
        [(3, 5, [0, 1, 2]), (5, 3, [0, 2, 4]), (5, 1, [4]), (0, 3, []), (101, 3, [0, 50, 100])],
    )
    def test_thinned(self, count: int, most: int, found: list[int]) -> None:
        """The first and the last point are kept, and those between are evenly spread."""
        assert thinned(count, most) == found

    @pytest.mark.parametrize(
        ("values", "numbers", "scale"),
        [
            ([0.0, 1.0, 0.5], [0, 65532, 32766], 0),
            ([2.0, 2.0], [0, 0], 0),
            ([math.nan, math.inf, -math.inf], [65535, 65534, 65533], 0),
            ([1.0, 1e4, 100.0], [0, 65532, 32766], 1),
            ([10**400, 1.0], [65534, 0], 0),
            ([-1e300, 1e300], [0, 65532], 0),
        ],
    )
    def test_quantized(self, values: list[float], numbers: list[int], scale: int) -> None:
        """A curve spans the range of 16 bits, by its logarithms where it is wide; what is not finite has numbers of its own."""
        found, _, its_scale = quantized(values)
        assert found == array("H", numbers)
        assert its_scale == scale

    def test_nothing_is_too_large(self) -> None:
        """Iterations that are no numbers, go back or are huge, and times that are none, break no curve."""
        writer = CurveWriter(["loss"], 10)
        odd = [True, -1, 2**40, "x", None, 3]
        writer.add(0, [{"loss": 1, "training_iteration": its, "time_total_s": its} for its in odd])
        directory, content = writer.document()
        assert directory["points"] == 6
        assert len(content) == 4 + 8 + 24 + 4 + 4 + 8 + 12 + 2 * directory["knots"] + 2 + 1

    def test_spread_meets_what_is_seldom(self) -> None:
        """Of many reports some of those are read that come every tenth time; always the same ones, the first and the last among them."""
        texts = [str(number) for number in range(10_000)]
        found = spread(texts, 500)
        assert found == spread(texts, 500)
        assert len(found) == 500
        assert [found[0], found[-1]] == ["0", "9999"]
        assert sum(int(text) % 10 == 9 for text in found) > 20
        assert sorted(map(int, found)) == [*map(int, found)]


class TestDocument:
    def test_the_run_and_its_trials(self, tmp_path: Path) -> None:
        """Names, states, columns, the best one and failures are those of the command, under the same names."""
        folder = make_run(tmp_path, [0.5, None, {"loss": 0.2, "val": {"acc": 1}}], exit_status=1)
        page = Page(build(folder))
        run, sweep = page.document["run"], page.sweep
        facts = dict(run["facts"])
        assert (run["name"], run["status"]) == (folder.name, "failed")
        assert (facts["command"], facts["commit"], facts["exit status"]) == (
            "pytest --sweep",
            "abcdef012345 with changes",
            "1",
        )
        assert sweep["states"] == ["TERMINATED", "ERROR", "TERMINATED"]
        assert sweep["best"] == {"value": 0.2, "row": 2, "trials": 1}
        assert sweep["judged"] == [[0.5, None, 0.2]]
        assert [(group["reason"], group["rows"]) for group in sweep["failures"]] == [("ValueError: boom", [1])]
        with RunScan(folder) as scan:
            named = {name for row in scan.trials() for name in TrialView(row).columns()}
        assert {column["name"] for column in sweep["columns"]} <= named
        assert page.column("val/acc")["values"] == [None, None, 1]
        assert page.document["timeline"]["workers"] == ["host:1"]

    def test_a_curve(self, tmp_path: Path) -> None:
        """A curve has what the trial reported; of a retried one what counts, as in its history."""
        key = trial(0).key
        events = reports(key, [{"loss": 3.0}, {"loss": 2.0}, {"loss": 1.0}])
        page = Page(build(make_run(tmp_path, trials=[trial(0)], values=(), events=events)))
        iterations, values = page.curve()
        assert iterations == [1, 2, 3]
        assert values == pytest.approx([3.0, 2.0, 1.0], abs=1e-3)

    def test_no_name_ends_an_element(self, tmp_path: Path) -> None:
        """Names, values and errors with markup in them are nowhere in the text of the page."""
        sweep = Sweep(f"a.py::{HOSTILE}", HOSTILE, HOSTILE, "min")
        trials = [trial(number, sweep, {HOSTILE: HOSTILE}) for number in range(2)]
        events = [*ended(trials[0].key, {HOSTILE: 1.0}), *ended(trials[1].key, None)]
        folder = make_run(tmp_path, (), trials=trials, events=events, versions={HOSTILE: HOSTILE})
        text = build(folder, folder)
        assert HOSTILE not in text
        assert "<img" not in text
        assert text.count("</script>") == 3
        assert Page(text).sweep["name"] == HOSTILE

    def test_the_policy_allows_nothing_else(self, tmp_path: Path) -> None:
        """The page forbids all that is not itself: its script and its style are named by their hashes, and nothing is loaded."""
        text = build(make_run(tmp_path))
        policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
        assert policy
        assert policy[1].startswith("default-src &#x27;none&#x27;; script-src &#x27;sha256-")
        assert "unsafe" not in policy[1]
        assert re.findall(r'(?:src|href)="(?!#)', text.partition("<script>")[0]) == []
        assert " style=" not in text.partition("<script>")[0]

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400, None, "text", True, [1, 2], {}])
    def test_odd_metrics(self, tmp_path: Path, value: Any) -> None:
        """Whatever a trial has reported, there is a page, whose data are strict JSON."""
        page = Page(build(make_run(tmp_path, [{"loss": value}, 0.5])))
        assert page.sweep["best"]["row"] in (0, 1)

    @pytest.mark.parametrize("trials", [0, 1])
    def test_few_trials(self, tmp_path: Path, trials: int) -> None:
        """There is a page of a run without trials, and of one with a single one."""
        page = Page(build(make_run(tmp_path, [0.5] * trials, trials=[trial(n) for n in range(trials)])))
        assert [len(sweep["names"]) for sweep in page.document["sweeps"]] == [1] * trials

    def test_a_run_that_goes_on(self, tmp_path: Path) -> None:
        """Of a run that goes on there is what it has at this moment: waiting trials, and the reports of those that run."""
        store = begin_run(tmp_path, (), trials=[trial(0), trial(1)])
        key = trial(0).key
        store.record(
            [TrialStarted(key, 1, BEGAN, "host:1"), TrialReported(key, 1, {"loss": 1.0, "training_iteration": 1})]
        )
        page = Page(build(store.path))
        store.close()
        assert page.document["run"]["status"] == "running"
        assert page.sweep["states"] == ["RUNNING", "PENDING"]
        assert page.sweep["curves"]["points"] == 1

    def test_several_metrics(self, tmp_path: Path) -> None:
        """Of a sweep with several metrics there is what trials are judged by in each, and those that none beats."""
        goals = (Objective("loss", "min"), Objective("size", "max"))
        sweep = Sweep("a.py::t", "t", "loss", "min", objectives=goals)
        values = [{"loss": 1.0, "size": 1}, {"loss": 2.0, "size": 2}, {"loss": 2.5, "size": 1}]
        trials = [trial(number, sweep) for number in range(3)]
        page = Page(build(make_run(tmp_path, values, trials=trials)))
        assert page.sweep["objectives"] == [["loss", "min"], ["size", "max"]]
        assert page.sweep["front"] == [0, 1]
        assert page.sweep["judged"][1] == [1, 2, 1]

    def test_best_and_feasible(self, tmp_path: Path) -> None:
        """Which trials none beats, and which meet the conditions, are columns as they are of the command; else there are none."""
        goals = (Objective("loss", "min"), Objective("size", "max"))
        sweep = Sweep("a.py::t", "t", "loss", "min", objectives=goals, feasible=("size < 5",))
        values = [{"loss": 1.0, "size": 1}, {"loss": 0.5, "size": 9}, None, {"loss": 2.0, "size": 1}]
        folder = make_run(tmp_path, values, trials=[trial(number, sweep) for number in range(4)])
        page, rows = Page(build(folder)), command("show", folder, "--json", results=tmp_path).json["trials"]
        shown = {row["name"]: row for row in rows}
        for name in ("best", "feasible"):
            column = page.column(name)
            found = [None if word is None else column["words"][word] for word in column["values"]]
            expected = [shown[one][name] for one in page.sweep["names"]]
            assert found == [None if value is None else str(value) for value in expected]
        assert page.sweep["front"] == [0]
        plain = Page(build(make_run(tmp_path, [0.5], now=BEGAN + 60)))
        assert not {"best", "feasible"} & {column["name"] for column in plain.sweep["columns"]}

    def test_replicates(self, tmp_path: Path) -> None:
        """Replicates share a number, and the best is the best mean."""
        trials = [trial(number, group=f"{number // 2}") for number in range(4)]
        page = Page(build(make_run(tmp_path, [0.0, 1.0, 0.4, 0.5], trials=trials)))
        assert page.sweep["groups"] == [0, 0, 1, 1]
        assert page.sweep["best"] == {"value": 0.45, "row": 2, "trials": 2}

    def test_many_trials(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of too many trials the page has the best ones and others at random, and says how many there are; curves likewise."""
        monkeypatch.setattr(reading, "MOST_TRIALS", 10)
        monkeypatch.setattr(reading, "MOST_CURVES", 4)
        page = Page(build(make_run(tmp_path, [number / 100 for number in range(100)])))
        assert len(page.sweep["names"]) == 10
        assert page.sweep["total"] == 100
        assert page.sweep["judged"][0][:5] == [0, 0.01, 0.02, 0.03, 0.04]
        assert page.sweep["curves"]["trials"] == 4

    def test_many_points(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where there is no room, curves are thinned out, and those of the metric that trials are judged by are the last to go."""
        monkeypatch.setattr(histories, "MOST_POINTS", 100)
        monkeypatch.setattr(histories, "_FEW_POINTS", 100)
        key = trial(0).key
        metrics = [{"other": n, "loss": 1.0 - n / 1000, "third": n} for n in range(600)]
        page = Page(build(make_run(tmp_path, (), trials=[trial(0)], events=reports(key, metrics))))
        its = page.sweep["curves"]
        assert its["metrics"][0]["name"] == "loss"
        assert its["points"] <= 120
        assert page.curve()[0][-1] == 600
        assert any("left out" in note for note in page.sweep["notes"])

    def test_attempts_that_are_taken_are_not_drawn(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Workers of an earlier run are not on the timeline, and of too many attempts the longest are."""
        monkeypatch.setattr(run_facts, "MOST_ATTEMPTS", 2)
        events = [*reports(trial(0).key, [{"loss": 1}], now=BEGAN - 1000), *reports(trial(1).key, [{"loss": 1}])]
        folder = make_run(tmp_path, (), trials=[trial(0), trial(1)], events=events)
        assert Page(build(folder)).document["timeline"]["row"] == [1]

    def test_errors_are_grouped(self) -> None:
        """Errors with the same last line are one group; where there are too many groups, the last one has the rest."""
        failures = Failures()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pytest_sweep.page.failures.MOST_GROUPS", 2)
            for place, text in enumerate(["x\nA: 1", "y\nA: 1", "B", "C", "D", ""]):
                failures.add(place, _Row(text))  # type: ignore[arg-type]
        found = {group["reason"]: group["rows"] for group in failures.document()}
        assert found == {"other errors": [3, 4, 5], "A: 1": [0, 1], "B": [2]}


class _Row:
    def __init__(self, error: str) -> None:
        self.state, self.error = TrialState.ERROR, error


class TestAgainst:
    def test_what_has_changed(self, tmp_path: Path) -> None:
        """Pairs, new, lost and newly failing trials, the verdict and what made them are those of ``compare``."""
        base = make_run(tmp_path, [0.5, 0.4, 0.3, 0.2], now=BEGAN - 100, versions={"python": "3.11", "numpy": "1"})
        trials = [trial(number) for number in (0, 1, 2, 9)]
        run = make_run(tmp_path, [0.6, None, 0.1, 0.7], trials=trials, versions={"python": "3.11", "numpy": "2"})
        page = Page(build(run, base))
        against = page.document["against"]
        compared = command("compare", base.name, run.name, "--json", results=tmp_path).json
        assert (against["name"], against["verdict"]) == (base.name, compared["verdict"])
        assert against["reasons"] == compared["reasons"]
        assert "Packages: numpy 1, now 2" in against["changes"]
        (sweep,) = against["sweeps"]
        assert sweep["counts"] == compared["sweeps"][0]["statuses"]
        assert [pair[:4] for pair in sweep["pairs"]] == [
            [0, "worse", 0.5, 0.6], [1, "newly failed", 0.4, None], [2, "better", 0.3, 0.1], [3, "new", None, 0.7],
        ]  # fmt: skip
        assert sweep["lost"] == [["train[lr=3]", "TERMINATED", 0.2]]


class TestCommand:
    def test_the_default_file(self, tmp_path: Path) -> None:
        """Without -o the page is in the folder of the run, and stdout names it and nothing else."""
        folder = make_run(tmp_path)
        done = command("report", results=tmp_path)
        assert (done.status, done.out, done.err) == (0, f"{folder / 'report.html'}\n", "")
        assert Page((folder / "report.html").read_text("utf-8")).document["root"] == "."

    def test_json(self, tmp_path: Path) -> None:
        """--json says which file was written, and how large it is, as the schema has it."""
        folder, target = make_run(tmp_path), tmp_path / "new" / "page.html"
        document = command("report", "last", "-o", target, "--json", results=tmp_path).json
        assert (document["run"], document["path"]) == (folder.name, str(target))
        assert document["bytes"] == target.stat().st_size

    def test_stdout(self, tmp_path: Path) -> None:
        """-o - writes the page to stdout."""
        make_run(tmp_path)
        assert Page(command("report", "-o", "-", results=tmp_path).out).sweep["total"] == 1

    def test_a_pipe_that_nobody_reads(self, tmp_path: Path) -> None:
        """It is an error at once; a pipe that is read gets the page."""
        make_run(tmp_path)
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        done = command("report", "-o", pipe, results=tmp_path)
        assert (done.status, done.err) == (4, f"pytest-sweep: {pipe} cannot be written: nobody reads this pipe\n")
        read: list[str] = []
        reader = threading.Thread(target=lambda: read.append(pipe.read_text("utf-8")))
        reader.start()
        while (done := command("report", "-o", pipe, results=tmp_path)).status:
            assert "nobody reads this pipe" in done.err, "the thread has not opened it yet"
        reader.join(60)
        assert Page(read[0]).sweep["total"] == 1

    @pytest.mark.parametrize(
        ("arguments", "status", "text"),
        [
            (["report", "nothing"], 3, "there is no run 'nothing'"),
            (["report", "--against", "nothing"], 3, "there is no run 'nothing'"),
            (["report", "-o", "/dev/null/page.html"], 4, "/dev/null/page.html cannot be written: "),
            (["report", "-o", "-", "--open"], 2, "-o - writes the page to stdout"),
        ],
    )
    def test_errors(self, tmp_path: Path, arguments: list[str], status: int, text: str) -> None:
        """What cannot be done is a sentence, with the exit statuses of the command."""
        make_run(tmp_path)
        done = command(*arguments, results=tmp_path)
        assert done.status == status
        assert text in done.err
        assert "Traceback" not in done.err

    def test_half_a_page_is_never_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where writing fails, the page that was there before stays, and nothing else is left."""
        make_run(tmp_path)
        target = tmp_path / "pages" / "page.html"
        command("report", "-o", target, results=tmp_path)
        before = target.read_bytes()
        monkeypatch.setattr(Path, "replace", _no_space)
        done = command("report", "-o", target, results=tmp_path)
        assert done.status == 4
        assert "No space left on device" in done.err
        assert target.read_bytes() == before
        assert [path.name for path in target.parent.iterdir()] == ["page.html"]


def _no_space(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_keys_are_short_where_they_can_be(tmp_path: Path) -> None:
    """A trial is named by the first twelve digits of its key, or by all of them where two begin alike."""
    alike = Page(build(make_run(tmp_path, [0.1, 0.2])))
    assert alike.sweep["keys"] == [trial(0).key, trial(1).key]
    apart = Page(build(make_run(tmp_path, [0.1], trials=[trial(0x123456789ABCDEF0)])))
    assert apart.sweep["keys"] == ["123456789abc"]
