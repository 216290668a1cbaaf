"""``ls``, ``show`` and ``compare``: what they show, sort and select, as tables and as JSON."""

from __future__ import annotations

import io
import json
import math
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pytest_sweep import load_results
from pytest_sweep.cli import main as module
from pytest_sweep.cli.conditions import Where, sorted_rows
from pytest_sweep.cli.output import Output
from pytest_sweep.cli.run_rows import RunRow
from pytest_sweep.cli.showing import failure_lines
from pytest_sweep.cli.strict_json import SCHEMA, strict
from pytest_sweep.cli.trial_rows import TrialView
from pytest_sweep.model import Sweep, Trial, TrialState
from pytest_sweep.model.events import Accepted, TrialFinished, TrialReported, TrialStarted
from pytest_sweep.model.source import Source
from pytest_sweep.model.study import Objective
from pytest_sweep.reporting.table import Cells, fitted_table
from pytest_sweep.reporting.text import text_width
from pytest_sweep.store import RunScan
from tests.support.runs import BEGAN, TRAIN, Done, begin_run, command, make_run, trial
from tests.support.runs import SCHEMA as DOCUMENTED

OLD = Path(__file__).parents[1] / "store_0_1_0" / "2026-11-26_06-12-04_5gnt"
HOSTILE = "a\x1b[31mb\nc\r\x07|d\u202e😀"


def names(done: Any) -> list[str]:
    """Return the names of trials in a document, without the sweep's."""
    return [one["name"].partition("=")[2].rstrip("]") for one in done.json["trials"]]


class TestLs:
    def test_what_is_listed(self, tmp_path: Path) -> None:
        """Each run with how it ended, its trials by state, and its best value; the newest first."""
        older = make_run(tmp_path, [0.5, 0.25, None], exit_status=1)
        newer = make_run(tmp_path, [0.125], now=BEGAN + 60, exit_status=None, resumed_from=older)
        first, second = command("ls", "--json", results=tmp_path).json["runs"]
        assert (first["name"], first["status"], first["resumed_from"]) == (newer.name, "killed", older.name)
        assert (second["name"], second["status"], second["duration"], second["seed"]) == (older.name, "failed", 10.0, 7)
        assert second["sweeps"] == [
            {"id": TRAIN.id, "name": "train", "metric": "loss", "mode": "min", "trials": {"TERMINATED": 2, "ERROR": 1}, "best": 0.25,
             "objectives": [{"metric": "loss", "mode": "min"}], "feasible": [], "front": None}
        ]  # fmt: skip
        assert first["size"] == sum(file.stat().st_size for file in newer.rglob("*"))

    def test_a_run_that_goes_on(self, tmp_path: Path) -> None:
        """It is running, and its duration is that until now."""
        store = begin_run(tmp_path, [0.5])
        (run,) = command("ls", "--json", results=tmp_path).json["runs"]
        assert (run["status"], run["finished"]) == ("running", None)
        assert run["duration"] > 0
        store.close()

    def test_where_sort_and_columns(self, tmp_path: Path) -> None:
        """Runs are chosen and ordered by columns that are not shown."""
        all_values: list[list[Any]] = [[0.5], [None], [0.25, None]]
        folders = [make_run(tmp_path, values, now=BEGAN + n) for n, values in enumerate(all_values)]

        def ls(*more: str) -> Done:
            return command("ls", *more, "--columns", "name", results=tmp_path)

        assert [line.strip("| ") for line in ls("--sort", "best").out.splitlines()[3:-1]] == [
            folders[2].name, folders[0].name, folders[1].name,
        ]  # fmt: skip
        assert folders[0].name not in ls("--where", "ERROR > 0").out
        assert folders[1].name not in ls("--where", "best < 1").out
        assert folders[0].name in ls("--where", "best is None or best > 0.3").out
        assert folders[1].name in ls("--where", "best is None or best > 0.3").out
        command("tag", folders[0].name, "x", results=tmp_path)
        assert folders[0].name in ls("--where", "'x' in tags").out
        assert folders[1].name not in ls("--where", "'x' in tags").out

    def test_the_limit(self, tmp_path: Path) -> None:
        """20 runs are shown, and it is said how many there are; --limit 0 and JSON have all."""
        for n in range(25):
            make_run(tmp_path, [], trials=[trial(0)], now=BEGAN + n)
        done = command("ls", results=tmp_path)
        assert len(done.out.splitlines()) == 24
        assert done.err == "20 of 25 runs; --limit 0 shows all\n"
        assert len(command("ls", "--limit", 0, results=tmp_path).out.splitlines()) == 29
        assert len(command("ls", "--json", results=tmp_path).json["runs"]) == 25
        assert len(command("ls", "--json", "--limit", 3, results=tmp_path).json["runs"]) == 3

    def test_no_runs(self, tmp_path: Path) -> None:
        """An empty folder has an empty list, and a sentence on stderr."""
        assert command("ls", results=tmp_path).out == ""
        assert "there is no run yet" in command("ls", results=tmp_path).err
        assert command("ls", "--json", results=tmp_path).json["runs"] == []


class TestShow:
    def test_the_best_first(self, tmp_path: Path) -> None:
        """Trials are ordered by the metric, those without a value last, failed ones before others."""
        make_run(tmp_path, [0.5, None, 0.25, {"acc": 1}, 0.75])
        assert names(command("show", "--json", results=tmp_path)) == ["2", "0", "4", "1", "3"]
        make_run(tmp_path, [0.5, 0.25], now=BEGAN + 60, trials=[trial(n, replace(TRAIN, mode="max")) for n in range(2)])
        assert names(command("show", "--json", results=tmp_path)) == ["0", "1"]

    def test_where_and_sort(self, tmp_path: Path) -> None:
        """Any column can be asked for, by its name in the data frame, in a junit file, or in the search space."""
        trials = [trial(n, config={"lr": n, "opt": {"name": f"o{n}"}}, params={"fold": n % 2}) for n in range(4)]
        make_run(tmp_path, [{"loss": 0.5, "val": {"f1": n}, "x-y": n} for n in range(3)] + [None], trials=trials)
        for condition, expected in {
            "lr > 1": "23", "config.lr > 1": "23", "opt.name == 'o1'": "1", "fold == 1": "13", "params.fold == 1": "13",
            "val.f1 >= 1": "12", "metric.val.f1 >= 1": "12", "state == 'ERROR'": "3", "`x-y` > 1": "2", "`config/lr` == 0": "0",
            "sweep.state == 'ERROR'": "3", "error != None": "3", "not (loss > 1)": "012", "duration < 5": "0123",
        }.items():  # fmt: skip
            assert (
                "".join(sorted(names(command("show", "--json", "--where", condition, results=tmp_path)))) == expected
            ), condition
        for column in ("config/lr", "lr", "config.lr"):
            assert names(command("show", "--json", f"--sort=-{column}", results=tmp_path)) == ["3", "2", "1", "0"]
        assert names(command("show", "--json", "--sort=-val/f1", results=tmp_path)) == ["2", "1", "0", "3"]
        assert names(command("show", "--json", "--failed", results=tmp_path)) == ["3"]

    def test_an_unknown_name(self, tmp_path: Path) -> None:
        """It is said which names there are, and which may be meant."""
        make_run(tmp_path, [0.5])
        assert "did you mean 'loss'" in command("show", "--where", "los > 1", results=tmp_path).err
        assert "'nix'" in command("show", "--sort", "nix", results=tmp_path).err
        assert command("show", "--where", "loss > 'x'", results=tmp_path).status == 2

    def test_names_of_columns_are_those_of_the_data_frame(self, tmp_path: Path) -> None:
        """A metric with the name of a column is called as in the data frame; ours give way to metrics."""
        metrics = {"loss": 0.5, "state": 3, "error": 0.1, "config/lr": 7, "a": {"b": 1}, "trial_id": 5}
        make_run(tmp_path, [metrics], trials=[trial(0, config={"lr": 1, "o": {"n": 2}}, params={"fold": 0})])
        frame = load_results(dir=tmp_path)["train"].get_dataframe()
        with RunScan(next(tmp_path.glob("*/run.db")).parent) as scan:
            view = TrialView(next(scan.trials()))
        columns = list(view.columns())
        assert columns[: len(frame.columns)] == list(frame.columns)
        assert "trial/error" in columns
        assert {column: view.value(column) for column in frame} == frame.iloc[0].to_dict()
        assert all(view.resolve(column) == column for column in columns)

    def test_several_sweeps(self, tmp_path: Path) -> None:
        """Each has its table, and one of them can be chosen; a condition on one needs no name in the other."""
        other = Sweep("test_a.py::other", "other", "acc", "max", varying=("lr",))
        make_run(tmp_path, [0.5, {"acc": 0.1}, {"acc": 0.9}], trials=[trial(0), trial(1, other), trial(2, other)])
        out = command("show", results=tmp_path).out
        assert out.index(f"{TRAIN.id}: 1 trial") < out.index(f"{other.id}: 2 trials")
        assert "Best: acc=0.9 (max): other[lr=2]" in out
        assert names(command("show", "--json", "--sweep", "other", results=tmp_path)) == ["2", "1"]
        assert names(command("show", "--json", "--where", "acc > 0.5", results=tmp_path)) == ["2"]
        assert command("show", "--sweep", "nix", results=tmp_path).status == 3
        done = command("show", "--columns", "name,loss,acc", results=tmp_path)
        assert (done.status, "| train[lr=0] |  0.5 |" in done.out, "| other[lr=2] | 0.9 |" in done.out) == (
            0,
            True,
            True,
        )

    def test_failures_by_reason(self, tmp_path: Path) -> None:
        """Below the tables stands why trials failed, and how many."""
        make_run(tmp_path, [None, None, 0.5])
        assert "ERROR train[lr=0] and 1 more: ValueError: boom" in command("show", results=tmp_path).out

    def test_a_trial(self, tmp_path: Path) -> None:
        """One trial is shown with all that is known; it is found by its name, a part of it, its node id and digits of its key."""
        make_run(tmp_path, [{"loss": math.nan, "val": {"f1": 1.5}}, None])
        for word in ("train[lr=0]", "lr=0", f"{TRAIN.id}[lr=0]", f"{0:016x}"):
            document = command("show", "last", word, "--json", results=tmp_path).json
            assert document["trial"]["name"] == "train[lr=0]", word
            assert document["trial"]["metrics"]["loss"] is None
            assert {"at": "/trial/metrics/loss", "value": "nan"} in document["nan"]
            assert document["history"][0]["val"] == {"f1": 1.5}
        out = command("show", "last", "lr=1", "--log", results=tmp_path).out
        assert "ValueError: boom" in out
        assert "Output of attempt 1" in out
        assert command("show", "last", "train", results=tmp_path).status == 2
        assert command("show", "last", "nix", results=tmp_path).status == 3

    def test_of_an_older_schema(self, tmp_path: Path) -> None:
        """A run of 0.1.0 is shown, compared and exported like any other."""
        shutil.copytree(OLD, tmp_path / "old")
        assert command("show", "old", "--json", results=tmp_path).json["trials"]
        assert command("compare", "old", "old", results=tmp_path).status == 0
        assert command("export", "old", "--histories", results=tmp_path).out.count("\n") > 2


class TestOutput:
    @pytest.mark.parametrize("width", [40, 80, 200])
    @pytest.mark.parametrize("arguments", [["ls"], ["show"], ["compare", "last", "last"], ["tag"]])
    def test_tables_fit_and_hold_nothing_that_moves_the_cursor(
        self, tmp_path: Path, width: int, arguments: list[str]
    ) -> None:
        """With hostile names of everything, each line of a table fits the terminal, and every character is printable but for colours."""
        sweep = Sweep(f"{HOSTILE}.py::{HOSTILE}", HOSTILE, HOSTILE, "min", varying=(HOSTILE,))
        trials = [trial(n, sweep, {HOSTILE: HOSTILE * n}) for n in range(3)]
        folder = make_run(tmp_path, [{HOSTILE: 0.5, "x": HOSTILE}, None, {HOSTILE: 0.25}], trials=trials)
        command("tag", folder.name, "x", results=tmp_path)
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Output, "of", lambda *_: Output(out, err, width, colour=False))
            assert module.main([*arguments, "--dir", str(tmp_path)], out, err) == 0
        assert out.getvalue()
        assert all(line.isprintable() for line in out.getvalue().split("\n"))
        tables = [line for line in out.getvalue().split("\n") if line.startswith(("|", "+"))]
        assert max(map(text_width, tables)) <= width

    def test_a_pipe_has_all_columns_whole(self, tmp_path: Path) -> None:
        """Without a terminal nothing is cut, there is no colour, and columns are there that a terminal leaves out."""
        long = "x" * 300
        make_run(tmp_path, [{"loss": 0.5, "text": long}])
        out = command("show", results=tmp_path).out
        assert long in out
        assert "\x1b" not in out
        assert "trial_id" in out

    @pytest.mark.parametrize(
        ("colour", "environ", "is_terminal", "expected"),
        [
            ("auto", {}, True, True), ("auto", {}, False, False), ("auto", {"NO_COLOR": "1"}, True, False),
            ("auto", {"NO_COLOR": ""}, True, True),
            ("auto", {"TERM": "dumb"}, True, False), ("yes", {"NO_COLOR": "1"}, False, True), ("no", {}, True, False),
        ],
    )  # fmt: skip
    def test_when_there_are_colours(
        self, colour: str, environ: dict[str, str], is_terminal: bool, expected: bool
    ) -> None:
        """On a terminal, unless NO_COLOR says otherwise; --color decides over both."""

        class Stream(io.StringIO):
            def isatty(self) -> bool:
                return is_terminal

        stream = Stream()
        Output.of(stream, io.StringIO(), colour, environ).line("ERROR", "red")
        assert ("\x1b[31m" in stream.getvalue()) is expected

    def test_cells_are_coloured_and_still_fit(self, tmp_path: Path) -> None:
        """A state has its colour, which takes no room."""
        make_run(tmp_path, [None, 0.5])
        plain = command("show", "--color", "no", results=tmp_path).out
        coloured = command("show", "--color", "yes", results=tmp_path).out
        assert "\x1b[31mERROR" in coloured
        assert "\x1b[32mTERMINATED" in coloured
        for code in ("\x1b[31m", "\x1b[32m", "\x1b[1m", "\x1b[2m", "\x1b[0m"):
            coloured = coloured.replace(code, "")
        assert coloured == plain


class TestJson:
    def test_what_json_has_not(self, tmp_path: Path) -> None:
        """NaN, infinities and integers of thousands of digits are null, and the list says where; half a surrogate is an escape."""
        config = {"lr": math.inf, "tuple": (1, math.nan), "a/b~c": -math.inf, "half": "\ud800"}
        make_run(tmp_path, [{"loss": math.nan, "big": 2**5000}], trials=[trial(0, config=config)])
        done = command("show", "--json", results=tmp_path)
        assert done.out.isascii()
        places = {one["at"]: one["value"] for one in done.json["nan"]}
        assert places["/trials/0/metrics/loss"] == "nan"
        assert places["/trials/0/config/lr"] == "inf"
        assert places["/trials/0/config/tuple/1"] == "nan"
        assert places["/trials/0/config/a~1b~0c"] == "-inf"
        assert int(places["/trials/0/metrics/big"], 16) == 2**5000

    def test_pointers(self) -> None:
        """A place is a JSON pointer, also behind a name with a slash."""
        odd: list[dict[str, str]] = []
        assert strict({"a/b": [1.0, math.nan], "c~": {"d": math.inf}}, "", odd) == {
            "a/b": [1.0, None],
            "c~": {"d": None},
        }
        assert [one["at"] for one in odd] == ["/a~1b/1", "/c~0/d"]

    def test_hostile_names(self, tmp_path: Path) -> None:
        """Any name is a string of JSON."""
        make_run(tmp_path, [{"loss": 1.0, HOSTILE: 2}], trials=[trial(0, config={HOSTILE: HOSTILE})])
        (one,) = command("show", "--json", results=tmp_path).json["trials"]
        assert one["config"] == {HOSTILE: HOSTILE}
        assert one["metrics"][HOSTILE] == 2

    def test_the_documented_version(self) -> None:
        """The schema that is documented is the one that is written, and the page shows its number."""
        page = (Path(__file__).parents[2] / "docs" / "command.md").read_text("utf-8")
        assert all(form["properties"]["schema"] == {"const": SCHEMA} for form in DOCUMENTED["oneOf"])
        assert f'"schema": {SCHEMA}' in page
        assert {form["properties"]["command"]["const"] for form in DOCUMENTED["oneOf"]} == {
            "ls", "show", "compare", "report", "tag", "prune", "path",
        }  # fmt: skip

    def test_every_command(self, tmp_path: Path) -> None:
        """Each command with --json writes one document that meets the schema, and nothing else to stdout."""
        make_run(tmp_path, [0.5, None])
        make_run(tmp_path, [0.25, 0.5], now=BEGAN + 60)
        for arguments in (
            ["ls"],
            ["show"],
            ["show", "last", "lr=0"],
            ["compare"],
            ["tag"],
            ["prune", "--keep", "1"],
            ["path"],
        ):
            done = command(*arguments, "--json", results=tmp_path)
            assert done.json["command"] == arguments[0]
            assert done.out.count("\n") <= json.dumps(done.json).count("{") + 20


class TestCompare:
    def test_pairs(self, tmp_path: Path) -> None:
        """Trials are paired by their keys: better, worse, same, new, lost, newly failed, fixed."""
        make_run(tmp_path, [1.0, 1.0, 1.0, 1.0, 1.0, None], trials=[trial(n) for n in range(6)])
        make_run(
            tmp_path, [0.5, 2.0, 1.0, None, 1.0, 1.0], trials=[trial(n) for n in (0, 1, 2, 3, 5, 6)], now=BEGAN + 60
        )
        done = command("compare", "--json", results=tmp_path)
        assert {one["name"]: one["status"] for one in done.json["trials"]} == {
            "train[lr=0]": "better", "train[lr=1]": "worse", "train[lr=2]": "same", "train[lr=3]": "newly failed", "train[lr=4]": "lost",
            "train[lr=5]": "fixed", "train[lr=6]": "new",
        }  # fmt: skip
        assert done.status == 1
        assert done.json["verdict"] == "worse"
        assert done.json["reasons"] == ["train: 1 trial fails that did not fail before"]
        assert [one["change_percent"] for one in done.json["trials"][:2]] == [None, 100.0]

    @pytest.mark.parametrize(
        ("before", "now", "mode", "status", "verdict"),
        [
            ([0.5], [0.4], "min", 0, "better"), ([0.5], [0.6], "min", 1, "worse"), ([0.5], [0.6], "max", 0, "better"),
            ([0.5], [0.5 + 1e-15], "min", 0, "same"), ([0.5, None], [0.5, None], "min", 0, "same"), ([0.5], [math.nan], "min", 1, "worse"),
            ([None], [0.5], "min", 0, "same"), ([0.5, 0.1], [0.2, 0.1], "min", 0, "same"), ([0.0], [0.0], "min", 0, "same"),
        ],
    )  # fmt: skip
    def test_the_verdict(self, tmp_path: Path, before: Any, now: Any, mode: str, status: int, verdict: str) -> None:
        """Worse is a best value that is worse, or none; the exit status says so."""
        trials = [trial(n, replace(TRAIN, mode=mode)) for n in range(len(now))]
        make_run(tmp_path, before, trials=trials)
        make_run(tmp_path, now, trials=trials, now=BEGAN + 60)
        done = command("compare", "--json", results=tmp_path)
        assert (done.status, done.json["verdict"]) == (status, verdict)
        assert "how far values scatter is not considered" in command("compare", results=tmp_path).out

    def test_another_metric(self, tmp_path: Path) -> None:
        """--metric and --mode judge by something else."""
        make_run(tmp_path, [{"loss": 1.0, "acc": 0.9}])
        make_run(tmp_path, [{"loss": 0.5, "acc": 0.8}], now=BEGAN + 60)
        assert command("compare", results=tmp_path).status == 0
        done = command("compare", "--metric", "acc", "--mode", "max", "--json", results=tmp_path)
        assert (done.status, done.json["trials"][0]["base"]) == (1, 0.9)

    def test_what_made_them(self, tmp_path: Path) -> None:
        """Changed code, packages and seeds are told."""
        old = Source("f1", "m1", {}, {"test_models.py": "1", "helper.py": "1"}, {"python": "3.11"})
        new = Source("f1", "m1", {}, {"test_models.py": "1", "helper.py": "2"}, {"python": "3.11"})
        make_run(tmp_path, [0.5], source=old, versions={"numpy": "1.0"})
        make_run(tmp_path, [0.5], source=new, versions={"numpy": "2.0"}, now=BEGAN + 60)
        changes = command("compare", "--json", results=tmp_path).json["changes"]
        assert changes == {
            "code": ["helper.py has changed"],
            "packages": ["numpy 1.0, now 2.0"],
            "seed": None,
            "commit": None,
        }
        assert "Code: helper.py has changed" in command("compare", results=tmp_path).out

    def test_no_code_in_common(self, tmp_path: Path) -> None:
        """Where no trial is in both runs, no code was compared, and it is not called the same."""
        make_run(tmp_path, [0.5], trials=[trial(0)])
        make_run(tmp_path, [0.5], trials=[trial(1)], now=BEGAN + 60)
        assert "Code: not compared, since no trial is in both runs" in command("compare", results=tmp_path).out

    def test_where_and_sort(self, tmp_path: Path) -> None:
        """Columns of the comparison and of the trial can be asked for."""
        make_run(tmp_path, [1.0, 1.0, 1.0])
        make_run(tmp_path, [2.0, 4.0, 0.5], now=BEGAN + 60)
        assert names(command("compare", "--json", "--where", "status == 'worse' and lr > 0", results=tmp_path)) == ["1"]
        assert names(command("compare", "--json", "--sort", "change", results=tmp_path)) == ["2", "0", "1"]

    def test_a_sweep_of_one_run(self, tmp_path: Path) -> None:
        """A sweep that is in one of the runs only is new, or lost, and nothing is worse for it."""
        other = Sweep("test_a.py::other", "other", "acc", "max")
        make_run(tmp_path, [0.5], trials=[trial(0)])
        make_run(tmp_path, [{"acc": 1.0}], trials=[trial(1, other)], now=BEGAN + 60)
        done = command("compare", "--json", results=tmp_path)
        assert (done.status, [one["statuses"] for one in done.json["sweeps"]]) == (3, [{"new": 1}, {"lost": 1}])
        assert (done.json["verdict"], done.json["reasons"]) == ("not compared", ["no trial is in both runs"])
        assert (done.json["compared"], done.json["not_compared"]) == (0, 2)

    def test_an_unknown_metric(self, tmp_path: Path) -> None:
        """A metric that no trial has is a usage error that names those there are, not a verdict."""
        make_run(tmp_path, [{"loss": 1.0, "val": {"acc": 0.9}}])
        make_run(tmp_path, [{"loss": 0.5}], now=BEGAN + 60)
        done = command("compare", "--metric", "nosuch", "--mode", "max", "--json", results=tmp_path)
        assert (done.status, done.out) == (2, "")
        assert "--metric nosuch: no trial of either run has it" in done.err
        assert "loss" in done.err
        assert "val/acc" in done.err
        assert (
            command("compare", "--metric", "val/acc", "--mode", "max", results=tmp_path).status == 3
        )  # Of one run only.

    def test_what_is_not_finished(self, tmp_path: Path) -> None:
        """Trials that did not end are not compared, which is said; where no other is, the verdict is none, and the status 3."""
        make_run(tmp_path, [1.0, 1.0])
        begun: list[Accepted] = [TrialStarted(trial(0).key, 1, BEGAN, "host:1")]
        make_run(tmp_path, trials=[trial(0), trial(1)], values=[], events=begun, exit_status=None, now=BEGAN + 60)
        done = command("compare", results=tmp_path)
        assert done.status == 3
        assert "Verdict: not compared" in done.out
        assert "Not compared: 2 of 2 trials" in done.out
        make_run(tmp_path, [1.0], trials=[trial(0), trial(1)], exit_status=None, now=BEGAN + 120)
        done = command("compare", "last~2", results=tmp_path)
        assert done.status == 0
        assert "Not compared: 1 of 2 trials" in done.out


class TestWords:
    def test_times(self, tmp_path: Path) -> None:
        """Times are compared with what people write, in the local time zone, of runs and of trials."""
        made = [make_run(tmp_path, now=BEGAN + hours * 3600) for hours in (0, 1, 48)]
        day, moment = (time.strftime(form, time.localtime(BEGAN + 3600)) for form in ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S"))
        found = command("ls", "--json", "--where", f"started <= '{moment}'", results=tmp_path).json["runs"]
        assert [one["name"] for one in found] == [made[1].name, made[0].name]
        assert len(command("ls", "--json", "--where", f"started > '{day}'", results=tmp_path).json["runs"]) >= 1
        assert names(command("show", "--json", "--where", f"finished > '{day} 00:00'", results=tmp_path)) == ["0"]
        assert len(command("ls", "--json", "--where", f"started > {BEGAN + 1}", results=tmp_path).json["runs"]) == 2
        done = command("ls", "--where", "started > 'yesterday'", results=tmp_path)
        assert done.status == 2
        assert "'yesterday' is no time: write '2026-11-26' or '2026-11-26 09:53'" in done.err

    def test_an_unknown_column(self, tmp_path: Path) -> None:
        """All columns are named, in their order, before anything is printed; those of trials that are not shown count, too."""
        make_run(tmp_path, [{"loss": 0.1}, {"loss": 0.2, "extra": 1}])
        for arguments in (
            ["--sort", "nosuch"],
            ["--where", "nosuch > 1"],
            ["--columns", "nosuch"],
            ["--columns", "nosuch", "--json"],
        ):
            done = command("show", *arguments, results=tmp_path)
            assert (done.status, done.out) == (2, ""), arguments
            assert "there are trial_id, name, state, seed" in done.err
            assert all(name in done.err for name in ("extra", "config/lr", "taken_from"))
        assert command("show", "--limit", "1", "--columns", "name,extra", results=tmp_path).status == 0
        assert (
            command("compare", "last", "last", "--limit", "1", "--columns", "name,extra", results=tmp_path).status == 0
        )
        assert command("export", "--limit", "1", "--columns", "extra", results=tmp_path).status == 0

    def test_a_condition_that_no_run_meets(self, tmp_path: Path) -> None:
        """That no run meets a condition is not said as if there were none."""
        make_run(tmp_path)
        done = command("ls", "--where", "trials > 99", results=tmp_path)
        assert (done.status, done.out) == (0, "")
        assert "no run meets the condition" in done.err
        assert "no run yet" not in done.err

    def test_a_checkpoint_that_was_deleted(self, tmp_path: Path) -> None:
        """It is not shown as if it were there."""
        kept, gone = tmp_path / "run" / "kept", tmp_path / "run" / "gone"
        kept.mkdir(parents=True)
        events: list[Accepted] = []
        for number, path in enumerate((str(kept), str(gone), "s3://bucket/c")):
            events += [
                TrialStarted(trial(number).key, 1, BEGAN, "host:1"),
                TrialReported(trial(number).key, 1, {"loss": 1.0}, path),
            ]
        make_run(tmp_path, trials=[trial(n) for n in range(3)], values=[], events=events)
        done = command("show", "--json", results=tmp_path)
        assert {one["name"]: one["checkpoint"] for one in done.json["trials"]} == {
            "train[lr=0]": str(kept), "train[lr=1]": None, "train[lr=2]": "s3://bucket/c",
        }  # fmt: skip
        assert f"checkpoint: none any more; {gone} was deleted" in command("show", "last", "lr=1", results=tmp_path).out

    def test_an_error_of_a_long_name(self, tmp_path: Path) -> None:
        """Where the name would leave no room for the error, the first digits of the key stand for it."""
        long = trial(1)
        long = replace(long, name="train[" + "x" * 200 + "]", id="test_models.py::train[" + "x" * 200 + "]")
        folder = make_run(tmp_path, [None], trials=[long])
        with RunScan(folder) as scan:
            (_, line) = failure_lines(scan, {TRAIN.id}, 80)
            (_, whole) = failure_lines(scan, {TRAIN.id})
        assert line == f"ERROR {long.key[:8]}: ValueError: boom"
        assert whole == f"ERROR {long.name}: ValueError: boom"

    def test_numbers_are_never_cut(self) -> None:
        """At 80 columns a column of numbers goes, or other cells are cut; no number loses digits."""
        values = [0.000123457, 1.23457e-05, 123457.0]
        columns = [Cells(f"metric_{n}", values, 40 + n) for n in range(8)]
        columns += [
            Cells("name", ["train[lr=0.001-optimizer=adam-schedule=cosine]"] * 3, 100),
            Cells("mixed", [0.000123457, "a" * 40, 1], 99),
        ]
        for width in range(20, 200, 7):
            table = fitted_table(columns, width)
            cells = {cell.strip() for line in table.splitlines() for cell in line.split("|")}
            assert not {cell for cell in cells if cell.endswith("…") and cell[0] in "01"}, width

    def test_huge_integers(self, tmp_path: Path) -> None:
        """An integer of thousands of digits is rounded in tables, in JSON among what JSON has not, and in files in hexadecimal digits."""
        huge = 10**5000
        make_run(tmp_path, [{"loss": huge}, {"loss": 2**70}, {"loss": 0.5}])
        done = command("show", "--json", results=tmp_path)
        assert [one["metrics"]["loss"] for one in done.json["trials"]] == [0.5, 2**70, None]
        assert done.json["nan"] == [{"at": "/trials/2/metrics/loss", "value": hex(huge)}]
        text = command("show", results=tmp_path).out
        assert "Best: loss=0.5" in text
        assert " 1e+5000 |" in text
        assert "1180591620717411303424" in text
        assert hex(huge) in command("export", results=tmp_path).out
        assert command("show", "--where", "loss > 1", "--sort=-loss", results=tmp_path).status == 0
        assert command("compare", "last", "last", results=tmp_path).status == 0
        assert command("ls", "--sort", "best", results=tmp_path).status == 0


class TestSeveralMetrics:
    SWEEP = replace(TRAIN, objectives=(Objective("loss", "min"), Objective("ms", "min")), feasible=("mem < 8",))
    VALUES = ({"loss": 1.0, "ms": 9.0, "mem": 1}, {"loss": 2.0, "ms": 5.0, "mem": 2}, {"loss": 3.0, "ms": 6.0, "mem": 3},
              {"loss": 0.1, "ms": 0.1, "mem": 9})  # fmt: skip

    def trials(self) -> list[Trial]:
        """Return four trials."""
        return [trial(n, self.SWEEP) for n in range(4)]

    def test_show(self, tmp_path: Path) -> None:
        """The Pareto front is what get_best_results() returns: marked, first, and a column like any other; so is what is feasible."""
        folder = make_run(tmp_path, self.VALUES, trials=self.trials())
        front = [result.name for result in load_results(folder)["train"].get_best_results()]
        assert front == ["train[lr=0]", "train[lr=1]"]
        done = command("show", "--json", results=tmp_path)
        assert [one["best"] for one in done.json["trials"]] == [True, True, False, False]
        assert {one["name"]: one["feasible"] for one in done.json["trials"]}["train[lr=3]"] is False
        (sweep,) = done.json["run"]["sweeps"]
        assert sweep["front"] == [trial(0).key, trial(1).key]
        assert (sweep["objectives"][1], sweep["feasible"]) == ({"metric": "ms", "mode": "min"}, ["mem < 8"])
        text = command("show", results=tmp_path).out
        assert "Best: 2 trials that none beats in loss (min) and ms (min), of those with mem < 8" in text
        assert "  loss=1, ms=9: train[lr=0]" in text
        assert names(command("show", "--json", "--where", "best and feasible", results=tmp_path)) == ["0", "1"]
        assert "best: True" in command("show", "last", "lr=1", results=tmp_path).out
        assert "True" in command("export", "--columns", "name,best,feasible", results=tmp_path).out

    def test_the_last_finite_value(self, tmp_path: Path) -> None:
        """A trial is shown with the values that it is judged by, also where its last report lacks one."""
        events: list[Accepted] = [TrialStarted(trial(0).key, 1, BEGAN, "host:1")]
        for n, metrics in enumerate(({"loss": 2.0, "ms": 7.0, "mem": 1}, {"loss": 1.0, "mem": 1}), start=1):
            events.append(TrialReported(trial(0).key, 1, {**metrics, "training_iteration": n}))
        last = {"loss": 1.0, "mem": 1, "training_iteration": 2}
        events.append(TrialFinished(trial(0).key, 1, TrialState.TERMINATED, last, None, 1.0, BEGAN + 1))
        make_run(tmp_path, trials=[trial(0, self.SWEEP)], values=[], events=events)
        assert "  loss=1, ms=7: train[lr=0]" in command("show", results=tmp_path).out

    def test_compare(self, tmp_path: Path) -> None:
        """A run is worse if the best value of any of the metrics is; how many trials are feasible, and on the front, is said."""
        make_run(tmp_path, self.VALUES, trials=self.trials())
        later = [{**its, "ms": its["ms"] * 2} for its in self.VALUES]
        make_run(tmp_path, later, trials=self.trials(), now=BEGAN + 60)
        done = command("compare", results=tmp_path)
        assert done.status == 1
        assert "the best ms was 5 and is 10 (min)" in done.out
        assert "Trials that none beats in all metrics: 2, now 2" in done.out
        assert "Trials that meet mem < 8: 3 of 4, now 3 of 4" in done.out
        objectives = command("compare", "--json", results=tmp_path).json["sweeps"][0]["objectives"]
        assert objectives[1] == {"metric": "ms", "mode": "min", "best_base": 5.0, "best": 10.0}

    def test_a_single_metric(self, tmp_path: Path) -> None:
        """Neither column takes room where a sweep has a single metric and no conditions."""
        make_run(tmp_path, [0.5])
        assert command("show", "--json", results=tmp_path).json["trials"][0]["best"] is None
        assert "| best" not in command("show", results=tmp_path).out


class Fake:
    """A row of given values."""

    def __init__(self, **values: Any) -> None:
        self.values = values

    def columns(self) -> list[str]:
        return list(self.values)

    def value(self, column: str) -> Any:
        return self.values.get(column)

    def resolve(self, name: str) -> str | None:
        return name if name in self.values else None

    def get(self, name: str, default: Any) -> Any:
        return self.values.get(name, default)


class TestRows:
    def test_sorting(self) -> None:
        """Numbers come before texts; None and NaN last in both directions; equal ones keep their order."""
        rows = [Fake(x=value, n=n) for n, value in enumerate(["b", 2, None, 1.5, math.nan, "a", True, 2])]
        assert [row.value("n") for row in sorted_rows(rows, "x")] == [6, 3, 1, 7, 5, 0, 2, 4]
        assert [row.value("n") for row in sorted_rows(rows, "-x")] == [0, 5, 1, 7, 3, 6, 2, 4]

    def test_none_meets_no_comparison(self) -> None:
        """A row without a value does not meet a comparison, and can be asked for."""
        rows = [Fake(x=None), Fake(x=1), Fake(x=3)]

        def chosen(text: str) -> list[Any]:
            return [row.value("x") for row in Where(text).select(rows)]

        assert chosen("x > 2") == [3]
        assert chosen("x is None") == [None]
        assert chosen("x != None and x < 2") == [1]

    def test_a_size_that_is_not_read_unless_asked_for(self, tmp_path: Path) -> None:
        """Values are made when they are asked for: a list by name opens no table of trials."""
        row = RunRow(make_run(tmp_path))
        assert row.value("status") == "passed"
        assert not {"sweeps", "size"} & set(vars(row))


def test_the_data_frame_of_an_export(tmp_path: Path) -> None:
    """An export, read by pandas, is what get_dataframe() returns, with the same names."""
    trials = [trial(n, config={"lr": n, "o": {"n": f"x{n}"}}) for n in range(3)]
    folder = make_run(tmp_path, [{"loss": 0.5, "v": {"f": 1}}, None, {"loss": math.inf, "extra": True}], trials=trials)
    target = tmp_path / "out.csv"
    assert command("export", "-o", target, results=tmp_path) == (0, "", "")
    frame = load_results(folder)["train"].get_dataframe()
    pd.testing.assert_frame_equal(pd.read_csv(target)[list(frame.columns)], frame, check_dtype=False, check_like=False)
