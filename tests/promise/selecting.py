"""Which trials run: node ids, --deselect, -k, -m, --sweep-where, --lf, --ff, --nf, --sw; and in which order beside tests."""

from __future__ import annotations

import shutil

import pytest

from tests.acceptance.project import Project

from .base import NOTE, Done, Executor

MODELS = f"""{NOTE}
    @sweep(grid={{"lr": [0.1, 0.15, 1e-05], "depth": [2, 4]}})
    def train(lr, depth): note(f"train:{{lr}}:{{depth}}")

    @pytest.mark.slow
    @sweep(grid={{"lr": [0.1]}})
    def slow(lr): note("slow")

    @pytest.mark.parametrize("data", ["a", "b c"])
    @sweep(grid={{"name": ["mlp", "mlp2"]}})
    def other(name, data): note(f"other:{{name}}:{{data[0]}}")

    class TestModels:
        @sweep(grid={{"n": [1, 2]}})
        def fit(self, n): note(f"fit:{{n}}")

    def test_ordinary(): note("ordinary")
"""
FILE = "test_models.py"

FLAKY = f"""{NOTE}
    BROKEN = Path(__file__).with_name("broken")

    @sweep(grid={{"n": [0, 1, 2, 3]}})
    def train(n):
        note(n)
        assert n not in (1, 3) or not BROKEN.exists()

    def test_ordinary(): ...
"""

MIXED = f"""{NOTE}
    def test_judge(sweep_results):
        note(f"judge:{{len(sweep_results['train'])}}")

    @sweep(grid={{"n": [1, 2]}})
    def train(n): note(f"trial:{{n}}")

    def test_first(): note("first")

    def test_second(): note("second")
"""


class Selecting(Executor):
    """The promises of selection."""

    @pytest.fixture
    def models(self, project: Project) -> Project:
        """A project with sweeps of several kinds, in two files."""
        project.write(MODELS)
        project.write(
            f"{NOTE}\n    @sweep(grid={{'n': [1, 2]}})\n    def elsewhere(n): note(f'elsewhere:{{n}}')\n", "test_z.py"
        )
        return project

    @pytest.fixture
    def chosen(self, models: Project, ended: dict[object, Done]) -> Done:
        """A session with node ids, of which marks and --deselect leave out some."""
        ids = [f"{FILE}::train[lr=0.1-depth=4]", *(f"{FILE}::{name}" for name in ("other", "slow", "TestModels"))]
        left_out = (f"--deselect={FILE}::other[name=mlp-a]", f"--deselect={FILE}::TestModels")
        return self.shared(
            ended, "chosen", lambda: self.run(models, *ids, "test_z.py", *left_out, "-m", "sweep and not slow")
        )

    def test_node_ids(self, chosen: Done) -> None:
        """The node ids of a trial, of a sweep, of a class and of a file select what they name, and no more."""
        assert chosen.notes == [
            "train:0.1:4",
            "other:mlp:b",
            "other:mlp2:a",
            "other:mlp2:b",
            "elsewhere:1",
            "elsewhere:2",
        ]

    def test_deselect(self, chosen: Done) -> None:
        """--deselect leaves out a trial, and by a prefix all of a class; they are counted."""
        assert not {"other:mlp:a", "fit:1", "fit:2"} & set(chosen.notes)
        assert chosen.outcomes == {"passed": 6, "deselected": 4}

    def test_marks(self, models: Project, chosen: Done) -> None:
        """-m takes trials by the mark sweep, which all have, and by one's own."""
        assert "slow" not in chosen.notes
        done = self.run(models, FILE, "-m", "slow or not sweep")
        assert done.notes == ["ordinary", "slow"]
        assert done.outcomes == {"passed": 2, "deselected": 12}

    @pytest.fixture
    def matched(self, models: Project, ended: dict[object, Done]) -> Done:
        """A session with -k, of words and of values."""
        values = "lr=0.1 and not depth=4 or name=mlp and data='b c' or lr=1e-05 and depth=4"
        return self.shared(
            ended,
            "matched",
            lambda: self.run(models, "-k", f"({values}) and not slow or TestModels or ordinary and not elsewhere"),
        )

    def test_k_with_words(self, matched: Done) -> None:
        """-k takes words of names and ids, with and, or, not."""
        assert {"ordinary", "fit:1", "fit:2"} <= set(matched.notes)
        assert not {"slow", "elsewhere:1"} & set(matched.notes)
        assert matched.outcomes == {"passed": 6, "deselected": 10}

    def test_k_with_values(self, matched: Done) -> None:
        """-k with key=value is exact: 0.1 does not select 0.15, nor mlp mlp2; a value with a space stands in quotes."""
        assert matched.notes == ["ordinary", "train:0.1:2", "train:1e-05:4", "other:mlp:b", "fit:1", "fit:2"]

    def test_where(self, models: Project) -> None:
        """--sweep-where selects trials by their typed values; a trial without such a value is left out, a test is not."""
        done = self.run(models, "--sweep-where", "lr < 0.12 and depth >= 3", FILE)
        assert done.notes == ["ordinary", "train:0.1:4", "train:1e-05:4"]
        assert done.outcomes == {"passed": 3, "deselected": 11}

    @pytest.fixture
    def flaky(self, project: Project, ended: dict[object, Done]) -> Project:
        """A project in which two of four trials have failed, as the cache of the run before knows."""
        project.write(FLAKY)
        (project.path / "broken").touch()
        first = self.shared(ended, "first", lambda: self.run(project))
        assert first.outcomes == {"passed": 3, "failed": 2}
        if first.path != project.path:
            shutil.copytree(first.path / ".pytest_cache", project.path / ".pytest_cache")
        return project

    def test_last_failed(self, flaky: Project) -> None:
        """--lf runs the trials that failed the last time, and those only."""
        done = self.run(flaky, "--lf")
        assert done.notes == ["1", "3"]
        assert done.outcomes == {"failed": 2}

    def test_failed_first(self, flaky: Project) -> None:
        """--ff runs the trials that failed before the others."""
        assert self.run(flaky, "--ff").notes == ["1", "3", "0", "2"]

    def test_new_first(self, flaky: Project) -> None:
        """--nf runs trials that a sweep has got since the last time before the others."""
        flaky.write(FLAKY.replace("[0, 1, 2, 3]", "[0, 1, 2, 3, 4]"))
        assert self.run(flaky, "--nf").notes == ["4", "0", "1", "2", "3"]

    def test_stepwise(self, project: Project) -> None:
        """--sw stops at the first failure in order and goes on from there the next time; --sw-skip goes past it."""
        project.write(FLAKY)
        (project.path / "broken").touch()
        # A worker may have begun the next trial when the failure arrives: it is run again.
        for arguments, ran in ((["--sw"], "0 1 2"), (["--sw"], "1 2"), (["--sw", "--sw-skip"], "1 2 3")):
            done = self.run(project, *arguments)
            failures = 2 if "--sw-skip" in arguments else 1
            assert done.outcomes["failed"] == failures
            noted = " ".join(done.notes)
            assert noted == ran or (failures == 1 and noted == ran.removesuffix(" 2")), arguments
            assert self.hosted or failures == 2 or noted == ran.removesuffix(" 2")

    def test_a_file_with_trials_and_tests(self, project: Project) -> None:
        """Tests run first, then trials, then the tests that name sweep_results, which judge all results of this run, as is said."""
        project.write(MIXED)
        done = self.run(project)
        assert sorted(done.notes[:2]) == ["first", "second"]
        assert done.notes[2:] == ["trial:1", "trial:2", "judge:2"]
        assert done.outcomes == {"passed": 5}
        judged = [line for line in done.lines if line.startswith("judged: ")]
        (run,) = {result.run_path.name for result in done.grid()}
        assert judged == [f"judged: train: 2 results of this run, {run}"]
