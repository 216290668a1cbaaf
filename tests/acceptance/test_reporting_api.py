"""What a trial sees and says: the fixture `trial`, reports, return values, stop rules, checkpoints, retries, seeds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_sweep import Result, SweepError, current_trial, report

from .project import Project, output

AUTO = {"training_iteration", "time_total_s", "time_this_iter_s", "timestamp"}


def own(metrics: dict[str, Any] | None) -> dict[str, Any]:
    """Return what the user has reported."""
    return {name: value for name, value in (metrics or {}).items() if name not in AUTO}


def reports(result: Result) -> list[dict[str, Any]]:
    """Return the user's part of all reports of a trial."""
    return [own(metrics) for metrics in result.metrics_history]


def test_the_trial_tells_who_it_is(project: Project) -> None:
    """The fixture has id, key, name, config, attempt, resources, seed, checkpoint and metrics, as they are stored."""
    project.write("""
        @pytest.mark.resources(cpu=0.5, memory="1GiB")
        @sweep(grid={"lr": [0.1]})
        def train(trial, request):
            assert trial.id == request.node.nodeid
            assert trial.name == request.node.name
            assert trial.config == {"lr": 0.1}
            assert (trial.attempt, trial.checkpoint, trial.metrics, trial.should_stop) == (1, None, None, False)
            assert (trial.resources.cpu, trial.resources.memory) == (0.5, 2**30)
            assert trial is current_trial()
            return {"id": trial.id, "key": trial.key, "seed": trial.seed, "name": trial.name}
    """)
    result = project.sweep()
    assert result.ret == 0, output(result)
    stored = project.only()
    told = {"id": stored.trial_id, "key": stored.key, "seed": stored.seed, "name": stored.name}
    assert own(stored.metrics) == told


def test_the_fixture_trial_outside_a_sweep_fails_in_words(project: Project) -> None:
    """An ordinary test that takes trial is told where the fixture works."""
    project.write("def test_it(trial): ...\n")
    for result in (project.plain(), project.sweep()):
        result.assert_outcomes(errors=1)
        assert "test_it is no trial: the fixture 'trial' works in functions with @sweep" in output(result)


def test_reports_are_stored_in_order_with_tunes_metrics(project: Project) -> None:
    """Every report counts as one training_iteration and has Tune's times."""
    project.write("""
        @sweep(grid={"lr": [0.1]})
        def train(trial):
            for epoch in range(3):
                trial.report({"loss": 1 / (epoch + 1)})
    """)
    assert project.sweep().ret == 0
    stored = project.only()
    assert [metrics["loss"] for metrics in stored.metrics_history] == [1, 1 / 2, 1 / 3]
    assert [metrics["training_iteration"] for metrics in stored.metrics_history] == [1, 2, 3]
    assert all(set(metrics) == {"loss"} | AUTO for metrics in stored.metrics_history)
    total = [metrics["time_total_s"] for metrics in stored.metrics_history]
    assert total == sorted(total)
    assert sum(metrics["time_this_iter_s"] for metrics in stored.metrics_history) == pytest.approx(total[-1], abs=0.01)
    assert stored.metrics == stored.metrics_history[-1]


def test_report_works_in_nested_calls_and_threads(project: Project) -> None:
    """report() and current_trial() need no fixture: not in a helper of another module, and not in a thread."""
    project.write("def helper(loss):\n    report({'loss': loss, 'name': current_trial().name})\n", "helper.py")
    project.write("""
        import threading
        from helper import helper

        @sweep(grid={"lr": [0.1]})
        def train(lr):
            helper(0)
            threads = [threading.Thread(target=helper, args=(n,)) for n in range(1, 21)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    """)
    project.pytester.syspathinsert(project.path)
    assert project.sweep().ret == 0
    history = project.only().metrics_history
    assert sorted(metrics["loss"] for metrics in history) == list(range(21))
    assert [metrics["training_iteration"] for metrics in history] == list(range(1, 22))
    assert {metrics["name"] for metrics in history} == {"train[lr=0.1]"}


def test_a_thread_that_outlives_its_trial_is_told(project: Project) -> None:
    """A late report is refused, so that it cannot be taken for one of the next trial."""
    project.write("""
        import threading
        late, said = [], []

        @sweep(grid={"n": [1, 2]})
        def train(n, trial):
            late.append(trial)
            if n == 2:
                def report_late():
                    try:
                        late[0].report({"loss": 1})
                    except Exception as error:
                        said.append(str(error))
                thread = threading.Thread(target=report_late)
                thread.start()
                thread.join()
                return {"said": said}
    """)
    assert project.sweep().ret == 0
    first, second = project.grid()
    assert first.metrics is None
    assert own(second.metrics) == {
        "said": ["train[n=1] has ended, so that it can report no more: wait for its threads before it returns"]
    }


def test_report_outside_a_trial_is_an_error_in_words() -> None:
    """report() and current_trial() where no trial runs say so."""
    said = "no trial is running in this process: report\\(\\) and current_trial\\(\\) work within a sweep's trials"
    with pytest.raises(SweepError, match=said):
        report({"loss": 1})
    with pytest.raises(SweepError, match=said):
        current_trial()


@pytest.mark.parametrize(
    ("returned", "stored"),
    [
        ("{'loss': 0.5, 'deep': {'a': [1, None]}}", {"loss": 0.5, "deep": {"a": [1, None]}}),
        ("3", {"value": 3}),
        ("0", {"value": 0}),
        ("0.0", {"value": 0.0}),
        ("__import__('numpy').float32(0.5)", {"value": 0.5}),
        ("{}", {}),
    ],
)
def test_return_values_are_final_metrics(project: Project, returned: str, stored: dict[str, Any]) -> None:
    """A dict, a number, zero and the empty dict are metrics, not nothing."""
    project.write(f"""
        @sweep(grid={{"lr": [0.1]}})
        def train(lr):
            return {returned}
    """)
    assert project.sweep("-W", "error").ret == 0
    result = project.only()
    assert result.metrics is not None
    assert own(result.metrics) == stored
    assert result.metrics["training_iteration"] == 1


def test_none_is_no_metrics(project: Project) -> None:
    """A body that returns nothing and reports nothing has no metrics."""
    project.write("""
        @sweep(grid={"lr": [0.1]})
        def train(lr): ...
    """)
    assert project.sweep().ret == 0
    assert project.only().metrics is None
    assert project.only().metrics_history == []


def test_a_number_is_the_sweeps_metric(project: Project) -> None:
    """A returned number is stored under the name of the sweep's metric."""
    project.write("""
        @sweep(grid={"lr": [0.1, 0.2]}, metric="loss", mode="min")
        def train(lr):
            return lr
    """)
    assert project.sweep().ret == 0
    assert [own(result.metrics) for result in project.grid()] == [{"loss": 0.1}, {"loss": 0.2}]


def test_a_generator_yields_reports(project: Project) -> None:
    """Each yield is a report; what the generator returns completes the last one."""
    project.write("""
        @sweep(grid={"lr": [0.1]})
        def train(lr):
            yield {"loss": 2}
            yield {"loss": 1}
            return {"score": 5}
    """)
    result = project.sweep()
    assert result.ret == 0, output(result)
    stored = project.only()
    assert reports(stored) == [{"loss": 2}, {"loss": 1, "score": 5}]
    assert own(stored.metrics) == {"loss": 1, "score": 5}


def test_final_metrics_complete_the_last_report(project: Project) -> None:
    """Reporting and then returning is not one iteration more; a value that was reported stays in the history."""
    project.write("""
        @sweep(grid={"lr": [0.1]})
        def train(trial):
            trial.report({"loss": 2, "epoch": 1})
            trial.report({"loss": 1, "epoch": 2})
            return {"loss": 0.5, "done": True}
    """)
    assert project.sweep().ret == 0
    stored = project.only()
    assert stored.metrics is not None
    assert own(stored.metrics) == {"loss": 0.5, "epoch": 2, "done": True}
    assert stored.metrics["training_iteration"] == 2
    history = [(report["loss"], report["training_iteration"]) for report in stored.metrics_history]
    assert history == [(2, 1), (1, 2), (0.5, 2)]


def test_the_iteration_is_counted_for_you(project: Project) -> None:
    """A report of one's own training_iteration is refused in words."""
    project.write("""
        @sweep(grid={"lr": [0.1]})
        def train(trial):
            trial.report({"training_iteration": 7})
    """)
    result = project.sweep()
    result.assert_outcomes(failed=1)
    assert "'training_iteration' is counted for you, one a report: report yours under another name" in output(result)


@pytest.mark.parametrize(
    ("stop", "iterations"),
    [
        ("{'loss': '< 0.3'}", 4),
        ("{'training_iteration': 2}", 2),
        ("{'loss': '<= 0.5', 'training_iteration': 5}", 2),
        ("{'epoch': 3}", 4),
    ],
)
def test_a_stop_rule_ends_a_trial_early(project: Project, stop: str, iterations: int) -> None:
    """The first report that meets a rule ends the trial as STOPPED, which counts as passed; cleaning up still runs."""
    project.write(f"""
        from pathlib import Path

        @sweep(grid={{"lr": [0.1]}}, stop={stop})
        def train(trial):
            try:
                for epoch in range(10):
                    try:
                        trial.report({{"loss": 1 / (epoch + 1), "epoch": epoch}})
                    except Exception:
                        pass  # Must not swallow the stop.
            finally:
                Path("cleaned").touch()
            return {{"never": 1}}
    """)
    result = project.sweep()
    assert result.ret == 0, output(result)
    result.assert_outcomes(passed=1)
    stored = project.only()
    assert str(stored.state) == "STOPPED"
    assert len(stored.metrics_history) == iterations
    assert "never" not in (stored.metrics or {})
    assert (project.path / "cleaned").exists()
    assert "1 STOPPED" in output(result)


def test_a_stop_rule_closes_a_generator(project: Project) -> None:
    """A generator is closed where the rule is met."""
    project.write("""
        from pathlib import Path

        @sweep(grid={"lr": [0.1]}, stop={"epoch": 2})
        def train(lr):
            try:
                for epoch in range(10):
                    yield {"epoch": epoch}
            finally:
                Path("closed").touch()
    """)
    project.sweep().assert_outcomes(passed=1)
    assert len(project.only().metrics_history) == 3
    assert (project.path / "closed").exists()


def test_should_stop_is_for_reports_of_other_threads(project: Project) -> None:
    """A report on another thread does not raise; the body sees should_stop and ends as STOPPED."""
    project.write("""
        import threading

        @sweep(grid={"lr": [0.1]}, stop={"epoch": 2})
        def train(trial):
            for epoch in range(10):
                thread = threading.Thread(target=report, args=({"epoch": epoch},))
                thread.start()
                thread.join()
                if trial.should_stop:
                    return {"seen": epoch}
    """)
    result = project.sweep("-W", "error")
    result.assert_outcomes(passed=1)
    assert str(project.only().state) == "STOPPED"
    assert own(project.only().metrics) == {"epoch": 2, "seen": 2}


def test_a_stop_rule_for_a_metric_that_never_comes_warns(project: Project) -> None:
    """A misspelt metric in stop= is a warning that names it; the exit status stays, also under -W error."""
    project.write("""
        @sweep(grid={"lr": [0.1]}, stop={"los": "< 0.1"})
        def train(trial):
            trial.report({"loss": 0.01})
    """)
    for arguments in ((), ("-W", "error")):
        result = project.sweep(*arguments)
        assert result.ret == 0
        result.assert_outcomes(passed=1, warnings=1)
        assert "stop={'los': ...} of train was never judged: no report has a metric of this name" in output(result)
        assert "test_models.py:4: " in output(result)
        assert "pytest_sweep/" not in output(result)


def test_a_metric_of_keep_best_that_never_comes_warns(project: Project) -> None:
    """A misspelt metric in keep_best= is a warning that names it, at the line of the function; the newest checkpoint is kept."""
    path = project.write("""
        @sweep(grid={"lr": [0.1]}, metric="loss", mode="min", keep_best="los", keep_checkpoints=1)
        def train(trial, tmp_path):
            for epoch in range(3):
                (tmp_path / "epoch").write_text(str(epoch))
                trial.report({"loss": epoch}, checkpoint=tmp_path / "epoch")
    """)
    result = project.sweep()
    result.assert_outcomes(passed=1, warnings=1)
    assert "keep_best='los' of train was never judged: no report with a checkpoint has a metric of this name" in output(
        result
    )
    line = next(place for place, text in enumerate(path.read_text().splitlines(), 1) if text.startswith("@sweep"))
    assert f"{path.name}:{line}: " in output(result)
    ((checkpoint, metrics),) = project.only().best_checkpoints
    assert (Path(checkpoint, "epoch").read_text(), metrics["loss"]) == ("2", 2)


@pytest.mark.parametrize("keep_best", ["True", "'loss'"])
def test_a_metric_of_keep_best_that_comes_does_not_warn(project: Project, keep_best: str) -> None:
    """One checkpoint with the metric is enough, and without checkpoints there is nothing to say."""
    project.write(f"""
        @sweep(grid={{"n": [1, 2]}}, metric="loss", mode="min", keep_best={keep_best}, keep_checkpoints=1)
        def train(n, trial, tmp_path):
            for report in ({{"loss": 1}}, {{"other": 2}}):
                trial.report(report, checkpoint=tmp_path if n == 1 else None)
    """)
    project.sweep().assert_outcomes(passed=2, warnings=0)


def test_the_folder_is_made_on_first_use(project: Project) -> None:
    """A trial has a folder only where it asks for it; what is written there stays, and the result tells where."""
    project.write("""
        @sweep(grid={"n": [1, 2]})
        def train(n, trial):
            if n == 2:
                (trial.dir / "model.txt").write_text("weights")
    """)
    assert project.sweep().ret == 0
    first, second = project.grid()
    (run,) = project.runs()
    assert [path.name for path in run.iterdir() if path.is_dir()] == [second.path.name]
    assert (second.path / "model.txt").read_text() == "weights"
    assert first.path == run


def test_checkpoints_are_kept_and_the_hook_sees_them(project: Project) -> None:
    """A reported file or folder is copied before report returns; the hook and the result have the complete copy."""
    project.write("""
        import json
        from pathlib import Path

        def pytest_sweep_trial_checkpoint(trial, checkpoint):
            with open("seen.jsonl", "a") as seen:
                files = {path.name: path.read_text() for path in checkpoint.iterdir()}
                seen.write(json.dumps([trial.name, str(checkpoint), files]) + "\\n")
    """, "conftest.py")  # fmt: skip
    project.write("""
        @sweep(grid={"lr": [0.1]})
        def train(trial, tmp_path):
            for epoch in range(2):
                (tmp_path / "model.txt").write_text(f"weights {epoch}")
                trial.report({"epoch": epoch}, checkpoint=tmp_path)
            single = tmp_path / "single.txt"
            single.write_text("one file")
            trial.report({"epoch": 2}, checkpoint=str(single))
            single.unlink()
    """)
    assert project.sweep().ret == 0
    seen = [json.loads(line) for line in (project.path / "seen.jsonl").read_text().splitlines()]
    assert [(name, files) for name, _, files in seen] == [
        ("train[lr=0.1]", {"model.txt": "weights 0"}),
        ("train[lr=0.1]", {"model.txt": "weights 1"}),
        ("train[lr=0.1]", {"single.txt": "one file"}),
    ]
    assert project.only().checkpoint == Path(seen[-1][1])


def test_a_missing_checkpoint_is_an_error_in_words(project: Project) -> None:
    """A checkpoint that does not exist fails the trial in the line that reported it."""
    project.write("""
        @sweep(grid={"lr": [0.1]})
        def train(trial):
            trial.report({"epoch": 1}, checkpoint="nowhere")
    """)
    result = project.sweep()
    result.assert_outcomes(failed=1)
    assert "checkpoint='nowhere' does not exist: write the file or folder before you report it" in output(result)


RETRIED = """
    @sweep(grid={"lr": [0.1]}, retries=2)
    def train(trial, tmp_path):
        for epoch in range(trial.attempt):
            (tmp_path / "epoch").write_text(str(epoch))
            trial.report({"epoch": epoch, "attempt": trial.attempt}, checkpoint=tmp_path)
        assert trial.attempt == 3, f"attempt {trial.attempt}"
"""


def test_retries_show_r_and_then_the_trial_passes(project: Project) -> None:
    """A failed attempt is tried again, shown as R and told to the hook; the trial passes when an attempt does."""
    project.write(RETRIED)
    project.write("""
        def pytest_sweep_trial_retry(trial, error):
            with open("retried", "a") as file:
                file.write(f"{trial.name}: {error.splitlines()[-1]}\\n")
    """, "conftest.py")  # fmt: skip
    result = project.sweep()
    assert result.ret == 0, output(result)
    result.stdout.fnmatch_lines(["test_models.py RR.*", "*1 passed, 2 rerun*"])
    assert (project.path / "retried").read_text().splitlines() == [
        "train[lr=0.1]: AssertionError: attempt 1",
        "train[lr=0.1]: AssertionError: attempt 2",
    ]
    stored = project.only()
    assert (stored.attempts, str(stored.state), stored.error) == (3, "TERMINATED", None)


def test_a_retry_gets_the_newest_checkpoint(project: Project) -> None:
    """The next attempt is handed the last complete checkpoint of the one that failed, and counts on from its iteration."""
    project.write("""
        @sweep(grid={"lr": [0.1]}, retries=1)
        def train(trial, tmp_path):
            if trial.attempt == 2:
                assert (trial.checkpoint / "epoch").read_text() == "2"
                trial.report({"epoch": 3})
                return
            for epoch in range(3):
                (tmp_path / "epoch").write_text(str(epoch))
                trial.report({"epoch": epoch}, checkpoint=tmp_path)
            raise RuntimeError("the machine was taken away")
    """)
    assert project.sweep().ret == 0
    history = [(metrics["training_iteration"], metrics["epoch"]) for metrics in project.only().metrics_history]
    assert history == [(1, 0), (2, 1), (3, 2), (4, 3)]


def test_retries_end(project: Project) -> None:
    """After the last retry the trial has failed, with the last error, and so has the session."""
    project.write("""
        @sweep(grid={"lr": [0.1]}, retries=1)
        def train(trial):
            raise RuntimeError(f"attempt {trial.attempt}")
    """)
    result = project.sweep("-v")
    assert result.ret == 1
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["test_models.py::train[[]lr=0.1[]] RERUN*", "test_models.py::train[[]lr=0.1[]] FAILED*"]
    )
    assert project.only().attempts == 2
    assert (project.only().error or "").endswith("RuntimeError: attempt 2")


def test_what_is_skipped_is_not_tried_again(project: Project) -> None:
    """Skipping is no failure, and so is an expected failure none."""
    project.write("""
        @sweep(grid={"lr": [0.1]}, retries=3)
        def skipped(lr):
            pytest.skip("no data")

        @pytest.mark.xfail(strict=True)
        @sweep(grid={"lr": [0.1]}, retries=3)
        def expected(lr):
            assert 0
    """)
    project.sweep().assert_outcomes(skipped=1, xfailed=1)
    assert [project.only(name).attempts for name in ("skipped", "expected")] == [1, 1]


def test_seeds_are_stable_and_differ(project: Project) -> None:
    """A trial has the same seed in every run and another than its neighbours; --sweep-seed gives all of them others."""
    project.write("""
        @sweep(grid={"n": list(range(5))})
        def train(trial): ...
    """)

    def seeds(*arguments: str) -> list[int]:
        assert project.sweep(*arguments).ret == 0
        return [result.seed for result in project.grid()]

    first = seeds()
    assert len(set(first)) == 5
    assert all(0 <= seed < 2**32 for seed in first)
    assert seeds() == first
    assert not set(seeds("--sweep-seed=1")) & set(first)


def test_a_failed_trial_keeps_its_reports(project: Project) -> None:
    """What a trial has reported before it failed is stored."""
    project.write("""
        @sweep(grid={"lr": [0.1]})
        def train(trial):
            trial.report({"loss": 1})
            raise ValueError("diverged")
    """)
    assert project.sweep().ret == 1
    stored = project.only()
    assert str(stored.state) == "ERROR"
    assert reports(stored) == [{"loss": 1}]
    assert (stored.error or "").splitlines()[-1] == "ValueError: diverged"


@pytest.mark.parametrize(
    ("raised", "status"), [("SystemExit(3)", pytest.ExitCode.TESTS_FAILED), ("BaseException('odd')", pytest.ExitCode.TESTS_FAILED)]
)  # fmt: skip
def test_what_a_trial_raises_ends_only_the_trial(project: Project, raised: str, status: int) -> None:
    """sys.exit() in a trial is the failure of that trial; the others run."""
    project.write(f"""
        @sweep(grid={{"n": [1, 2]}})
        def train(n):
            if n == 1:
                raise {raised}
    """)
    result = project.sweep()
    assert result.ret == status
    assert [str(stored.state) for stored in project.grid()] == ["ERROR", "TERMINATED"]


def test_subtests_of_a_trial_are_reported(project: Project) -> None:
    """A failing subtest fails its trial, and the others of the trial still run."""
    project.write("""
        @sweep(grid={"n": [1]})
        def train(n, subtests):
            for part in range(3):
                with subtests.test(part=part):
                    assert part != 1
            return {"parts": part}
    """)
    result = project.sweep()
    assert result.ret == 1, output(result)
    assert str(project.only().state) == "ERROR"
    assert own(project.only().metrics) == {"parts": 2}
    result.stdout.fnmatch_lines(["*part=1*"])


def test_a_boolean_is_a_number(project: Project) -> None:
    """A metric that is true or false is judged as 1 or 0, as in Tune; of replicates by the share that is true."""
    project.write("""
        @sweep(grid={"n": [1, 2]}, repeats=2, metric="ok", mode="max")
        def train(n, trial):
            trial.report({"ok": n == 2 or "#2" in trial.name})

        @sweep(grid={"n": [1, 2]}, metric="ok", mode="max")
        def single(n):
            return {"ok": n == 2}
    """)
    result = project.sweep()
    assert result.ret == 0, output(result)
    assert "Best trial of single: single[n=2] with ok=1 (max)" in output(result)
    assert "Best configuration of train: train[n=2] with ok=1 ± 0 (max, mean of 2 trials)" in output(result)
    single, train = project.grid("single"), project.grid("train")
    assert (single.get_best_result().config, single.get_best_result().metrics and single.best_value) == ({"n": 2}, 1)
    assert (train.get_best_result().config, train.best_value) == ({"n": 2}, 1.0)
    assert [record["ok/mean"] for record in train.aggregate()] == [0.5, 1.0]
