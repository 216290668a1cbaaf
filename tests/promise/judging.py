"""Which result is judged: replicates, folds, expected failures, metrics that are missing at the end. One session shows all."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from pytest_sweep.errors import NoResultsError
from tests.acceptance.project import Project

from .base import Done, Executor

JUDGED = """
    @sweep(grid={"C": ["steady", "lucky"]}, metric="acc", mode="max", average_over=["fold"])
    @pytest.mark.parametrize("fold", range(3))
    def cv(C, fold):
        return {"acc": 0.8 if C == "steady" else [0.99, 0.1, 0.1][fold]}

    @sweep(grid={"lr": [0.1]}, metric="acc", mode="max")
    @pytest.mark.parametrize("fold", [0, 1])
    def apart(lr, fold, data):
        return {"acc": 0.8 + fold / 10}

    @pytest.fixture(params=[(1, "a"), (2, "b")], ids=["first", "second"])
    def data(request):
        return request.param

    @sweep(grid={"name": ["steady", "lucky"]}, repeats=3, metric="acc", mode="max")
    def seeds(name, trial):
        n = int(trial.name.partition("#")[2].rstrip("]") or 1)
        return {"acc": 0.80 if name == "steady" else (0.99 if n == 2 else 0.10)}

    @sweep(
        grid={"lr": [0.1, pytest.param(10.0, id="huge", marks=pytest.mark.xfail(reason="it diverges"))]}, metric="loss", mode="min",
    )
    def expected(lr, trial):
        trial.report({"loss": 0.01 if lr > 1 else 0.9})
        if lr > 1:
            raise RuntimeError("diverged")

    @sweep(grid={"x": [1, 2]}, metric="val", mode="max")
    def last(x):
        report({"loss": 1.0})
        report({"loss": 0.5, "val": x})
        report({"loss": 0.4})

    @sweep(grid={"a\\x1b[31m": ["b\\x07"]})
    def names(config, record_property):
        record_property("sweep.key", "mine")
        return {"loss\\x1b[31m": 0.5, "v.w": 1, "v": {"w": 2}, "state": "good"}

    def test_gate(sweep_results):
        assert sweep_results["cv"].get_best_result().config == {"C": "steady"}
        assert sweep_results["cv"].best_value == 0.8
        assert sweep_results["seeds"].get_best_result().config == {"name": "steady"}
        assert sweep_results["expected"].get_best_result().metrics["loss"] == 0.9
        assert sweep_results["last"].get_best_result("val", "max", scope="last").config == {"x": 2}
        assert any("fold" in column for column in sweep_results["apart"].get_dataframe().columns)
"""
OPTIONS = ("--junitxml=junit.xml",)


RESUMED = """
    @sweep(grid={"lr": [pytest.param(0.1), pytest.param(10.0, marks=pytest.mark.xfail(reason="diverges"))]}, metric="acc", mode="max")
    def expected(lr):
        report({"acc": lr})
        assert lr < 1

    @sweep(grid={"lr": [0.1, 10.0]}, metric="acc", mode="max")
    def skipped(lr):
        report({"acc": lr})
        if lr > 1:
            pytest.skip("diverges")

    @sweep(grid={"lr": [0.1]}, repeats=2, metric="acc", mode="max")
    def seeds(trial):
        report({"acc": 0.5})
        if "#2" in trial.name:
            report({"acc": 5.0})
            pytest.xfail("diverges")
"""
"""Sweeps in which a trial that reported the best value was skipped, or failed as expected."""

BEST = {"expected": 0.1, "skipped": 0.1, "seeds": 0.5}


class Judging(Executor):
    """The promises of what is judged."""

    @pytest.fixture
    def judged(self, project: Project, ended: dict[object, Done]) -> Done:
        """The session of all sweeps; the first test runs it."""

        def run() -> Done:
            project.write(JUDGED)
            return self.run(project, *OPTIONS)

        done = self.shared(ended, "judged", run)
        assert done.status == 0, done.text
        return done

    def suite(self, done: Done) -> ET.Element:
        """Return the parsed junit file."""
        suite = ET.parse(done.path / "junit.xml").getroot().find("testsuite")
        assert suite is not None
        return suite

    def case(self, done: Done, name: str) -> dict[str, str]:
        """Return the properties of a test case, each of which is there once."""
        (case,) = (one for one in self.suite(done).findall("testcase") if one.attrib["name"] == name)
        found = [(one.attrib["name"], one.attrib["value"]) for one in case.iter("property")]
        assert len(dict(found)) == len(found)
        return dict(found)

    def test_folds(self, judged: Done) -> None:
        """With average_over, table, best, records and data frame have a row a configuration."""
        assert "Best configuration of cv: cv[C=steady] with acc=0.8" in judged.text
        assert len([line for line in judged.lines if line.startswith("| cv[")]) == 2
        grid = judged.grid("cv")
        assert [(row["name"], row["trials"], row["config/C"]) for row in grid.aggregate()] == [
            ("cv[C=steady]", 3, "steady"), ("cv[C=lucky]", 3, "lucky"),
        ]  # fmt: skip
        assert len(grid.get_dataframe()) == 2
        assert [one.params["fold"] for one in grid.get_best_result().replicates] == [0, 1, 2]

    def test_parameters_are_not_lost(self, judged: Done) -> None:
        """Stacked parametrize and parametrized fixtures are in params, data frame and junit, and in best_params."""
        grid = judged.grid("apart")
        values = [(0, (1, "a")), (0, (2, "b")), (1, (1, "a")), (1, (2, "b"))]
        # As pytest sorts them, so that no fixture is set up twice.
        assert sorted((one.params["fold"], one.params["data"]) for one in grid) == values
        assert sorted(grid.get_dataframe()["params/fold"]) == [0, 0, 1, 1]
        assert grid.best_params["fold"] == 1
        for one in grid:
            properties = self.case(judged, one.name)
            assert properties["params.fold"] == str(one.params["fold"])
            assert "params.data" in properties

    def test_replicates(self, judged: Done) -> None:
        """A lucky seed does not make its configuration the best."""
        best = judged.grid("seeds").get_best_result()
        assert (best.name, best.metrics and best.metrics["acc"], len(best.replicates)) == ("seeds[name=steady]", 0.8, 3)
        assert judged.grid("seeds").get_best_result(by="replicate").name == "seeds[name=lucky#2]"
        assert "Best configuration of seeds: seeds[name=steady] with acc=0.8" in judged.text

    def test_expected_failures(self, judged: Done) -> None:
        """A trial that failed as expected has metrics, and is not the best unless failures are asked for."""
        grid = judged.grid("expected")
        assert grid.get_best_result().name == "expected[lr=0.1]"
        assert grid.get_best_result(include_failed=True).name == "expected[lr=huge]"
        assert "Best trial of expected: expected[lr=0.1] with loss=0.9" in judged.text
        with pytest.raises(NoResultsError, match=r"ended well \(1 SKIPPED\); include_failed=True"):
            grid[1:].get_best_result()

    def test_last_values(self, judged: Done) -> None:
        """A metric that the last report lacks is judged by its last value, in the terminal, too."""
        assert judged.grid("last").best_value == 2
        assert "Best trial of last: last[x=2] with val=2 (max)" in judged.text

    def test_names_in_junit(self, judged: Done) -> None:
        """Whatever metrics and parameters are called, the file is valid XML, and nothing in it hides anything else."""
        found = self.case(judged, judged.grid("names")[0].name.replace("\x1b", "#x1B").replace("\x07", "#x07"))
        assert found["metric.loss#x1B[31m"] == "0.5"
        assert found["config.a#x1B[31m"] == "b#x07"
        assert (found["metric.v.w"], found["sweep.metric.v.w"]) == ("1", "2")
        assert found["sweep.key"] == "mine"
        assert len(found["sweep.sweep.key"]) == 16
        assert judged.grid("names").get_dataframe()["metrics/state"][0] == "good"

    def test_the_best_in_junit(self, judged: Done) -> None:
        """The suite's properties say what is best, as the terminal and get_best_result() do."""
        properties = self.suite(judged).find("properties")
        assert properties is not None
        found = {one.attrib["name"]: one.attrib["value"] for one in properties}
        for sweep in ("cv", "apart", "seeds", "expected", "last"):
            best = judged.grid(sweep)
            assert found[f"sweep.best.{sweep}"] == best.get_best_result().name
            assert found[f"sweep.best_value.{sweep}"] == str(best.best_value)

    def test_what_was_skipped_is_not_the_best_after_a_resume(self, project: Project) -> None:
        """A trial that was skipped or xfailed in the run that is resumed is no candidate, in terminal, junit file and results."""
        project.write(RESUMED)
        self.run(project)
        for _ in range(2):  # What was taken is taken again.
            again = self.run(project, "--sweep-resume", "--junitxml=j.xml")
            found = {one.get("name"): one.get("value") for one in ET.parse(project.path / "j.xml").iter("property")}
            for sweep, value in BEST.items():
                grid = again.grid(sweep)
                assert {str(result.state) for result in grid} == {"CACHED"}
                assert (grid.best_value, grid.num_terminated) == (value, 1)
                assert found[f"sweep.best_value.{sweep}"] == str(value)
                assert f" of {sweep}: {sweep}[lr=0.1] with acc={value} (max" in again.text
        assert again.grid("skipped").get_best_result(include_failed=True).config == {"lr": 10.0}
