"""Checkpoints, as a user sees them: found again, recovered, checked, kept, and put where the nodes reach them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from pytest_sweep import Result, SweepError
from pytest_sweep.errors import NoResultsError
from pytest_sweep.executors.inline import InlineExecutor
from tests.support.sessions import Session

from .project import Project, assert_says, output

PROCESSES = ("--sweep-executor=processes", "--sweep-max-concurrent=1")
Run = Callable[..., pytest.RunResult]


@pytest.fixture(params=["inline", "processes"])
def run(request: pytest.FixtureRequest, project: Project) -> Run:
    """Run the project's sweeps, inline or in processes."""
    return project.sweep if request.param == "inline" else lambda *more: project.plain("--sweep", *PROCESSES, *more)


@pytest.fixture(params=["", "file", "local", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """No storage, a path as a URL, and what fsspec knows: ``local`` is a disk, treated as a store of objects."""
    folder = tmp_path_factory.mktemp("storage")
    yield f"--sweep-storage={request.param}://{folder}" if request.param else ""
    fsspec.filesystem("memory").store.clear()


def skip_memory_in_processes(request: pytest.FixtureRequest, storage: str) -> None:
    """Leave out fsspec's memory://, which each process has one of its own of."""
    if "memory://" in storage and "processes" in request.node.name:
        pytest.skip("memory:// lives in one process")


def iterations(result: Result) -> list[int]:
    return [metrics["training_iteration"] for metrics in result.metrics_history]


RESUMES = """
    from pathlib import Path

    @sweep(grid={"lr": [0.1]}, retries=1)
    def train(trial, tmp_path):
        begin = 0 if trial.checkpoint is None else int((trial.checkpoint / "step").read_text())
        if trial.attempt == 2:
            assert isinstance(trial.checkpoint, Path)
            assert sorted(path.name for path in trial.checkpoint.iterdir()) == ["more", "step"]
            Path("restored").write_text(str(trial.checkpoint))
        for step in range(begin + 1, 6):
            (tmp_path / "state" / "more").mkdir(parents=True, exist_ok=True)
            (tmp_path / "state" / "step").write_text(str(step))
            trial.report({"step": step}, checkpoint=tmp_path / "state")
            if trial.attempt == 1 and step == 3:
                raise RuntimeError("the machine was taken away")
"""


def test_a_retry_goes_on_from_the_newest(
    project: Project, run: Run, storage: str, request: pytest.FixtureRequest
) -> None:
    """trial.checkpoint is a folder of this machine wherever the checkpoints lie; a copy is gone when the attempt has ended."""
    skip_memory_in_processes(request, storage)
    project.write(RESUMES)
    result = run(*filter(None, [storage]))
    assert result.ret == 0, output(result)
    stored = project.only()
    assert iterations(stored) == [1, 2, 3, 4, 5]
    assert [metrics["step"] for metrics in stored.metrics_history] == [1, 2, 3, 4, 5]
    restored = Path((project.path / "restored").read_text())
    is_remote = storage.startswith(("--sweep-storage=local", "--sweep-storage=memory"))
    assert restored.exists() is not is_remote
    assert isinstance(stored.checkpoint, str if is_remote else Path)


def test_where_they_lie(project: Project) -> None:
    """The layout is <storage>/<run>/<trial>/checkpoints/<attempt>-<iteration>; the run's own folder has none of it."""
    project.write(RESUMES)
    assert project.sweep("--sweep-storage=elsewhere").ret == 0
    (folder,) = project.runs()
    stored = project.only()
    (trial,) = [path for path in (project.path / "elsewhere" / folder.name).iterdir() if path.is_dir()]
    assert stored.checkpoint == trial / "checkpoints" / "2-000005"
    assert trial.name.endswith(stored.key)
    kept = sorted(path.name for path in (trial / "checkpoints").iterdir() if path.is_dir())
    assert kept == ["1-000001", "1-000002", "1-000003", "2-000004", "2-000005"]
    assert [path.name for path in folder.iterdir() if path.is_dir()] == []


def test_the_hook_gets_a_url(project: Project) -> None:
    """pytest_sweep_trial_checkpoint gets the URL of what lies at one."""
    project.write(RESUMES)
    project.write("""
        def pytest_sweep_trial_checkpoint(trial, checkpoint):
            with open("seen", "a") as seen:
                seen.write(f"{checkpoint}\\n")
    """, "conftest.py")  # fmt: skip
    assert project.sweep("--sweep-storage=memory://sweeps").ret == 0
    seen = (project.path / "seen").read_text().splitlines()
    assert len(seen) == 5
    assert seen[-1] == project.only().checkpoint
    assert seen[-1].startswith("memory://sweeps/")
    assert seen[-1].endswith("/checkpoints/2-000005")


KILLED = """
    import os, signal
    from pathlib import Path

    @sweep(grid={"lr": [0.1]}, worker_retries=3)
    def train(trial, tmp_path):
        begin = 0 if trial.checkpoint is None else int((trial.checkpoint / "step").read_text())
        for step in range(begin + 1, 10):
            (tmp_path / "step").write_text(str(step))
            # Every second report has a checkpoint; each worker dies with reports that it had no time to send.
            trial.report({"step": step, "attempt": trial.attempt}, checkpoint=tmp_path / "step" if step % 2 == 0 else None)
            if trial.attempt < 4 and step == 2 * trial.attempt + 2:
                os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("where", ["disk", "local"])
def test_a_report_that_died_with_its_worker_is_recovered(project: Project, where: str) -> None:
    """A worker is killed right after a checkpoint was written: its reports are recovered, without a hole and each once."""
    project.write(KILLED)
    project.write("""
        def pytest_sweep_trial_report(trial, metrics):
            with open("reports", "a") as reports:
                reports.write(f"{metrics['training_iteration']}\\n")
    """, "conftest.py")  # fmt: skip
    storage = () if where == "disk" else (f"--sweep-storage=local://{project.path}/store",)
    result = project.plain("--sweep", *PROCESSES, *storage)
    assert result.ret == 0, output(result)
    stored = project.only()
    assert stored.attempts == 4
    assert iterations(stored) == list(range(1, 10))
    assert [metrics["step"] for metrics in stored.metrics_history] == list(range(1, 10))
    # What a report says of its attempt is who made it, not who recovered it.
    assert [metrics["attempt"] for metrics in stored.metrics_history] == [1, 1, 1, 1, 2, 2, 3, 3, 4]
    assert (project.path / "reports").read_text().split() == [str(number) for number in range(1, 10)]
    assert [metrics["step"] for _, metrics in stored.best_checkpoints] == [2, 4, 6, 8]


def test_nothing_is_left_of_a_killed_copy(project: Project, start: Callable[..., Session]) -> None:
    """A worker that is killed while it writes a checkpoint leaves none, and what it had begun is cleared away."""
    project.write("""
        import os, signal
        from pathlib import Path
        from pytest_sweep.checkpoints import disk

        def die(*_):
            os.kill(os.getpid(), signal.SIGKILL)

        @sweep(grid={"lr": [0.1]})
        def train(trial, tmp_path, monkeypatch):
            (tmp_path / "state").write_text("1")
            if trial.attempt == 1:
                trial.report({"n": 1}, checkpoint=tmp_path / "state")
                monkeypatch.setattr(disk, "copied", die)
                trial.report({"n": 2}, checkpoint=tmp_path / "state")
            assert trial.checkpoint.name == "1-000001"
    """)
    session = start(*PROCESSES)
    assert session.wait() == 0, session.output
    (result,) = session.results()["train"]
    names = {path.name for path in (result.path / "checkpoints").iterdir()}
    assert names == {"1-000001", "1-000001.json"}
    assert (result.metrics or {})["n"] == 1


DAMAGED = """
    @sweep(grid={"lr": [0.1]}, retries=2)
    def train(trial, tmp_path):
        if trial.attempt == 1:
            for n in (1, 2, 3):
                (tmp_path / "state").write_text(str(n))
                trial.report({"n": n}, checkpoint=tmp_path / "state")
            (trial.dir / "checkpoints" / "1-000003" / "state").write_text("?")
        if trial.attempt == 2:
            assert (trial.checkpoint / "state").read_text() == "2"
        if trial.attempt == 3:
            assert (trial.checkpoint / "state").read_text() == "2"
            return
        raise RuntimeError("again")
"""


def test_a_damaged_one_is_passed_over(project: Project, run: Run) -> None:
    """The one before is restored, the warnings summary names the trial and what is damaged, and results know it no more."""
    project.write(DAMAGED)
    result = run()
    assert result.ret == 0, output(result)
    text = " ".join(output(result).split())
    assert "1-000003 of train[lr=0.1] is damaged: state has been changed: its sha256 is another one" in text
    assert "1-000002" in text
    stored = project.only()
    assert isinstance(stored.checkpoint, Path)
    assert stored.checkpoint.name == "1-000002"
    assert [metrics["n"] for _, metrics in stored.best_checkpoints] == [1, 2]
    assert iterations(stored) == [1, 2]


KEEPS = """
    @sweep(grid={{"lr": [0.1]}}, retries=1, metric="loss", mode="min"{arguments})
    def train(trial, tmp_path):
        losses = [0.5, 0.1, 0.3, 0.9, 0.8, 0.7]
        begin = 0 if trial.checkpoint is None else int((trial.checkpoint / "step").read_text())
        for step in range(begin, 6):
            (tmp_path / "step").write_text(str(step + 1))
            trial.report({{"loss": losses[step], "other": step % 3}}, checkpoint=tmp_path / "step")
            if trial.attempt == 1 and step == 2:
                raise RuntimeError("again")
"""


@pytest.mark.parametrize(
    ("arguments", "options", "kept"),
    [
        ("", (), [1, 2, 3, 4, 5, 6]),
        (", keep_checkpoints=2", (), [5, 6]),
        ("", ("--sweep-keep-checkpoints=1",), [6]),
        (", keep_checkpoints=3", ("--sweep-keep-checkpoints=1",), [4, 5, 6]),
        (", keep_checkpoints=2, keep_best=True", (), [2, 3, 6]),
        (", keep_checkpoints=2, keep_best='other'", (), [1, 4, 6]),
        (", keep_best='loss'", ("-o", "sweep_keep_checkpoints=1"), [2, 6]),
    ],
)
def test_what_is_kept(project: Project, run: Run, arguments: str, options: tuple[str, ...], kept: list[int]) -> None:
    """By time or by metric, over attempts, the newest always; results know those that are kept, and no others."""
    project.write(KEEPS.format(arguments=arguments))
    result = run(*options)
    assert result.ret == 0, output(result)
    stored = project.only()
    assert iterations(stored) == [1, 2, 3, 4, 5, 6]
    on_disk = [int(path.name.split("-")[1]) for path in (stored.path / "checkpoints").iterdir() if path.is_dir()]
    assert sorted(on_disk) == kept
    known = stored.best_checkpoints
    assert [metrics["training_iteration"] for _, metrics in known] == kept
    assert [int((Path(path) / "step").read_text()) for path, _ in known] == kept
    assert stored.checkpoint == known[-1][0]


def test_pruning_in_a_store_of_objects(project: Project) -> None:
    """Results know what was kept at a URL without looking there."""
    project.write(KEEPS.format(arguments=", keep_checkpoints=2"))
    assert project.sweep("--sweep-storage=memory://kept").ret == 0
    files = [path for path in fsspec.filesystem("memory").find("/kept") if not path.endswith("/run.db")]
    assert sorted(path.rpartition("checkpoints/")[2] for path in files) == [
        "2-000005.json",
        "2-000005/step",
        "2-000006.json",
        "2-000006/step",
    ]
    assert [str(url).rpartition("/")[2] for url, _ in project.only().best_checkpoints] == ["2-000005", "2-000006"]


def test_the_best_checkpoint(project: Project) -> None:
    """get_best_checkpoint finds it by any metric and mode; what makes no sense is said with what there is."""
    project.write(KEEPS.format(arguments=""))
    assert project.sweep().ret == 0
    stored = project.only()
    assert Path(stored.get_best_checkpoint("loss", "min")).name == "1-000002"
    assert Path(stored.get_best_checkpoint("loss", "max")).name == "2-000004"
    assert Path(stored.get_best_checkpoint("other", "max")).name == "1-000003"
    mode: Any = "best"
    with pytest.raises(SweepError, match="mode='best': choose 'min' or 'max'"):
        stored.get_best_checkpoint("loss", mode)
    with pytest.raises(NoResultsError, match="was reported with a number as 'los': there are 'loss', 'other'"):
        stored.get_best_checkpoint("los", "min")


def test_no_checkpoint_at_all(project: Project) -> None:
    """A trial without checkpoints has none, in words, and no folder."""
    project.write("@sweep(grid={'lr': [0.1]})\ndef train(lr): return lr\n")
    assert project.sweep().ret == 0
    stored = project.only()
    assert (stored.checkpoint, stored.best_checkpoints) == (None, [])
    with pytest.raises(NoResultsError, match=r"train\[lr=0.1\] has no checkpoint"):
        stored.get_best_checkpoint("loss", "min")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("keep_checkpoints=0", "keep_checkpoints=0 is not a number of checkpoints, 1 or more, or None"),
        ("keep_checkpoints=True", "keep_checkpoints=True is not a number of checkpoints"),
        ("keep_best=3", "keep_best=3 is not the name of a metric, True for the sweep's, or None"),
        ("keep_best=True", "keep_best=True means the sweep's metric, and it has none: give metric="),
    ],
)
def test_arguments_that_make_no_sense(project: Project, arguments: str, said: str) -> None:
    """They are errors of collection that name the value."""
    project.write(f"@sweep(grid={{'lr': [0.1]}}, {arguments})\ndef train(lr): ...\n")
    assert_says(project.sweep(), said)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--sweep-keep-checkpoints=0", "--sweep-keep-checkpoints=0: 0 is less than 1"),
        ("--sweep-storage=nowhere://bucket", "--sweep-storage=nowhere://bucket: Protocol not known: nowhere"),
        ("--sweep-storage=file://data/sweeps", "a URL of a path has three slashes"),
    ],
)
def test_options_that_make_no_sense(project: Project, option: str, said: str) -> None:
    """They are usage errors, before anything runs."""
    project.write("@sweep(grid={'lr': [0.1]})\ndef train(lr): ...\n")
    result = project.sweep(option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert_says(result, said)
    assert not (project.path / "sweep_results").exists()


def test_without_fsspec(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL names the extra before anything runs; without one fsspec is not needed."""
    project.write(RESUMES)
    monkeypatch.setitem(sys.modules, "fsspec", None)
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    result = project.sweep("--sweep-storage=s3://bucket/sweeps")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert_says(result, "--sweep-storage=s3://bucket/sweeps needs fsspec: pip install 'pytest-sweep[storage]'")
    assert not (project.path / "sweep_results").exists()
    assert project.sweep().ret == 0


def test_a_store_that_cannot_be_read_fails_the_attempt(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is not reached at the start of an attempt is an error in words: nothing begins anew for that."""
    project.write(RESUMES)

    def fail(*_: object, **__: object) -> None:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(type(fsspec.filesystem("memory")), "ls", fail)
    result = project.sweep("--sweep-storage=memory://lost")
    assert_says(result, "SweepError: the checkpoints at memory://lost/", "cannot be read: no route to host")
    assert project.only().attempts == 2


def test_nodes_that_share_no_disk(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that some node does not see is refused before the first trial, with the nodes and the way out.

    Where nothing says that checkpoints will be kept, it is a warning.
    """
    project.write(RESUMES)
    asked: list[str] = []

    def unshared(_: object, path: str) -> list[str]:
        asked.append(path)
        return ["10.0.0.3", "10.0.0.2"]

    monkeypatch.setattr(InlineExecutor, "unshared", unshared)
    for option, folder in (("--sweep-keep-checkpoints=2", "sweep_results"), ("--sweep-storage=here", "here")):
        result = project.sweep(option)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert_says(result, f"{project.path / folder}, which 10.0.0.2, 10.0.0.3", "--sweep-storage=s3://")
        assert asked.pop() == str(project.path / folder)
        assert not (project.path / "sweep_results").exists()
    assert project.sweep("--sweep-storage=memory://shared").ret == 0
    assert asked == []
    warned = project.sweep()
    assert warned.ret == 0
    assert f"{project.path / 'sweep_results'}, which 10.0.0.2, 10.0.0.3 of the cluster's nodes do not see" in output(
        warned
    )


def test_an_attempt_with_nothing_left_to_do(project: Project) -> None:
    """What an attempt returns that had nothing left to report completes the report that it was restored with, and is no new one."""
    project.write("""
        @sweep(grid={"n": [1]}, retries=1)
        def train(n, trial):
            if trial.checkpoint is None:
                (trial.dir / "state").touch()
                trial.report({"step": 1}, checkpoint=trial.dir / "state")
                raise OSError("died at the very end")
            return {"score": 5}
    """)
    assert project.sweep().ret == 0
    trial = project.only()
    assert trial.metrics is not None
    assert (trial.metrics["step"], trial.metrics["score"], trial.metrics["training_iteration"]) == (1, 5, 1)
    assert [report["training_iteration"] for report in trial.metrics_history] == [1]
