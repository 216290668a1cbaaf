"""What an MLflow server accepts: names, texts, and how much in a request; what is said of settings before a run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sweep.errors import MissingExtraError, SweepError
from pytest_sweep.trackers.mlflow import MLflowTracker
from pytest_sweep.trackers.mlflow.limits import MOST_NAME, batches, clean_text, names_of
from pytest_sweep.trackers.trackio import TrackioTracker
from pytest_sweep.trackers.wandb import WandbTracker


class TestNames:
    def test_what_is_accepted_stays(self) -> None:
        """Names that MLflow accepts are its names."""
        names = ["loss", "val/acc", "lr-1.5 e:3", "ünï", "a.b", "_x"]
        assert names_of(names) == {name: name for name in names}

    def test_what_is_not_is_replaced(self) -> None:
        """Everything else becomes underscores; a name that another one has already gets a hash, whatever the order."""
        assert names_of(["acc@1", "/a//b", "..", "", "x/"]) == {
            "acc@1": "acc_1", "/a//b": "_/a/_/b", "..": "__", "": "_", "x/": "x/_",
        }  # fmt: skip
        found = names_of(["p<", "p>", "p_"])
        assert found["p_"] == "p_"
        assert len(set(found.values())) == 3
        assert names_of(["p_", "p>", "p<"]) == found

    @given(st.lists(st.text(max_size=300), unique=True, max_size=8))
    def test_no_name_is_lost(self, names: list[str]) -> None:
        """Different names stay different, and none is too long or has an empty part or one of dots only."""
        found = names_of(names)
        assert len(set(found.values())) == len(names)
        for new in found.values():
            assert 0 < len(new) <= MOST_NAME
            assert all(part.strip(".") for part in new.split("/"))


class TestTexts:
    def test_what_databases_do_not_store(self) -> None:
        """NUL and half surrogate pairs are escapes; what is too long is cut."""
        assert clean_text("a\0b\ud800ü", 100) == "a\\x00b\\ud800ü"
        assert clean_text("x" * 10, 10) == "x" * 10
        assert clean_text("x" * 11, 10) == "x" * 9 + "…"


class TestBatches:
    def test_their_limits(self) -> None:
        """No batch has more items or more bytes than allowed, in order; an item that is too large is alone."""
        items = ["a" * size for size in (10, 10, 10, 100, 1, 1, 1, 1, 1, 1)]
        found = list(batches(items, 5, len, 25))
        assert [len(batch) for batch in found] == [2, 1, 1, 5, 1]
        assert [item for batch in found for item in batch] == items


class TestChecks:
    def test_no_server(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without the address of a server, MLflow is refused before the run, with what to set."""
        monkeypatch.setattr("pytest_sweep.trackers.mlflow.tracker.require", lambda *names: None)
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        with pytest.raises(SweepError, match="set MLFLOW_TRACKING_URI, or write mlflow:uri=http"):
            MLflowTracker.check({})
        MLflowTracker.check({"uri": "http://localhost:5000"})
        with pytest.raises(SweepError, match=r"no setting 'url'. Its settings: experiment \("):
            MLflowTracker.check({"url": "http://localhost:5000"})

    @pytest.mark.parametrize("tracker", [MLflowTracker, WandbTracker, TrackioTracker])
    def test_missing_package(
        self, tracker: type[MLflowTracker | WandbTracker | TrackioTracker], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A package that is not installed is an error that names its extra."""
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(MissingExtraError, match=r"pip install 'pytest-sweep\[(mlflow|wandb|trackio)\]'"):
            tracker.check({})
