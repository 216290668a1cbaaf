"""The order of a session: ordinary tests, trials, tests that judge them; and what those see."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from pytest_sweep import load_results

from .project import Project, output

NOTING = """
    from pathlib import Path

    def note(text):
        with open(Path(__file__).parent / "notes", "a") as notes:
            notes.write(text + "\\n")
"""


def notes(project: Project) -> list[str]:
    """Return what the project's files have noted."""
    path = project.path / "notes"
    return path.read_text().splitlines() if path.exists() else []


def test_ordinary_tests_then_trials_then_judges(project: Project) -> None:
    """Whatever the order in the files, ordinary tests run first and those that use sweep_results last; each group keeps its order."""
    project.write(f"""{NOTING}
    @pytest.fixture
    def best(sweep_results):
        return sweep_results["train"].get_best_result("value", "max")

    def test_judges_by_a_fixture(best):
        note(f"judge {{best.name}}")

    @sweep(grid={{"n": [1, 2]}})
    def train(n):
        note(f"trial {{n}}")
        return n

    def test_first(): note("first")

    def test_judges(sweep_results): note("judge")

    def test_second(): note("second")
    """)
    project.sweep().assert_outcomes(passed=6)
    assert notes(project) == ["first", "second", "trial 1", "trial 2", "judge train[n=2]", "judge"]


def test_tests_after_a_failed_one_still_run(project: Project) -> None:
    """A failed ordinary test keeps no trial from running, and a failed trial no judge."""
    project.write("""
        def test_fails(): assert 0
        def test_passes(): ...

        @sweep(grid={"n": [1, 2]})
        def train(n):
            assert n == 2

        def test_judge(sweep_results):
            assert sweep_results["train"].num_errors == 1
    """)
    result = project.sweep()
    result.assert_outcomes(passed=3, failed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_results_are_found_by_name_and_by_node_id(project: Project) -> None:
    """By the function's name where only one sweep has it, always by node id; an unknown name lists those that there are."""
    project.write("@sweep(grid={'n': [1]})\ndef train(n):\n    return n\n", "test_a.py")
    project.write("@sweep(grid={'n': [1, 2]})\ndef train(n):\n    return n\n", "test_b.py")
    project.write("""
        @sweep(grid={"n": [1]})
        def single(n): ...

        class TestModels:
            @sweep(grid={"n": [1]})
            def fit(self, n): ...

        def test_judge(sweep_results):
            assert len(sweep_results["single"]) == 1
            assert len(sweep_results["test_c.py::single"]) == 1
            assert len(sweep_results["test_b.py::train"]) == 2
            assert len(sweep_results["test_c.py::TestModels::fit"]) == 1
            assert sorted(sweep_results) == ["fit", "single", "test_a.py::train", "test_b.py::train"]
            assert "train" not in sweep_results
            with pytest.raises(KeyError, match="2 sweeps are called 'train': take one of 'test_a.py::train', "):
                sweep_results["train"]
            with pytest.raises(KeyError, match="there are no results of 'singel': .*did you mean 'single'"):
                sweep_results["singel"]
    """, "test_c.py")  # fmt: skip
    result = project.sweep("-k", "test_judge or train or single or fit")
    assert result.ret == 0, output(result)


def test_judges_alone_see_the_newest_stored_results(project: Project) -> None:
    """Selected alone they see what earlier runs have stored: of each trial the newest, also from different runs."""
    project.write("""
        import os

        @sweep(grid={"n": [1, 2]})
        def train(n):
            return {"run": os.environ["RUN"]}

        def test_judge(sweep_results):
            print("SEEN", [result.metrics["run"] for result in sweep_results["train"]])
            assert os.environ["RUN"] != "third" or len(sweep_results["train"]) == 2
    """)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUN", "first")
        assert "SEEN ['first', 'first']" in output(project.sweep("-rP"))
        patch.setenv("RUN", "second")
        assert "SEEN ['first', 'second']" in output(project.sweep("-rP", "-k", "judge or 2"))
        patch.setenv("RUN", "third")
        alone = project.sweep("-rP", "-k", "judge")
        alone.assert_outcomes(passed=1, deselected=2)
        assert "SEEN ['first', 'second']" in output(alone)
    assert len(list(project.path.glob("sweep_results/*/run.db"))) == 2


def test_a_missing_result_is_an_error_that_says_what_to_do(project: Project) -> None:
    """A judge does not take a part for the whole; with partial=True it gets what there is."""
    project.write("""
        @sweep(grid={"n": [1, 2]})
        def train(n):
            return n

        def test_whole(sweep_results):
            sweep_results["train"]

        def test_partial(sweep_results):
            assert [result.name for result in sweep_results.get_results("train", partial=True)] == ["train[n=2]"]
    """)
    result = project.sweep("-k", "whole or partial or 2")
    result.assert_outcomes(passed=2, failed=1, deselected=1)
    said = (
        "1 of 2 trials of train have no stored result (train[n=1]): run them with pytest --sweep, or take what there is with "
        "sweep_results.get_results('train', partial=True)"
    )
    assert said in output(result)


@pytest.mark.parametrize(
    "asked", ["sweep_results['train']", "sweep_results['trian']", "sweep_results.get_results('train')"]
)
def test_what_a_judge_asked_wrongly_shows_no_frames_of_ours(project: Project, asked: str) -> None:
    """An error of sweep_results points at the line of the test, not into our code."""
    project.write(f"""
        @sweep(grid={{"n": [1, 2]}})
        def train(n): ...

        def test_judge(sweep_results):
            {asked}
    """)
    result = project.sweep("-k", "judge")
    result.assert_outcomes(failed=1, deselected=2)
    assert f">       {asked}" in output(result)
    assert "pytest_sweep/" not in output(result)


def test_judges_without_any_run_say_so(project: Project) -> None:
    """Where nothing was ever run, the error says how to."""
    project.write("""
        @sweep(grid={"n": [1, 2]})
        def train(n): ...

        def test_judge(sweep_results):
            sweep_results["train"]
    """)
    result = project.sweep("-k", "judge")
    result.assert_outcomes(failed=1, deselected=2)
    assert "2 of 2 trials of train have no stored result (train[n=1], train[n=2]): run them with" in output(result)
    assert project.runs() == []


def test_trials_that_were_not_run_are_no_results(project: Project) -> None:
    """After -x, the trials that were not run are missing for a judge, not done."""
    project.write("""
        @sweep(grid={"n": [1, 2]})
        def train(n):
            assert 0

        def test_judge(sweep_results):
            sweep_results["train"]
    """)
    project.sweep("-x").assert_outcomes(failed=1)
    assert "1 of 2 trials of train have no stored result (train[n=2])" in output(project.sweep("-k", "judge"))


def test_without_sweep_judges_are_skipped(project: Project) -> None:
    """A plain pytest skips them and says why."""
    project.write("""
        @sweep(grid={"n": [1]})
        def train(n): ...

        def test_judge(sweep_results): ...
    """)
    result = project.plain("-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*it judges the results of sweeps: run it with pytest --sweep"])


def test_asking_too_early_is_a_clear_failure(project: Project) -> None:
    """A test that hides its use of sweep_results runs too early, and is told how not to; the real judges still get it."""
    project.write("""
        def test_early(request):
            request.getfixturevalue("sweep_results")

        @sweep(grid={"n": [1]})
        def train(n): ...

        def test_judge(sweep_results):
            assert len(sweep_results["train"]) == 1
    """)
    result = project.sweep()
    result.assert_outcomes(passed=2, failed=1)
    assert "sweep_results was asked for before the trials have run: name it as an argument of the test" in output(
        result
    )
    assert "pytest_sweep/" not in output(result)


def test_a_trial_that_judges_is_refused(project: Project) -> None:
    """A sweep whose function takes sweep_results is an error at collection: its own results are not there yet."""
    project.write("""
        @sweep(grid={"n": [1]})
        def train(n, sweep_results): ...
    """)
    result = project.sweep()
    assert result.ret != 0
    assert "a trial cannot wait for them" in output(result)


SCOPES = f"""{NOTING}
    @pytest.fixture(scope="session")
    def session_wide():
        note("session up")
        yield
        note("session down")

    @pytest.fixture(scope="module")
    def module_wide(request):
        note(f"{{request.module.__name__}} up")
        yield
        note(f"{{request.module.__name__}} down")

    @pytest.fixture
    def mine(module_wide, session_wide):
        note("up")
        yield
        note("down")
"""


def test_wide_fixtures_are_built_once(project: Project) -> None:
    """Inline, ordinary tests, trials and judges share one session fixture, torn down once, and a module's while it lasts."""
    project.write(SCOPES, "conftest.py")
    for name in ("a", "b"):
        project.write(f"""
            @sweep(grid={{"n": [1, 2]}})
            def train_{name}(n, mine): ...
        """, f"test_{name}.py")  # fmt: skip
    project.write("""
        def test_ordinary(session_wide): ...
        def test_judge(sweep_results, session_wide): ...
    """, "test_c.py")  # fmt: skip
    result = project.sweep()
    assert result.ret == 0, output(result)
    assert notes(project) == [
        "session up",
        "test_a up", "up", "down", "up", "down", "test_a down",
        "test_b up", "up", "down", "up", "down", "test_b down",
        "session down",
    ]  # fmt: skip


def test_a_module_fixture_lasts_from_tests_to_judges_of_its_module(project: Project) -> None:
    """In a single file nothing wider than a function is torn down between ordinary tests, trials and judges."""
    project.write(SCOPES, "conftest.py")
    project.write("""
        def test_ordinary(mine): ...

        @sweep(grid={"n": [1]})
        def train(n, mine): ...

        def test_judge(sweep_results, mine): ...
    """)
    assert project.sweep().ret == 0
    pair = ["up", "down"]
    assert notes(project) == ["session up", "test_models up", *pair, *pair, *pair, "test_models down", "session down"]


def test_a_failing_teardown_of_a_module_is_reported(project: Project) -> None:
    """An error in the teardown of a module's fixture belongs to the module's last trial, and fails the session."""
    project.write("""
        @pytest.fixture(scope="module")
        def broken():
            yield
            raise RuntimeError("cannot be torn down")

        @sweep(grid={"n": [1, 2]})
        def train(n, broken): ...
    """)
    project.write("def test_ordinary(): ...\n", "test_z.py")
    result = project.sweep()
    result.assert_outcomes(passed=3, errors=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*ERROR at teardown of train[[]n=2[]]*", "E*RuntimeError: cannot be torn down"])


def test_a_failing_teardown_of_a_trial_fails_the_trial(project: Project) -> None:
    """An error in the teardown of a function's fixture makes the trial an ERROR, though its body passed."""
    project.write("""
        @pytest.fixture
        def broken():
            yield
            raise RuntimeError("cannot be torn down")

        @sweep(grid={"n": [1]})
        def train(n, broken): ...
    """)
    result = project.sweep()
    result.assert_outcomes(passed=1, errors=1)
    assert str(project.only().state) == "ERROR"
    assert (project.only().error or "").endswith("RuntimeError: cannot be torn down")


def test_an_error_of_collection_interrupts(project: Project) -> None:
    """As in pytest: nothing runs, unless --continue-on-collection-errors says so."""
    project.write("1 / 0\n", "test_broken.py")
    project.write(f"""{NOTING}
    @sweep(grid={{"n": [1]}})
    def train(n): note("trial")

    def test_ordinary(): note("test")
    """)
    result = project.sweep()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*Interrupted: 1 error during collection*"])
    assert notes(project) == []
    going_on = project.sweep("--continue-on-collection-errors")
    going_on.assert_outcomes(passed=2, errors=1)
    assert notes(project) == ["test", "trial"]
    assert going_on.ret == pytest.ExitCode.TESTS_FAILED


def test_results_are_ignored_by_collection(project: Project) -> None:
    """Test files that a trial wrote into its folder are never collected, with --sweep or without."""
    project.write("""
        @sweep(grid={"n": [1]})
        def train(trial):
            (trial.dir / "test_written.py").write_text("def test_it(): assert 0")
    """)
    project.sweep().assert_outcomes(passed=1)
    assert list(project.path.glob("sweep_results/*/*/test_written.py"))
    project.sweep().assert_outcomes(passed=1)
    assert "test_written" not in output(project.plain())


def test_results_are_ignored_by_git(project: Project) -> None:
    """A run leaves the project's git status as it was."""
    git = shutil.which("git")
    if git is None:
        pytest.skip("git is not installed")
    project.write("@sweep(grid={'n': [1]})\ndef train(n): ...\n")

    def status() -> str:
        command = [git, "status", "--porcelain", "--untracked-files=all", "--", ".", ":(exclude)__pycache__"]
        return subprocess.run(command, cwd=project.path, check=True, capture_output=True, text=True).stdout

    subprocess.run([git, "init", "--quiet"], cwd=project.path, check=True, capture_output=True)
    before = status()
    assert "test_models.py" in before
    assert project.sweep("-p", "no:cacheprovider").ret == 0
    assert status() == before


def test_load_results_works_from_a_subfolder(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """load_results finds the nearest sweep_results above, the last run by itself, and any run by its name."""
    project.write("@sweep(grid={'n': [1]})\ndef train(n):\n    return n\n")
    project.sweep()
    # Of another length: Python would take a file of the same size, written in the same second, from its cache.
    project.write("@sweep(grid={'n': [22]})\ndef train(n):\n    return n\n")
    project.sweep()
    deep = project.path / "notebooks" / "deep"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    last = load_results()
    assert last["train"][0].config == {"n": 22}
    first, second = sorted(path.parent.name for path in project.path.glob("sweep_results/*/run.db"))
    assert last.run == second
    assert load_results(first)["train"][0].config == {"n": 1}


def test_a_printed_result_tells_what_there_is(project: Project) -> None:
    """print(results[0]) shows metrics, config, error and path."""
    project.write("""
        @sweep(grid={"n": [1, 2]}, metric="score", mode="max")
        def train(n):
            if n == 2:
                raise ValueError("diverged")
            return {"score": 5}
    """)
    project.sweep()
    good, bad = map(str, project.grid())
    assert "'score': 5" in good
    assert "config={'n': 1}" in good
    assert "error=None" in good
    assert f"path='{project.path / 'sweep_results'}" in good
    assert "error='ValueError: diverged'" in bad
    assert "state=ERROR" in bad


def test_results_as_a_data_frame(project: Project) -> None:
    """get_dataframe has one row a trial, with its metrics and its configuration."""
    pandas = pytest.importorskip("pandas")
    project.write("""
        @sweep(grid={"model": {"depth": [1, 2]}, "name": ["a"]})
        def train(model, name):
            return {"loss": 1 / model["depth"]}
    """)
    project.sweep()
    frame = project.grid().get_dataframe()
    assert isinstance(frame, pandas.DataFrame)
    columns = ["trial_id", "state", "loss", "config/model/depth", "config/name"]
    assert frame[columns].to_dict("records") == [
        dict(zip(columns, (f"test_models.py::train[model.depth={n}-name=a]", "TERMINATED", 1 / n, n, "a"), strict=True))
        for n in (1, 2)
    ]


def test_a_gate_fails_the_session(project: Project) -> None:
    """A judge that is not content makes the exit status 1, though all trials passed."""
    project.write("""
        @sweep(grid={"n": [1, 2]}, metric="score", mode="max")
        def train(n):
            return n

        def test_gate(sweep_results):
            assert sweep_results["train"].get_best_result().metrics["score"] >= 3
    """)
    result = project.sweep()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["E*assert 2 >= 3"])
