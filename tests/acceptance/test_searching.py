"""How searched and scheduled sweeps are written and collected: slots, their ids, and what cannot be written."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from tests.acceptance.project import Project, output

SEARCHED = """
from pytest_sweep import asha, choice, loguniform, randint, tpe, uniform

@sweep(space={"lr": loguniform(1e-4, 1e-1), "model": {"depth": randint(2, 9)}}, num_samples=12, search=tpe(),
       scheduler=asha(max_t=9), metric="loss", mode="min")
def train(lr, model, trial):
    pass
"""


@pytest.fixture
def searched(project: Project) -> Project:
    """A project with a searched sweep of twelve slots."""
    project.write(SEARCHED)
    return project


def refused(project: Project, arguments: str, *options: str, body: str = "def train(lr): ...", mark: str = "") -> str:
    """Return what the collection of a sweep with these arguments says."""
    names = "asha, choice, derived, grid, hyperband, loguniform, median, optuna, pbt, qmc, randint, random, stop_after, tpe, uniform"
    project.write(f"from pytest_sweep import {names}\n\n@sweep({arguments})\n{mark}\n{body}\n")
    result = project.sweep("--co", "-q", *options)
    assert result.ret != 0, output(result)
    return " ".join(output(result).split())


LR = 'space={"lr": uniform(0, 1)}, num_samples=4, '
GOAL = 'metric="loss", mode="min", '


class TestSlots:
    """The trials of a searched sweep are items before anybody knows what they will run."""

    def test_each_slot_has_a_number_in_its_id(self, searched: Project) -> None:
        """There are as many items as samples, with numbers of one width."""
        assert searched.ids() == [f"test_models.py::train[trial={number:02d}]" for number in range(12)]

    def test_the_dry_run_names_searcher_and_scheduler(self, searched: Project) -> None:
        """--co says who chooses the configurations, and who stops trials."""
        text = output(searched.sweep("--co"))
        assert "train: 12 trials, 1 CPU each, 12 CPU in all" in text
        assert "train: configurations are chosen while the trials run (tpe, asha)" in text

    def test_a_stacked_parametrize_makes_studies(self, project: Project) -> None:
        """Each value of a stacked parametrize has as many slots, and is a study of its own."""
        project.write(
            SEARCHED.replace("def train(lr,", "@pytest.mark.parametrize('fold', [0, 1])\ndef train(lr, fold,")
        )
        assert len(project.ids()) == 24
        assert project.ids()[:2] == ["test_models.py::train[trial=00-0]", "test_models.py::train[trial=00-1]"]
        assert "(tpe, asha), in 2 studies" in output(project.sweep("--co"))

    @pytest.mark.parametrize("expression", ["trial=07", "trial=7", "trial=07 and train", "train[trial=07]"])
    def test_k_selects_a_slot_by_its_number(self, searched: Project, expression: str) -> None:
        """-k takes the number, as the id has it or plain; no other slot has it."""
        assert searched.ids("-k", expression) == ["test_models.py::train[trial=07]"]

    def test_k_takes_two_digits_where_ids_have_one(self, project: Project) -> None:
        """-k trial=07, as messages and docs write it, selects train[trial=7] of fewer than eleven slots."""
        project.write(SEARCHED.replace("num_samples=12", "num_samples=8"))
        assert project.ids("-k", "trial=07") == ["test_models.py::train[trial=7]"]

    def test_a_node_id_and_deselect_name_slots(self, searched: Project) -> None:
        """Slots are named by their node ids as any items."""
        assert searched.ids("test_models.py::train[trial=03]") == ["test_models.py::train[trial=03]"]
        assert len(searched.ids("--deselect", "test_models.py::train[trial=03]")) == 11

    @pytest.mark.parametrize(
        ("option", "text"),
        [("-k", "lr=0.1"), ("-k", "model.depth=3"), ("--sweep-where", "lr < 0.1 and model.depth > 2")],
    )
    def test_a_searched_value_selects_nothing(self, searched: Project, option: str, text: str) -> None:
        """Selecting by a value that nobody has chosen yet is an error that says why."""
        result = searched.sweep("--co", "-q", option, text)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert f"{option} {text!r} asks for" in output(result)
        assert "which a searcher chooses for each trial of train while the sweep runs" in output(result)

    def test_a_listed_value_still_selects_beside_a_search(self, searched: Project) -> None:
        """Where another sweep lists values of the key, these can be selected."""
        searched.write("@sweep(grid={'lr': [0.1, 0.2]})\ndef fit(lr): ...\n", "test_grid.py")
        assert searched.ids("-k", "lr=0.1") == ["test_grid.py::fit[lr=0.1]"]

    def test_keys_depend_on_the_searcher_and_not_on_how_many_slots_there_are(self, searched: Project) -> None:
        """More samples keep the trials that were there."""
        assert searched.ids("--sweep-num-samples", "3") == [
            f"test_models.py::train[trial={number}]" for number in range(3)
        ]
        assert len(searched.ids("--sweep-search", "random")) == 12
        assert all("lr=" in one for one in searched.ids("--sweep-search", "random"))

    def test_random_is_what_num_samples_is(self, project: Project) -> None:
        """search=random() has the same trials, with the same ids, as a sweep without a search."""
        project.write(
            "from pytest_sweep import *\n@sweep(space={'lr': uniform(0, 1)}, num_samples=5)\ndef train(lr): ...\n"
        )
        plain = project.ids()
        project.write(
            "from pytest_sweep import *\n@sweep(space={'lr': uniform(0, 1)}, num_samples=5, search=random())\ndef train(lr): ...\n"
        )
        assert project.ids() == plain

    def test_the_option_leaves_sweeps_alone_that_have_nothing_to_choose(self, project: Project) -> None:
        """--sweep-search is for sweeps with domains."""
        project.write("@sweep(grid={'lr': [0.1, 0.2]}, metric='loss', mode='min')\ndef train(lr): ...\n")
        assert len(project.ids("--sweep-search", "tpe", "--sweep-num-samples", "7")) == 2


class TestRefusals:
    """What cannot be written is an error of collection that says what to write."""

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ('grid={"lr": [1, 2]}, num_samples=3, search=tpe(), ' + GOAL, "the space has only lists"),
            ('grid={"lr": [1, 2]}, num_samples=3, search=random()', "the space has only lists"),
            (LR + GOAL + "search=tpe(), repeats=3", "cannot have repeats= yet"),
            ('configs=[{"lr": 1}], num_samples=2, search=tpe(), ' + GOAL, "has nothing to choose in configs="),
            (LR + GOAL + "search=tpe(), ids=['a']", "ids cannot be listed"),
            (LR + GOAL + "search=tpe(), average_over=['fold']", "makes a study of its own"),
            (LR + "search=tpe()", "search=tpe() learns from a metric: give metric= and mode="),
            ('space={"lr": uniform(0, 1)}, search=tpe(), ' + GOAL, "needs num_samples="),
            (LR + GOAL + "search='tpee'", "search='tpee': unknown searcher 'tpee'; did you mean 'tpe'?"),
            (LR + GOAL + "search=tpe", "search=tpe()"),
            (LR + GOAL + "search=3", "search=3"),
            (LR + GOAL + "search=tpe(), points_to_evaluate=[{'l': 1}]", "there is no 'l'"),
            (LR + GOAL + "search=tpe(), points_to_evaluate=[{'lr': 7}]", "'lr' cannot be 7"),
            (LR + GOAL + "search=tpe(), points_to_evaluate={'lr': 7}", "is not a list of dicts"),
            (LR + GOAL + "search=tpe(), points_to_evaluate=[{}] * 5", "has 5 points for num_samples=4 trials"),
            (LR + GOAL + "points_to_evaluate=[{'lr': 0.5}]", "there is none that learns" if False else "none here learns"),
            (LR + "scheduler=asha(max_t=9)", "scheduler=asha() compares trials by a metric"),
            (LR + GOAL + "scheduler=asha()", "must know how many reports a whole trial makes"),
            (LR + GOAL + "scheduler=hyperband(), stop={'loss': '< 1'}", "must know how many reports a whole trial makes"),
            (LR + GOAL + "scheduler='ahsa'", "did you mean 'asha'?"),
            (LR + GOAL + "searcher=tpe()", "sweep() has no argument 'searcher': did you mean 'search'?"),
            (LR + "metric=['a', 'b'], mode='min'", "needs a mode for each: give mode=['min', 'min']"),
            (LR + "metric=['a', 'b'], mode=['min']", "needs a mode for each"),
            (LR + "metric=['a', 'a'], mode=['min', 'max']", "has a metric twice"),
            (LR + "metric='a', mode=['min', 'max']", "mode=['min', 'max'] is a list, and metric='a' is none"),
            (LR + "metric=['a', 'b']", "needs a mode for each"),
            (LR + "metric=[], mode=[]", "metric=[] is not the name of a metric, or a list of names"),
            (LR + "feasible='memory < 1'", "there is no metric"),
            (LR + GOAL + "feasible='memory <'", "feasible='memory <'"),
            (LR + GOAL + "feasible=3", "feasible=3 is not a condition on metrics"),
            (
                'space=grid(lr=[uniform(0, 1), 2]) + grid(depth=randint(1, 3)), num_samples=4, search=tpe(), ' + GOAL,
                "its argument 'lr' is missing in configurations with depth",
            ),
        ],
    )  # fmt: skip
    def test_it_says_what_is_wrong(self, project: Project, arguments: str, said: str) -> None:
        """The error names the argument, and what to write instead."""
        assert said in refused(project, arguments)

    def test_stop_says_how_long_a_trial_is(self, project: Project) -> None:
        """stop={"training_iteration": N} is max_t where the scheduler has none."""
        project.write(
            "from pytest_sweep import *\n"
            "@sweep(grid={'lr': [1, 2]}, stop={'training_iteration': 9}, scheduler='asha', metric='loss', mode='min')\n"
            "def train(lr): ...\n"
        )
        assert len(project.ids()) == 2

    def test_resources_cannot_depend_on_what_is_chosen(self, project: Project) -> None:
        """A function of the configuration in resources is an error that says why."""
        text = refused(
            project, LR + GOAL + "search=tpe()", mark="@pytest.mark.resources(lambda config: {'cpu': 1 + config['lr']})"
        )
        assert (
            "its function asks for the configuration, which a searcher chooses only when a worker is there already"
            in text
        )

    def test_a_choice_cannot_have_resources(self, project: Project) -> None:
        """Nor can a value that may be chosen."""
        choices = "choice([1, pytest.param(2, marks=pytest.mark.resources(gpu=1))])"
        text = refused(project, f'space={{"lr": {choices}}}, num_samples=4, search=tpe(), ' + GOAL)
        assert "the value 2 of 'lr' has the mark resources" in text

    @pytest.mark.parametrize(
        ("option", "said"),
        [
            ("--sweep-search=tpee", "unknown searcher 'tpee'; did you mean 'tpe'?"),
            ("--sweep-scheduler=ahsa", "unknown scheduler 'ahsa'; did you mean 'asha'?"),
            ("--sweep-num-samples=0", "--sweep-num-samples=0: 0 is less than 1"),
        ],
    )
    def test_options_name_what_there_is(self, project: Project, option: str, said: str) -> None:
        """A misspelt name in an option says what may be meant."""
        assert said in refused(project, LR + GOAL, option)

    def test_a_plugin_may_know_any_name(self, project: Project) -> None:
        """Where a plugin makes searchers, names that only it knows are allowed."""
        project.write("def pytest_sweep_make_searcher(sweep): ...\n", "conftest.py")
        project.write("from pytest_sweep import *\n@sweep(" + LR + GOAL + "search='ax')\ndef train(lr): ...\n")
        assert len(project.ids()) == 4
        assert "(ax)" in output(project.sweep("--co"))


QUADRATIC = """
from pytest_sweep import *

@sweep(space={"x": uniform(0, 1)}, num_samples=6, SEARCH, metric="loss", mode="min")
def train(x):
    return {"loss": (x - 0.3) ** 2}
"""


class TestWarmStart:
    """--sweep-warm tells a searcher what an earlier run has found."""

    def test_the_results_of_a_random_run_are_told_first(self, project: Project) -> None:
        """A line says how many; the searcher has no random start any more, and looks where the best were."""
        pytest.importorskip("optuna")
        project.write(QUADRATIC.replace("num_samples=6, SEARCH", "num_samples=30"))
        assert project.sweep().ret == 0
        (first,) = (path for path in (project.path / "sweep_results").iterdir() if path.is_dir())
        project.write(QUADRATIC.replace("SEARCH", "search=tpe(n_startup_trials=20)"))
        cold = project.sweep()
        assert cold.ret == 0, output(cold)
        xs = [result.config["x"] for result in project.grid("train")]
        warm = project.sweep(f"--sweep-warm={first.name}")
        assert f"sweep: train: tpe is told 30 trials of the run {first.name}" in output(warm)
        warmed = [result.config["x"] for result in project.grid("train")]
        assert sum(abs(x - 0.3) for x in warmed) < sum(abs(x - 0.3) for x in xs)
        assert len(warmed) == 6

    def test_values_that_the_space_does_not_have_are_left_out(self, project: Project) -> None:
        """Trials outside of today's space are counted, and not told."""
        pytest.importorskip("optuna")
        project.write(
            QUADRATIC.replace("num_samples=6, SEARCH", "num_samples=4").replace("uniform(0, 1)", "uniform(5, 6)")
        )
        assert project.sweep().ret == 0
        project.write(QUADRATIC.replace("SEARCH", "search=tpe()"))
        result = project.sweep("--sweep-warm=last")
        assert result.ret == 0, output(result)
        assert "tpe is told 0 trials of the run" in output(result)
        assert ", without 4 whose values the space does not have" in output(result)

    @pytest.mark.parametrize(
        ("search", "said"),
        [
            ("search=Own()", "takes no earlier results: it has no method recall()"),
            (
                "search=random()",
                "--sweep-warm is for sweeps whose configurations are chosen while they run, and none is selected",
            ),
        ],
    )
    def test_who_cannot_be_warmed(self, project: Project, search: str, said: str) -> None:
        """Without a searcher that can take it, the option is an error."""
        own = "\nclass Own:\n    def ask(self, key, slot): return {}\n    def tell(self, observation): ...\n"
        project.write(QUADRATIC.replace("num_samples=6, SEARCH", "num_samples=2"))
        assert project.sweep().ret == 0
        project.write(own + QUADRATIC.replace("SEARCH", search))
        result = project.sweep("--sweep-warm=last")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert said in output(result)

    def test_there_is_no_such_run(self, project: Project) -> None:
        """The error says what there is."""
        project.write(QUADRATIC.replace("SEARCH", "search=tpe()"))
        result = project.sweep("--sweep-warm=nothing")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert "--sweep-warm: " in output(result)


class TestSearches:
    """Searches with several metrics, conditions, and ends."""

    def test_a_search_over_several_metrics_finds_a_front(self, project: Project) -> None:
        """The results have the front, the table marks it, and no infeasible trial is on it."""
        pytest.importorskip("optuna")
        project.write("""
            from pytest_sweep import *

            @sweep(space={"x": uniform(0, 1)}, num_samples=12, search=tpe(n_startup_trials=4), metric=["a", "b"], mode=["min", "max"],
                   feasible="x < 0.9")
            def train(x):
                return {"a": x, "b": x * (1 - x), "x": x}
        """)
        result = project.sweep()
        assert result.ret == 0, output(result)
        front = project.grid("train").get_best_results()
        assert front
        assert all(one.config["x"] < 0.9 for one in front)
        assert f"Best trials of train: {len(front)} trial" in output(result)
        assert "| best |" in output(result)

    def test_a_search_ends_when_nothing_gets_better(self, project: Project) -> None:
        """stop_after() skips what is left, and each trial says why."""
        pytest.importorskip("optuna")
        project.write("""
            from pytest_sweep import *

            @sweep(space={"x": uniform(0, 1)}, num_samples=30, search=stop_after(tpe(), no_better=3), metric="loss", mode="min")
            def train(x):
                return {"loss": 1.0}
        """)
        result = project.sweep("-rs")
        assert result.ret == 0, output(result)
        states = [str(one.state) for one in project.grid("train")]
        assert 3 <= states.count("TERMINATED") <= 6
        assert states.count("SKIPPED") == 30 - states.count("TERMINATED")
        (skipped,) = {one.reason for one in project.grid("train") if one.reason}
        assert f"SKIPPED [{states.count('SKIPPED')}]" in output(result)
        assert skipped in output(result)

    def test_where_forbids_what_is_chosen(self, project: Project) -> None:
        """No trial has a configuration that where= forbids."""
        pytest.importorskip("optuna")
        project.write("""
            from pytest_sweep import *

            @sweep(space={"x": uniform(0, 1), "y": uniform(0, 1)}, num_samples=10, search=tpe(n_startup_trials=3), where="x < y",
                   metric="loss", mode="min")
            def train(x, y):
                assert x < y
                return {"loss": x * y}
        """)
        project.sweep().assert_outcomes(passed=10)

    def test_qmc_is_known_at_collection(self, project: Project) -> None:
        """Quasi-random trials have their values in their ids, the same each time."""
        project.write("""
            from pytest_sweep import *

            @sweep(space={"x": uniform(0, 1)}, num_samples=8, search=qmc())
            def train(x): ...
        """)
        ids = project.ids()
        assert len(ids) == 8
        assert all("[x=0." in one for one in ids)
        assert sorted(int(float(one.partition("=")[2].rstrip("]")) * 4) for one in ids) == [0, 0, 1, 1, 2, 2, 3, 3]
        assert project.ids() == ids

    def test_each_value_of_a_stacked_parametrize_is_a_study(self, project: Project) -> None:
        """Studies learn apart from each other, and each has its points to begin with."""
        pytest.importorskip("optuna")
        project.write("""
            from pytest_sweep import *

            @sweep(space={"x": uniform(0, 1)}, num_samples=4, search=tpe(n_startup_trials=2), metric="loss", mode="min",
                   points_to_evaluate=[{"x": 0.5}])
            @pytest.mark.parametrize("at", [0.2, 0.8])
            def train(x, at):
                return {"loss": (x - at) ** 2}
        """)
        project.sweep().assert_outcomes(passed=8)
        by_study = {
            at: [one.config["x"] for one in project.grid("train") if one.params["at"] == at] for at in (0.2, 0.8)
        }
        assert all(len(xs) == 4 and xs[0] == 0.5 for xs in by_study.values())
        assert by_study[0.2] != by_study[0.8]

    def test_lf_begins_a_new_search_and_says_so(self, project: Project) -> None:
        """What failed last time has its slot again, and another configuration; a line says how to keep it."""
        pytest.importorskip("optuna")
        project.write("""
            from pytest_sweep import *

            @sweep(space={"x": uniform(0, 1)}, num_samples=3, search=tpe(), metric="loss", mode="min",
                   points_to_evaluate=[{"x": 0.1}, {"x": 0.2}])
            def train(x):
                assert x != 0.2
                return {"loss": x}
        """)
        project.sweep().assert_outcomes(passed=2, failed=1)
        again = project.sweep("--lf")
        assert "sweep: train: a new search begins for 1 of 3 trials" in output(again)
        resumed = project.sweep("--lf", "--sweep-resume")
        assert "a new search begins" not in output(resumed)

    def test_pdb_runs_the_failed_slot_again(self, project: Project) -> None:
        """A fake debugger is opened in a trial with the configuration that was chosen for it."""
        pytest.importorskip("optuna")
        project.write("""
            from pytest_sweep import *

            @sweep(space={"x": uniform(0, 1)}, num_samples=2, search=tpe(), metric="loss", mode="min", points_to_evaluate=[{"x": 0.1}])
            def train(x):
                assert x != 0.1
                return {"loss": x}
        """)
        project.write(
            """
            class Debugger:
                quitting = False

                def __init__(self, *args, **kwargs): ...

                def reset(self): ...

                def interaction(self, frame, traceback):  # From Python 3.13 on it is an exception.
                    traceback = getattr(traceback, "__traceback__", traceback)
                    print(f"DEBUGGED {traceback.tb_frame.f_locals.get('x') or frame}")
            """,
            "debugger.py",
        )
        result = project.sweep("--pdb", "--pdbcls=debugger:Debugger", "-s")
        assert "entering PDB" in output(result)
        assert [str(one.state) for one in project.grid("train")] == ["ERROR", "TERMINATED"]

    def test_a_budget_ends_a_search(self, project: Project) -> None:
        """What is not begun when the budget is spent is NOT_RUN, and the exit status says so."""
        pytest.importorskip("optuna")
        project.write("""
            import time
            from pytest_sweep import *

            @sweep(space={"x": uniform(0, 1)}, num_samples=50, search=tpe(), metric="loss", mode="min")
            def train(x):
                time.sleep(0.1)
                return {"loss": x}
        """)
        result = project.sweep("--sweep-budget=1s", "--sweep-grace=0")
        assert result.ret == 6, output(result)
        states = [str(one.state) for one in project.grid("train")]
        assert "NOT_RUN" in states
        assert "TERMINATED" in states


class TestCache:
    """--sweep-cache knows a configuration again, whatever slot it has."""

    SOURCE = """
        from pytest_sweep import *
        from pathlib import Path

        @sweep(space={"x": choice([1, 2, 3])}, num_samples=3, SEARCH, metric="loss", mode="min")
        def train(x):
            with Path("ran").open("a") as file:
                file.write(f"{x}\\n")
            return {"loss": x * 1.0}
    """

    def test_a_configuration_is_taken_when_it_is_chosen(self, project: Project) -> None:
        """What an earlier run has tried is CACHED, with its metrics; the rest runs, and the searcher hears of both."""
        pytest.importorskip("optuna")
        source = self.SOURCE.replace("SEARCH", 'search=tpe(), points_to_evaluate=[{"x": 1}, {"x": 2}, {"x": 3}]')
        project.write(source)
        project.sweep("-k", "trial=1").assert_outcomes(passed=1)
        assert (project.path / "ran").read_text() == "2\n"
        result = project.sweep("--sweep-cache", "-v", "--junitxml=junit.xml")
        assert "cache: 1 configuration of train is known of earlier runs, and taken if tpe chooses it" in output(result)
        assert (project.path / "ran").read_text() == "2\n1\n3\n"
        assert [str(one.state) for one in project.grid("train")] == ["TERMINATED", "CACHED", "TERMINATED"]
        assert [one.metrics["loss"] for one in project.grid("train") if one.metrics] == [1.0, 2.0, 3.0]
        assert [one.config["x"] for one in project.grid("train")] == [1, 2, 3]
        assert (project.path / "junit.xml").read_text().count('"sweep.taken_from"') == 1

    def test_with_a_resume(self, project: Project) -> None:
        """What the resumed run has is taken from there, the rest when it is chosen; each says which run it was taken from."""
        pytest.importorskip("optuna")
        points = 'points_to_evaluate=[{"x": 1}, {"x": 2}, {"x": 3}]'
        project.write(self.SOURCE.replace("SEARCH", f"search=tpe(), {points}"))
        project.sweep("-k", "trial=2").assert_outcomes(passed=1)
        project.sweep("-k", "trial=0").assert_outcomes(passed=1)
        first, second = (run.name for run in project.runs())
        result = project.sweep("--sweep-resume", "--sweep-cache")
        assert f"sweep: resuming {second}, 3 trials: 1 taken, 2 new" in output(result)
        with closing(sqlite3.connect(project.runs()[-1] / "run.db")) as connection:
            found = dict(connection.execute("SELECT name, state || ' ' || coalesce(taken_from, '') FROM trial"))
        assert found == {
            "train[trial=0]": f"CACHED {second}", "train[trial=1]": "TERMINATED ", "train[trial=2]": f"CACHED {first}",
        }  # fmt: skip
        assert (project.path / "ran").read_text() == "3\n1\n2\n"

    def test_other_code_is_not_taken(self, project: Project) -> None:
        """Results that other code has made do not count."""
        pytest.importorskip("optuna")
        source = self.SOURCE.replace("SEARCH", 'search=tpe(), points_to_evaluate=[{"x": 1}, {"x": 2}, {"x": 3}]')
        project.write(source)
        project.sweep().assert_outcomes(passed=3)
        project.write(source.replace("x * 1.0", "x * 2.0"))
        result = project.sweep("--sweep-cache")
        result.assert_outcomes(passed=3)
        assert "cache: 0 configurations of train are known" in output(result)

    def test_a_random_run_is_known_to_a_search(self, project: Project) -> None:
        """The key of a configuration is the same whether it was listed, drawn or chosen."""
        pytest.importorskip("optuna")
        project.write(self.SOURCE.replace("SEARCH", "search=random()"))
        project.sweep().assert_outcomes(passed=3)
        tried = {one.config["x"] for one in project.grid("train")}
        assert project.sweep("--sweep-cache", "--sweep-search=tpe").ret == 0
        found = {one.config["x"]: str(one.state) for one in project.grid("train")}
        assert all((state == "CACHED") is (x in tried) for x, state in found.items())
