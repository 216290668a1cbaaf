"""Every hook of hookspecs.py is called where it says, from a conftest.py too; one that raises ends nothing."""

from __future__ import annotations

import pytest

from .project import Project, output

NOTE = """
    from pathlib import Path

    def note(text):
        with open(Path(__file__).parent / "calls", "a") as calls:
            calls.write(text + "\\n")
"""

TRAIN = """
    @pytest.fixture
    def data():
        from conftest import note
        note("fixture up")
        yield
        note("fixture down")

    @sweep(grid={"lr": [0.1]}, retries=1)
    def train(lr, trial, data, tmp_path):
        from conftest import note
        note("body")
        trial.report({"loss": 1}, checkpoint=tmp_path)
        assert trial.attempt == 2
"""


def calls(project: Project, folder: str = ".") -> list[str]:
    """Return what the conftest of a folder has noted."""
    path = project.path / folder / "calls"
    return path.read_text().splitlines() if path.exists() else []


def test_all_hooks_are_called_in_order(project: Project) -> None:
    """From the start of the run to its end, with the arguments of the specification, each after what it tells was stored."""
    project.write(f"""{NOTE}
    from pytest_sweep import load_results

    def pytest_sweep_run_start(run):
        note(f"run_start {{run.executor}} {{Path(run.path).name == run.name}} {{run.seed}}")

    def pytest_sweep_trial_start(trial, attempt):
        note(f"trial_start {{trial.name}} {{attempt}} {{load_results(trial_run())['train'][0].state}}")

    def trial_run():
        return max(path for path in Path("sweep_results").iterdir() if path.is_dir())

    def pytest_sweep_trial_report(trial, metrics):
        stored = load_results(trial_run())["train"][0].metrics_history
        note(f"report {{metrics['loss']}} {{metrics['training_iteration']}} {{stored[-1] == dict(metrics)}}")

    def pytest_sweep_trial_checkpoint(trial, checkpoint):
        note(f"checkpoint {{checkpoint.is_dir()}}")

    def pytest_sweep_trial_retry(trial, error):
        note(f"retry {{error.splitlines()[-1]}}")

    def pytest_sweep_trial_finish(trial, result):
        note(f"finish {{trial.name}} {{result.state}} {{result.metrics['loss']}}")

    def pytest_sweep_run_finish(run, results):
        note(f"run_finish {{run.name == results.run}} {{results['train'].num_terminated}}")

    def pytest_sweep_status_columns(columns):
        note("columns")

    def pytest_sweep_make_executor(options):
        note(f"make_executor {{options.executor}}")

    def pytest_sweep_trial_setup(trial):
        note(f"setup {{trial.attempt}}")

    def pytest_sweep_trial_teardown(trial):
        note(f"teardown {{trial.attempt}} {{trial.metrics['loss']}}")
    """, "conftest.py")  # fmt: skip
    project.write(TRAIN)
    project.pytester.syspathinsert(project.path)
    result = project.sweep()
    assert result.ret == 0, output(result)
    assert "warning: " not in output(result)
    attempt = ["fixture up", "body", "fixture down"]
    assert calls(project) == [
        "make_executor inline",
        "run_start inline True 0",
        # The executor inline shows what happened when a trial has ended.
        "setup 1", *attempt, "teardown 1 1",
        "trial_start train[lr=0.1] 1 PENDING",
        "report 1 1 True",
        "checkpoint True",
        "retry assert 1 == 2",
        "setup 2", *attempt, "teardown 2 1",
        "trial_start train[lr=0.1] 2 TERMINATED",
        "report 1 2 True",
        "checkpoint True",
        "finish train[lr=0.1] TERMINATED 1",
        "run_finish True 1",
        "columns",
    ]  # fmt: skip


def test_a_conftest_in_a_folder_is_called_for_its_trials_only(project: Project) -> None:
    """Hooks of a subfolder's conftest see the trials below it, and no others."""
    hooks = "".join(
        f"""
    def pytest_sweep_trial_{name}(trial):
        note("{name} " + trial.name)
"""
        for name in ("start", "report", "finish", "setup", "teardown")
    )
    body = "def {name}(lr):\n    return 1\n"
    project.write(NOTE + hooks, "inner/conftest.py")
    for folder, name in ((".", "outer"), ("inner", "inner"), ("beside", "beside")):
        project.write(f"@sweep(grid={{'lr': [0.1]}})\n{body.format(name=name)}", f"{folder}/test_{name}.py")
    project.sweep().assert_outcomes(passed=3)
    assert calls(project, "inner") == [
        f"{name} inner[lr=0.1]" for name in ("setup", "teardown", "start", "report", "finish")
    ]


HOOKS = (
    "run_start(run)", "trial_start(trial)", "trial_report(trial)", "trial_finish(trial)", "run_finish(run)",
    "status_columns(columns)", "trial_setup(trial)", "trial_teardown(trial)",
)  # fmt: skip


@pytest.mark.parametrize("warnings", [(), ("-W", "error")], ids=["", "W-error"])
@pytest.mark.parametrize("signature", HOOKS)
def test_a_hook_that_raises_is_a_warning(project: Project, signature: str, warnings: tuple[str, ...]) -> None:
    """The run goes on, the exit status stays, other plugins are called, and a warning names plugin and hook."""
    hook = signature.partition("(")[0]
    project.write(f"""
        def pytest_sweep_{signature}:
            raise RuntimeError("out of order")
    """, "conftest.py")  # fmt: skip
    project.write(f"""{NOTE}
    def pytest_sweep_{signature}:
        note("called")
    """, "inner/conftest.py")  # fmt: skip
    project.write("@sweep(grid={'lr': [0.1, 0.2]})\ndef train(lr):\n    return lr\n", "inner/test_models.py")
    result = project.sweep("inner", *warnings)
    assert result.ret == 0, output(result)
    result.assert_outcomes(passed=2)
    said = [line for line in result.outlines if line.startswith(f"warning: pytest_sweep_{hook} of ")]
    assert len(said) == 1
    assert "conftest.py failed" in said[0]
    assert "RuntimeError: out of order" in output(result)
    assert set(calls(project, "inner")) == {"called"}
    assert [str(stored.state) for stored in project.grid()] == ["TERMINATED", "TERMINATED"]


def test_a_hook_that_raises_often_is_shown_once(project: Project) -> None:
    """A callback that fails for each of many reports is one warning with a count."""
    project.write("""
        def pytest_sweep_trial_report(trial, metrics):
            raise RuntimeError("out of order")
    """, "conftest.py")  # fmt: skip
    project.write("@sweep(grid={'lr': [1, 2, 3]})\ndef train(lr):\n    return lr\n")
    result = project.sweep()
    assert "conftest.py failed (3 times):" in output(result)
    assert output(result).count("RuntimeError: out of order") == 1


def test_status_columns_change_the_table(project: Project) -> None:
    """The hook adds columns and takes them away."""
    project.write("""
        from pytest_sweep import Column

        def pytest_sweep_status_columns(columns):
            columns[:] = [column for column in columns if column.name not in ("loc", "total time (s)")]
            columns.append(Column("twice", lambda progress: 2 * progress.metrics["value"]))
    """, "conftest.py")  # fmt: skip
    project.write("@sweep(grid={'lr': [1, 4]})\ndef train(lr):\n    return lr\n")
    result = project.sweep()
    (header,) = [line for line in result.outlines if line.startswith("| Trial name")]
    assert [cell.strip() for cell in header.strip("|").split("|")] == [
        "Trial name",
        "lr",
        "status",
        "iter",
        "value",
        "twice",
    ]
    result.stdout.fnmatch_lines(["| train[[]lr=4[]] |*4 | TERMINATED |*4 |*8 |"])


def test_make_executor_is_used(project: Project) -> None:
    """A plugin's executor runs the trials; without --sweep-executor=mine the usual one does."""
    project.write("""
        from pytest_sweep.testing.fake_executor import FakeExecutor, Outcome

        def pytest_sweep_make_executor(options):
            if options.executor == "mine":
                return FakeExecutor(script=lambda task: Outcome(final={"value": 10 * task.trial.config["lr"]}))
    """, "conftest.py")  # fmt: skip
    project.write("@sweep(grid={'lr': [1, 4]})\ndef train(lr):\n    return lr\n")

    def values(executor: str) -> list[int]:
        result = project.plain("--sweep", f"--sweep-executor={executor}")
        assert result.ret == 0, output(result)
        result.assert_outcomes(passed=2)
        return [stored.metrics["value"] for stored in project.grid() if stored.metrics]

    assert values("mine") == [10, 40]
    assert values("inline") == [1, 4]


def test_a_make_executor_that_refuses_is_a_usage_error(project: Project) -> None:
    """A SweepError in the hook is shown as a sentence."""
    project.write("""
        from pytest_sweep import SweepError

        def pytest_sweep_make_executor(options):
            raise SweepError("the cluster is closed on Mondays")
    """, "conftest.py")  # fmt: skip
    project.write("@sweep(grid={'lr': [1, 4]})\ndef train(lr):\n    return lr\n")
    result = project.sweep()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: the cluster is closed on Mondays" in output(result)


def test_any_exception_of_make_executor_is_a_usage_error(project: Project) -> None:
    """Any other exception ends the run as a usage error too, as the specification says, and names itself."""
    project.write("""
        def pytest_sweep_make_executor(options):
            raise KeyError("SLURM_JOB_ID")
    """, "conftest.py")  # fmt: skip
    result = project.sweep()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "pytest_sweep_make_executor" in output(result)
    assert f"{project.path / 'conftest.py'}:5: KeyError: 'SLURM_JOB_ID'" in output(result)
    assert "pytest_sweep/" not in output(result)


@pytest.mark.parametrize(
    ("what", "status", "said"),
    [
        ("import sys; sys.exit(5)", pytest.ExitCode.USAGE_ERROR, "ERROR: pytest_sweep_make_executor failed at "),
        ("pytest.fail('no cluster')", pytest.ExitCode.USAGE_ERROR, "Failed: no cluster"),
        ("pytest.skip('no cluster')", pytest.ExitCode.USAGE_ERROR, "Skipped: no cluster"),
        ("raise pytest.UsageError('give --cluster')", pytest.ExitCode.USAGE_ERROR, "ERROR: give --cluster"),
        ("pytest.exit('no cluster', 9)", 9, "no cluster"),
    ],
)
def test_other_ends_of_make_executor(project: Project, what: str, status: int, said: str) -> None:
    """What is no Exception is a usage error, too, and no internal error; pytest.exit ends the session with its status."""
    project.write(f"import pytest\n\ndef pytest_sweep_make_executor(options):\n    {what}\n", "conftest.py")
    result = project.sweep()
    assert result.ret == status
    assert said in output(result)
    assert "INTERNALERROR" not in output(result)


def test_a_hook_with_a_misspelt_argument_is_told(project: Project) -> None:
    """An argument that the specification has not is refused by pluggy."""
    project.write("def pytest_sweep_trial_finish(trail): ...\n", "conftest.py")
    result = project.sweep()
    assert result.ret != 0
    assert "trail" in output(result)


@pytest.mark.parametrize("arguments", [(), ("--sweep", "--sweep-executor=inline")], ids=["plain", "sweep"])
def test_hooks_of_xdist_without_xdist(project: Project, arguments: tuple[str, ...]) -> None:
    """A conftest.py may implement pytest_configure_node and pytest_testnodedown where pytest-xdist is not there, as for our workers."""
    project.write(
        """
        def pytest_configure_node(node): ...

        def pytest_testnodedown(error): ...
        """,
        "conftest.py",
    )
    project.write("def test_ordinary(): ...\n")
    project.plain("-pno:xdist", "-pno:xdist.looponfail", *arguments).assert_outcomes(passed=1)


def test_what_pytest_configure_node_cannot_send(project: Project) -> None:
    """A value for workers that pytest-xdist could not send either is left out with all others; a warning says so, and the run goes on."""
    project.write(
        """
        def pytest_configure_node(node):
            node.workerinput["where"] = node
        """,
        "conftest.py",
    )
    project.write("""
        @sweep(grid={"n": [1]})
        def train(request):
            assert "where" not in request.config.workerinput
    """)
    result = project.plain("--sweep", "--sweep-executor=processes", "--sweep-max-concurrent=1")
    result.assert_outcomes(passed=1, warnings=1)
    assert "workerinput does not reach the workers of trials" in output(result)


@pytest.mark.parametrize(
    "arguments", [("--sweep-executor=inline",), ("--sweep-executor=processes", "--sweep-max-concurrent=1")]
)
def test_a_protocol_of_ones_own(project: Project, arguments: tuple[str, ...]) -> None:
    """A conftest that repeats a test until it passes does so with trials, on every executor; each is shown once."""
    project.write(
        """
        from _pytest.runner import runtestprotocol

        def pytest_runtest_protocol(item, nextitem):
            item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
            for item.number in range(3):
                reports = runtestprotocol(item, nextitem=nextitem, log=False)
                if all(report.passed for report in reports):
                    break
            for report in reports:
                item.ihook.pytest_runtest_logreport(report=report)
            item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
            return True
        """,
        "conftest.py",
    )
    # Hooks that log in folders which are not the trials' own: items get a relay without them.
    project.write(
        "def pytest_runtest_logreport(report):\n    assert 'train' not in report.nodeid\n", "others/conftest.py"
    )
    project.write("def test_other(): ...", "others/not_a_test.py")
    project.write("""
        @sweep(grid={"n": [1, 2]})
        def train(n, request, trial):
            trial.report({"number": request.node.number})
            assert request.node.number == n
    """)
    result = project.sweep("-v", *arguments, "test_models.py", "others/not_a_test.py")
    shown = [line for line in result.outlines if "train[" in line and "PASSED" in line]
    assert len(shown) == 2, output(result)
    assert [r.metrics["number"] for r in project.grid() if r.metrics] == [1, 2]
    assert [str(r.state) for r in project.grid()] == ["TERMINATED"] * 2


def test_reruns_are_not_made_inline(project: Project) -> None:
    """A plugin of the name of pytest-rerunfailures does not run a trial several times in one attempt; others may."""
    project.write("""
        @sweep(grid={"n": [1]})
        def train(n, trial):
            trial.report({"n": n})
            assert 0
    """)
    project.write(
        """
        def get_reruns_count(item):
            return None

        def pytest_runtest_protocol(item, nextitem):
            raise RuntimeError("it reruns")
        """,
        "pytest_rerunfailures.py",
    )
    project.write("pytest_plugins = ['pytest_rerunfailures']", "conftest.py")
    result = project.sweep()
    result.assert_outcomes(failed=1)
    assert "it reruns" not in output(result)
    assert len(project.only().metrics_history) == 1
