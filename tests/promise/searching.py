"""What is promised of sweeps whose configurations are chosen, and whose trials are stopped, while they run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree

import pytest

from tests.acceptance.project import Project
from tests.promise.base import Done, Executor

DECIDERS = '''
from pytest_sweep import *
from pytest_sweep.model.study import GO_ON, Milestones, Verdict, VerdictKind
from pytest_sweep.search.protocols import Done, Wait

class Listed:
    """Chooses what is listed, and says after each choice in a file what it was told."""

    name = "listed"

    def __init__(self, *choices, reason="nothing is left to try"):
        self.choices, self.reason, self.told = choices, reason, []

    def ask(self, key, slot):
        if slot >= len(self.choices):
            return Done(self.reason)
        if self.choices[slot] == "raise":
            raise RuntimeError("the searcher broke")
        return self.choices[slot]

    def tell(self, observation):
        self.told.append(observation)
        with open("told", "a") as file:
            file.write(f"{observation.outcome.name} {observation.iteration} {observation.values} {observation.constraints}\\n")

class Above:
    """Stops what is above a limit at the third report."""

    name, pauses, max_t = "above", False, 9

    def __init__(self, limit):
        self.limit = limit

    def milestones(self, key):
        return Milestones((3,))

    def pause_at(self, key):
        return None

    def judge(self, observation, *, can_pause):
        if observation.values[0] > self.limit:
            return Verdict(VerdictKind.STOP, f"above: {observation.values[0]:g} at iteration 3, needed {self.limit:g}")
        return GO_ON

    def end(self, observation): ...

    def resume(self, *, is_last):
        return None

    def dropped(self):
        return {}
'''

CHOSEN = (
    DECIDERS
    + """
@pytest.fixture
def doubled(lr):
    return 2 * lr

@sweep(space={"lr": uniform(0, 10), "model": {"kind": choice(["mlp", pytest.param("odd", marks=pytest.mark.skip(reason="odd"))])}},
       num_samples=5, search=Listed({"lr": 1.0, "model.kind": "mlp"}, {"lr": 7.0, "model.kind": "mlp"}, {"lr": 2.0, "model.kind": "odd"},
       {"lr": 4.0, "model.kind": "mlp"}), scheduler=Above(5), metric="loss", mode="min")
def train(lr, model, doubled, config, trial):
    assert config == trial.config == {"lr": lr, "model": model}
    assert doubled == 2 * lr
    if lr == 4.0:
        raise ValueError("four")
    for _ in range(5):
        trial.report({"loss": lr})
"""
)
"""Four configurations for five slots: one is stopped, one is skipped by a mark, one fails, one slot is not needed."""


class Searching(Executor):
    """Trials whose configurations are chosen late."""

    chosen_runs: ClassVar[dict[object, Done]] = {}

    @pytest.fixture
    def chosen(self, project: Project) -> Done:
        """A session in which five slots are searched, of which one fails."""

        def run() -> Done:
            project.write(CHOSEN)
            return self.run(project, "-v", "-rA", "--junitxml=junit.xml")

        return self.shared(self.chosen_runs, type(self), run)

    def test_a_trial_gets_the_configuration_that_was_chosen(self, chosen: Done) -> None:
        """Arguments, fixtures, ``config`` and the trial have the chosen values; they are stored, and all is as if they had been known."""
        grid = chosen.grid()
        assert [result.name for result in grid] == [f"train[trial={number}]" for number in range(5)]
        assert [result.config.get("lr") for result in grid] == [1.0, 7.0, 2.0, 4.0, None]
        assert chosen.states() == ["TERMINATED", "STOPPED", "SKIPPED", "ERROR", "SKIPPED"]
        assert chosen.outcomes == {"passed": 2, "failed": 1, "skipped": 2}
        assert chosen.status == 1

    def test_verbose_lines_show_it_beside_the_slot(self, chosen: Done) -> None:
        """-v says which configuration a slot got."""
        lines = [" ".join(line.split()) for line in chosen.lines]
        start = "{lr=1.0-model.kind=mlp} PASSED"
        assert any("train[trial=0]" in line and start in line for line in lines), chosen.text
        assert any("train[trial=3]" in line and "{lr=4.0-model.kind=mlp} FAILED" in line for line in lines)

    def test_the_table_has_columns_of_what_was_chosen(self, chosen: Done) -> None:
        """The final table shows the values, and how many trials are in which state."""
        assert re.search(r"\| train\[trial=0\] \| +1 \| mlp +\| TERMINATED \|", chosen.text), chosen.text
        assert "Number of trials: 5/5 (1 TERMINATED, 1 STOPPED, 2 SKIPPED, 1 ERROR)" in chosen.text
        assert (
            "Best trial of train: train[trial=0] with loss=1 (min) after 5 iterations; config: lr=1.0, model.kind=mlp"
            in chosen.text
        )

    def test_a_stopped_trial_has_passed_and_says_why(self, chosen: Done) -> None:
        """The scheduler's reason is in the short summary, in junit and in the store."""
        reason = "above: 7 at iteration 3, needed 5"
        assert f"PASSED test_models.py::train[trial=1] - {reason}" in chosen.lines
        assert chosen.grid()[1].reason == reason
        properties = dict(_properties(chosen.path / "junit.xml", "train[trial=1]"))
        assert properties["sweep.stopped_by"] == reason
        assert properties["sweep.state"] == "STOPPED"
        assert properties["config.lr"] == "7.0"
        assert len(chosen.grid()[1].metrics_history) == 3

    def test_marks_of_a_chosen_value_apply(self, chosen: Done) -> None:
        """A skip mark on the value skips the trial that gets it, and the searcher is told so."""
        assert any(line.startswith("SKIPPED [1]") and line.endswith(": odd") for line in chosen.lines), chosen.text

    def test_slots_that_are_not_needed_are_skipped_with_the_reason(self, chosen: Done) -> None:
        """When the searcher is done, the slots that are left say so."""
        assert chosen.grid()[4].reason == "nothing is left to try"
        assert any(
            line.startswith("SKIPPED [1]") and line.endswith("nothing is left to try") for line in chosen.lines
        ), chosen.text

    def test_the_searcher_is_told_each_end(self, chosen: Done) -> None:
        """It hears of milestones, and of each end: complete, stopped, failed and skipped."""
        told = [line.split() for line in (chosen.path / "told").read_text().splitlines()]
        assert [(one[0], int(one[1])) for one in told if one[0] != "REPORTED"] == [
            ("COMPLETED", 5),
            ("STOPPED", 3),
            ("SKIPPED", 0),
            ("FAILED", 0),
        ]
        assert [(one[0], int(one[1])) for one in told if one[0] == "REPORTED"][:1] == [("REPORTED", 3)]

    def test_a_searcher_that_raises_ends_the_run_with_its_traceback(self, project: Project) -> None:
        """What ran is stored; the traceback is shown, and the session is interrupted."""
        project.write(DECIDERS + _sweep('Listed({"lr": 1.0}, {"lr": 2.0}, "raise")', "num_samples=4"))
        done = self.run(project)
        assert done.status == pytest.ExitCode.INTERRUPTED
        assert "RuntimeError: the searcher broke" in done.text
        assert 'raise RuntimeError("the searcher broke")' in done.text
        assert done.states()[:2] == ["TERMINATED", "TERMINATED"]
        assert set(done.states()[2:]) <= {"NOT_RUN"}

    def test_x_ends_a_search(self, project: Project) -> None:
        """-x ends the session at the first failure; the other slots are NOT_RUN."""
        project.write(
            DECIDERS + _sweep('Listed({"lr": 1.0}, {"lr": 4.0}, {"lr": 2.0})', "num_samples=3", "assert lr != 4")
        )
        done = self.run(project, "-x")
        assert done.states() == ["TERMINATED", "ERROR", "NOT_RUN"]

    def test_a_selected_slot_is_the_only_one_that_is_chosen(self, project: Project) -> None:
        """A subset asks for as many configurations as are selected, and says that a new search begins."""
        project.write(DECIDERS + _sweep('Listed(*[{"lr": float(n)} for n in range(3)])', "num_samples=3"))
        done = self.run(project, "-k", "trial=2")
        assert done.states() == ["TERMINATED"]
        assert [result.config for result in done.grid()] == [{"lr": 2.0}]
        assert "sweep: train: a new search begins for 1 of 3 trials" in done.text

    def test_a_resumed_search_goes_on(self, project: Project) -> None:
        """--sweep-resume keeps what was chosen, takes what is done, and asks for the rest."""
        project.write(DECIDERS + _sweep('Listed(*[{"lr": float(n)} for n in range(4)])', "num_samples=4", FAILS_ONCE))
        first = self.run(project, "-x")
        assert first.states() == ["TERMINATED", "ERROR", "NOT_RUN", "NOT_RUN"]
        (project.path / "fixed").touch()
        done = self.run(project, "--sweep-resume", "--sweep-retry-failed", "-v")
        assert done.status == 0, done.text
        assert done.states() == ["CACHED", "TERMINATED", "TERMINATED", "TERMINATED"]
        assert [result.config["lr"] for result in done.grid()] == [0.0, 1.0, 2.0, 3.0]
        assert "a new search begins" not in done.text
        assert re.search(r"train\[trial=1\].*\{lr=1\.0\}", done.text), done.text

    def test_hooks_make_searchers_and_hear_of_stops(self, project: Project) -> None:
        """pytest_sweep_make_searcher and _scheduler replace what is written; pytest_sweep_trial_stopped is told the reason."""
        project.write(
            DECIDERS.replace("from pytest_sweep import *", "import pytest\nfrom pytest_sweep import *")
            + """
def pytest_sweep_make_searcher(sweep, space, seed):
    assert sweep.search == "mine" and list(space.dimensions) == ["lr"]
    return Listed({"lr": 1.0}, {"lr": 7.0})

def pytest_sweep_make_scheduler(sweep):
    assert sweep.scheduler == "its"
    return Above(5)

def pytest_sweep_trial_stopped(trial, iteration, reason):
    with open("heard", "a") as heard:
        heard.write(f"HOOK {trial.name} {trial.config} {iteration} {reason}\\n")
""",
            "conftest.py",
        )
        project.write(
            """
from pytest_sweep import uniform

@sweep(space={"lr": uniform(0, 10)}, num_samples=2, search="mine", scheduler="its", metric="loss", mode="min")
def train(lr, trial):
    for _ in range(5):
        trial.report({"loss": lr})
"""
        )
        done = self.run(project)
        assert done.states() == ["TERMINATED", "STOPPED"], done.text
        heard = (project.path / "heard").read_text()
        assert heard == "HOOK train[trial=1] {'lr': 7.0} 3 above: 7 at iteration 3, needed 5\n"

    def test_a_paused_trial_goes_on_from_its_checkpoint(self, project: Project) -> None:
        """Trials with checkpoints pause at a rung; the best go on, as one trial with one history, and nobody calls that a retry."""
        project.write(PROMOTED)
        done = self.run(project, "-rA", "--junitxml=junit.xml")
        assert done.status == 0, done.text
        assert done.outcomes == {"passed": 9}
        grid = done.grid()
        assert set(done.states()) == {"STOPPED"}
        lengths = [len(result.metrics_history) for result in grid]
        assert max(lengths) == 9
        assert lengths.count(1) >= 5
        for result, length in zip(grid, lengths, strict=True):
            assert [report["training_iteration"] for report in result.metrics_history] == list(range(1, length + 1))
        best = grid.get_best_result()
        assert best.metrics is not None
        assert best.metrics["training_iteration"] == 9
        assert best.attempts == 3
        assert "flaky" not in done.text
        assert "RERUN" not in done.text
        assert "sweep.attempts" not in dict(_properties(done.path / "junit.xml", best.name))
        assert re.search(r"PASSED test_models.py::train\[trial=\d\] - asha: .* at iteration 1, needed", done.text), (
            done.text
        )

    def test_nan_and_failures_are_the_worst(self, project: Project) -> None:
        """A trial that reports NaN is stopped at its first rung, one that fails is an error, and the search goes on."""
        project.write(
            """
from pytest_sweep import asha, choice, tpe

@sweep(space={"x": choice(list(range(8)))}, num_samples=8, search=tpe(n_startup_trials=3), metric="loss", mode="min",
       scheduler=asha(max_t=4, reduction_factor=2), points_to_evaluate=[{"x": n} for n in range(8)])
def train(x, trial):
    for _ in range(4):
        assert x != 6
        trial.report({"loss": float("nan") if x == 5 else float(x)})
"""
        )
        done = self.run(project)
        assert done.status == 1, done.text
        assert done.outcomes == {"passed": 7, "failed": 1}
        assert [result.config["x"] for result in done.grid()] == list(range(8))
        assert done.states()[5:7] == ["STOPPED", "ERROR"]
        assert len(done.grid()[5].metrics_history) == 1
        assert done.grid().get_best_result().config == {"x": 0}

    def test_tpe_and_asha_together(self, project: Project) -> None:
        """The searcher and the scheduler that most will use run a sweep to its end."""
        project.write(
            """
from pytest_sweep import asha, loguniform, randint, tpe

@sweep(space={"lr": loguniform(1e-4, 1e-1), "model": {"depth": randint(2, 9)}}, num_samples=16, search=tpe(n_startup_trials=4),
       scheduler=asha(max_t=9, reduction_factor=3), metric="loss", mode="min", points_to_evaluate=[{"lr": 0.02}])
def train(lr, model, trial):
    for epoch in range(9):
        trial.report({"loss": abs(lr - 0.01) + model["depth"] / (epoch + 1)})
"""
        )
        done = self.run(project)
        assert done.status == 0, done.text
        states = done.states()
        assert set(states) == {"TERMINATED", "STOPPED"} or set(states) == {"STOPPED"}, done.text
        assert done.grid()[0].config["lr"] == 0.02
        assert sum(len(result.metrics_history) for result in done.grid()) < 16 * 9


PROMOTED = """
import json
from pathlib import Path
from pytest_sweep import asha, choice, tpe

@sweep(space={"x": choice(list(range(9)))}, num_samples=9, search=tpe(n_startup_trials=9), metric="loss", mode="min",
       scheduler=asha(max_t=9, reduction_factor=3), points_to_evaluate=[{"x": n} for n in range(9)])
def train(x, trial, tmp_path):
    done = json.loads((Path(trial.checkpoint) / "done.json").read_text()) if trial.checkpoint else 0
    for epoch in range(done, 9):
        (tmp_path / "done.json").write_text(json.dumps(epoch + 1))
        trial.report({"loss": x + 1 / (epoch + 1)}, checkpoint=tmp_path)
"""

FAILS_ONCE = 'from pathlib import Path; assert lr != 1 or Path("fixed").exists()'


def _sweep(search: str, arguments: str, body: str = "pass") -> str:
    return f"""
@sweep(space={{"lr": uniform(0, 10)}}, {arguments}, search={search}, metric="loss", mode="min")
def train(lr):
    {body}
    return {{"loss": lr}}
"""


def _properties(path: Path, name: str) -> Iterator[tuple[str, str]]:
    (case,) = (one for one in ElementTree.parse(path).iter("testcase") if one.get("name") == name)
    for one in case.iter("property"):
        yield one.get("name", ""), one.get("value", "")
