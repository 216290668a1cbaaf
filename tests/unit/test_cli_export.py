"""``export``: the same rows as csv, jsonl and parquet, whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pytest_sweep import load_results
from pytest_sweep.cli.formats import write_csv
from pytest_sweep.model import Sweep
from pytest_sweep.model.events import TrialFinished, TrialReported, TrialStarted
from pytest_sweep.model.trials import TrialState
from tests.support.runs import begin_run, command, make_run, trial


def rows(done: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(done.out)))


def curves(folder: Path, count: int = 3) -> Path:
    """Store a run of two trials that report several times, the second one restarted from a checkpoint."""
    trials = [trial(0), trial(1)]
    events: list[Any] = []
    for one in trials:
        events.append(TrialStarted(one.key, 1, 1.0, "host:1"))
        events += [TrialReported(one.key, 1, {"loss": 1.0 / n, "training_iteration": n}) for n in range(1, count + 1)]
        events.append(
            TrialFinished(
                one.key,
                1,
                TrialState.TERMINATED,
                {"loss": 0.1, "extra": "x", "training_iteration": count},
                None,
                1.0,
                2.0,
            )
        )
    return make_run(folder, [], trials=trials, events=events)


class TestCsv:
    def test_rows_and_columns(self, tmp_path: Path) -> None:
        """The columns of the data frame come first, then those that it has not; a value is written in full."""
        folder = make_run(
            tmp_path, [0.1 + 0.2, None], trials=[trial(n, config={"lr": n, "t": (1, "a")}) for n in range(2)]
        )
        first, second = rows(command("export", results=tmp_path))
        assert list(first)[:9] == [
            "trial_id",
            "name",
            "state",
            "seed",
            "replicate",
            "training_iteration",
            "loss",
            "config/lr",
            "config/t",
        ]
        assert (first["loss"], first["config/t"], first["error"]) == ("0.30000000000000004", '[1, "a"]', "")
        assert (second["state"], second["loss"], second["error"]) == ("ERROR", "", "Traceback\nValueError: boom")
        assert first["run"] == folder.name

    def test_numbers_that_are_not_finite(self, tmp_path: Path) -> None:
        """NaN and infinities are words that pandas reads."""
        make_run(tmp_path, [math.nan, math.inf, -math.inf])
        found = [row["loss"] for row in rows(command("export", results=tmp_path))]
        assert found == ["nan", "inf", "-inf"]

    @pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=cmd|"/c calc"!A0'])
    def test_formulas(self, text: str) -> None:
        """A text, or a name, that a spreadsheet would run gets an apostrophe; numbers do not, and --raw leaves all as it is."""
        out = io.StringIO()
        write_csv(out, [text, "n"], [{text: text, "n": -1.5}])
        assert list(csv.reader(io.StringIO(out.getvalue(), newline=""))) == [[f"'{text}", "n"], [f"'{text}", "-1.5"]]
        out = io.StringIO()
        write_csv(out, [text], [{text: text}], raw=True)
        assert list(csv.reader(io.StringIO(out.getvalue(), newline=""))) == [[text], [text]]

    def test_histories(self, tmp_path: Path) -> None:
        """A row for each report, as get_dataframe(all_reports=True) has them; a trial without reports has one, too."""
        folder = curves(tmp_path)
        frame = load_results(folder)["train"].get_dataframe(all_reports=True)
        found = pd.read_csv(io.StringIO(command("export", "--histories", results=tmp_path).out))
        pd.testing.assert_frame_equal(found[list(frame.columns)], frame, check_dtype=False)

    def test_few_histories_at_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """However few trials are read at once, the rows are the same."""
        curves(tmp_path)
        whole = command("export", "--histories", results=tmp_path).out
        monkeypatch.setattr("pytest_sweep.cli.exporting._CHUNK", 1)
        assert command("export", "--histories", results=tmp_path).out == whole


class TestSelection:
    def test_all_of_it(self, tmp_path: Path) -> None:
        """--where, --sort, --columns, --limit and --sweep choose as they do for show."""
        other = Sweep("test_a.py::other", "other", "acc", "max")
        make_run(tmp_path, [0.5, 0.25, 0.75, {"acc": 1}], trials=[*map(trial, range(3)), trial(3, other)])

        def export(*more: str) -> list[str]:
            return [row["name"] for row in rows(command("export", *more, results=tmp_path))]

        assert export("--where", "loss > 0.3") == ["train[lr=0]", "train[lr=2]"]
        assert export("--sort", "loss", "--limit", "2") == ["train[lr=1]", "train[lr=0]"]
        assert export("--sweep", "other") == ["other[lr=3]"]
        done = command("export", "--columns", "lr, loss,name", results=tmp_path)
        assert done.out.splitlines()[0] == "config/lr,loss,name"
        assert command("export", "--columns", "nix", results=tmp_path).status == 2

    def test_a_run_that_goes_on(self, tmp_path: Path) -> None:
        """It is exported as it was when the export began; its trials are open."""
        store = begin_run(tmp_path, [0.5], trials=[trial(0), trial(1)])
        for more in ([], ["--histories"]):
            found = rows(command("export", *more, results=tmp_path))
            assert [row["state"] for row in found] == ["TERMINATED", "PENDING"]
        store.close()


class TestJsonl:
    def test_a_row_a_line(self, tmp_path: Path) -> None:
        """Each line is strict JSON with the names of the csv file; what JSON has not is null, and said to be where."""
        config = {"lr": 1, "nan": 2, "t": (1, 2)}
        make_run(
            tmp_path, [{"loss": math.nan, "nan": 1}, {"loss": 0.5}], trials=[trial(n, config=config) for n in range(2)]
        )
        lines = command("export", "--format", "jsonl", results=tmp_path).out.splitlines()
        header = rows(command("export", results=tmp_path))[0]
        first, second = map(json.loads, lines)
        assert [name for name in first if name != "trial/nan"] == list(header) == list(second)
        assert (first["loss"], first["nan"], first["config/t"]) == (None, 1, [1, 2])
        assert first["trial/nan"] == [{"at": "/loss", "value": "nan"}]


class TestFiles:
    def test_the_format_by_the_name(self, tmp_path: Path) -> None:
        """The end of the name says what is meant; permissions are those of any new file."""
        make_run(tmp_path / "runs", [0.5])
        for name in ("a.csv", "a.jsonl", "a.NDJSON"):
            assert command("export", "-o", tmp_path / name, results=tmp_path / "runs") == (0, "", "")
        assert json.loads((tmp_path / "a.jsonl").read_text())["loss"] == 0.5
        assert (tmp_path / "a.jsonl").read_text() == (tmp_path / "a.NDJSON").read_text()
        (tmp_path / "plain").write_text("")
        assert (tmp_path / "a.csv").stat().st_mode == (tmp_path / "plain").stat().st_mode

    def test_a_file_is_whole_or_as_it_was(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """An export that fails leaves what was there, and nothing beside it."""
        make_run(tmp_path / "runs", [0.5])
        target = tmp_path / "a.csv"
        target.write_text("before")

        def fail(*_: Any, **__: Any) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("pytest_sweep.cli.commands.export.write_csv", fail)
        done = command("export", "-o", target, results=tmp_path / "runs")
        assert done.status == 4
        assert "No space left" in done.err
        assert target.read_text() == "before"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "runs"]

    @pytest.mark.skipif(os.name == "nt", reason="paths differ")
    def test_no_such_folder(self, tmp_path: Path) -> None:
        """What cannot be written is told."""
        make_run(tmp_path, [0.5])
        assert command("export", "-o", tmp_path / "nix" / "a.csv", results=tmp_path).status == 4

    def test_parquet(self, tmp_path: Path) -> None:
        """Columns have types; what is of several kinds is text."""
        pytest.importorskip("pyarrow")
        trials = [trial(n, config={"lr": [1, "a", 2.5][n], "x": [1, 2.5, None][n]}) for n in range(3)]
        make_run(tmp_path, [{"loss": 0.5, "big": 2**70, "flag": True}, None, {"loss": math.nan}], trials=trials)
        assert command("export", "-o", tmp_path / "a.parquet", results=tmp_path) == (0, "", "")
        frame = pd.read_parquet(tmp_path / "a.parquet")
        assert list(frame.columns) == list(rows(command("export", results=tmp_path))[0])
        assert list(frame["config/lr"]) == ["1", "a", "2.5"]
        assert frame["config/x"].dtype == "float64"
        assert frame["loss"].dtype == "float64"
        assert frame["big"][0] == str(2**70)

    def test_without_pyarrow(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is said what to install."""
        monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
        make_run(tmp_path, [0.5])
        done = command("export", "-o", tmp_path / "a.parquet", results=tmp_path)
        assert done.status == 2
        assert "pip install 'pytest-sweep[parquet]'" in done.err
        assert not (tmp_path / "a.parquet").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes there")
class TestOtherFiles:
    def test_a_link(self, tmp_path: Path) -> None:
        """What is written goes to where a link leads, and the link is there afterwards."""
        make_run(tmp_path, [0.5])
        target, real = tmp_path / "out.csv", tmp_path / "real.csv"
        target.symlink_to(real)
        assert command("export", "-o", target, results=tmp_path).status == 0
        assert target.is_symlink()
        assert real.read_text() == command("export", results=tmp_path).out

    def test_a_named_pipe(self, tmp_path: Path) -> None:
        """What is written goes through a pipe, which is there afterwards."""
        make_run(tmp_path, [0.5])
        target, read = tmp_path / "out.csv", list[str]()
        os.mkfifo(target)
        reader = threading.Thread(target=lambda: read.append(target.read_text()), daemon=True)
        reader.start()
        assert command("export", "-o", target, results=tmp_path).status == 0
        reader.join(60)
        assert target.is_fifo()
        assert read == [command("export", results=tmp_path).out]

    def test_a_pipe_without_a_name(self, tmp_path: Path) -> None:
        """/dev/fd/N, as in ``-o >(gzip > x.gz)`` of bash, is written to."""
        make_run(tmp_path, [0.5])
        reading, writing = os.pipe()
        assert command("export", "-o", f"/dev/fd/{writing}", "--format", "csv", results=tmp_path).status == 0
        os.close(writing)
        with os.fdopen(reading) as stream:
            assert stream.read() == command("export", results=tmp_path).out
