"""Cross-validation: what a sweep averages over, and how its configurations are called."""

from __future__ import annotations

import pytest

from .project import Project, output


def names_of(project: Project) -> list[tuple[str, int]]:
    return [(record["name"], record["trials"]) for record in project.grid().aggregate()]


def test_over_an_axis_of_the_grid(project: Project) -> None:
    """A key of the space can be averaged over, also a nested one; results of a configuration do not have it."""
    project.write("""
        @sweep(grid={"lr": [0.1, 0.2], "cv": {"fold": [0, 1, 2], "kind": ["k"]}}, metric="acc", mode="max", average_over=["cv.fold"])
        def train(config):
            return config["lr"] + config["cv"]["fold"]
    """)
    result = project.sweep()
    assert result.ret == 0
    assert names_of(project) == [("train[lr=0.1-cv.kind=k]", 3), ("train[lr=0.2-cv.kind=k]", 3)]
    best = project.grid().get_best_result()
    assert best.config == {"lr": 0.2, "cv": {"kind": "k"}}
    assert project.grid().best_value == pytest.approx(1.2)
    assert "Best configuration of train: train[lr=0.2-cv.kind=k] with acc=1.2" in output(result)
    assert "config: lr=0.2\n" in output(result)


def test_over_a_parametrized_fixture(project: Project) -> None:
    """A parametrized fixture can be averaged over, with repeats beside it; what is not averaged over stays a parameter."""
    project.write("""
        @pytest.fixture(params=["a", "b"])
        def data(request):
            return request.param

        @sweep(grid={"lr": [0.1]}, repeats=2, metric="acc", mode="max", average_over="data")
        @pytest.mark.parametrize("depth", [1, 2])
        def train(lr, data, depth):
            return {"acc": depth + (data == "b")}
    """)
    assert project.sweep().ret == 0
    assert sorted(names_of(project)) == [("train[lr=0.1-1]", 4), ("train[lr=0.1-2]", 4)]
    best = project.grid().get_best_result()
    assert (best.params, best.metrics and best.metrics["acc"]) == ({"depth": 2}, 2.5)
    assert project.grid().best_params == {"lr": 0.1, "depth": 2}


def test_one_id_for_several_arguments(project: Project) -> None:
    """Where one id stands for what is averaged over and for what is not, the name tells the latter."""
    project.write("""
        @sweep(grid={"lr": [0.1]}, metric="acc", mode="max", average_over=["fold"])
        @pytest.mark.parametrize(("fold", "depth"), [(0, 1), (1, 1), (0, 2), (1, 2)])
        def train(lr, fold, depth):
            return depth
    """)
    assert project.sweep().ret == 0
    assert names_of(project) == [("train[lr=0.1-depth=1]", 2), ("train[lr=0.1-depth=2]", 2)]


def test_values_without_content(project: Project) -> None:
    """Parameters that nothing tells apart but their place are averaged over, and grouped by, all the same."""
    project.write("""
        import threading

        @sweep(grid={"lr": [0.1]}, metric="acc", mode="max", average_over=["fold"])
        @pytest.mark.parametrize("fold", [threading.Lock(), threading.Lock()], ids=["x", "y"])
        @pytest.mark.parametrize("lock", [threading.Lock(), threading.Lock()], ids=["one", "two"])
        def train(lr, fold, lock):
            return 1
    """)
    assert project.sweep().ret == 0
    assert sorted(names_of(project)) == [("train[lr=0.1-one]", 2), ("train[lr=0.1-two]", 2)]


def test_a_gate_over_folds_that_were_stored(project: Project) -> None:
    """A gate that runs alone judges stored results by the mean over folds, though they were made without average_over."""
    source = """
        @sweep(grid={"C": ["steady", "lucky"]}, metric="acc", mode="max")
        @pytest.mark.parametrize("fold", range(3))
        def cv(C, fold):
            return {"acc": 0.8 if C == "steady" else [0.99, 0.1, 0.1][fold]}

        def test_gate(sweep_results):
            assert sweep_results["cv"].get_best_result().config["C"] == "steady"
            assert len(sweep_results["cv"].aggregate()) == 2
    """
    project.write(source)
    assert project.sweep().ret == 1
    project.write(source.replace('mode="max"', 'mode="max", average_over=["fold"]'))
    assert project.sweep("-k", "test_gate and not cv").ret == 0


def test_cached_trials_are_judged_alike(project: Project) -> None:
    """Trials that are taken from the cache have a best one, also by a metric that their last reports lack."""
    project.write("""
        @sweep(grid={"x": [1, 2]}, metric="val", mode="max")
        def train(x):
            report({"val": x})
            report({"loss": 0.4})
    """)
    assert "Best trial of train: train[x=2] with val=2" in output(project.sweep())
    again = output(project.sweep("--sweep-cache"))
    assert "2 CACHED" in again
    assert "Best trial of train: train[x=2] with val=2" in again


@pytest.mark.parametrize("average", ["", ", average_over=['fold']"])
def test_a_part_of_the_folds(project: Project, average: str) -> None:
    """Where only a part of the folds is selected, the terminal names the configuration, and says that sweep_results judges by more."""
    project.write(f"""
        @sweep(grid={{"C": ["steady", "lucky"], "fold": [0, 1, 2]}}, metric="acc", mode="max"{average})
        def train(C, fold):
            return 0.5 if C == "steady" else 0.9 if fold == 0 else 0.0

        def test_gate(sweep_results):
            best = sweep_results["train"].get_best_result()
            assert best.config["C"] == ("steady" if sweep_results["train"].average_over else "lucky")
    """)
    assert project.sweep().ret == 0
    part = project.sweep("-k", "fold=0 or test_gate", "--junitxml=junit.xml")
    assert part.ret == 0
    text, xml = output(part), (project.path / "junit.xml").read_text()
    if not average:
        assert "Best trial of train: train[C=lucky-fold=0] with acc=0.9" in text
        assert "judged here" not in text
        assert 'name="sweep.best.train" value="train[C=lucky-fold=0]"' in xml
        return
    assert "Best configuration of train: train[C=lucky] with acc=0.9 (max, 1 trial)" in text
    assert (
        "train: 2 configurations are judged here by the selected trials only: train[C=steady] (1 of 3), train[C=lucky] (1 of 3); "
        "sweep_results judges by the stored results of the others, too"
    ) in text
    assert 'name="sweep.best.train" value="train[C=lucky]"' in xml


def test_a_part_of_the_replicates(project: Project) -> None:
    """It is said of replicates, too; not where all trials of what is selected are there."""
    project.write("""
        @sweep(grid={"n": [1, 2, 3, 4, 5]}, repeats=2, metric="acc", mode="max")
        def train(n):
            return n
    """)
    said = output(project.sweep(*(f"test_models.py::train[n={n}#2]" for n in range(1, 6))))
    assert (
        "train: 5 configurations are judged here by the selected trials only: train[n=1] (1 of 2), train[n=2] (1 of 2), "
        in said
    )
    assert "train[n=3] (1 of 2), and 2 more; sweep_results" in said
    assert "judged here" not in output(project.sweep("-k", "n=2"))
