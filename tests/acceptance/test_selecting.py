"""Which trials run: -k, -m, node ids, --deselect, --lf, --ff, --nf, --sw. As for any test, and by values exactly."""

from __future__ import annotations

import re

import pytest

from .project import Project, output

MODELS = """
    @sweep(grid={"lr": [0.1, 0.15, 1e-05], "depth": [2, 4]})
    def train(lr, depth): ...

    @pytest.mark.parametrize("data", ["a", "b c"])
    @sweep(grid={"model": {"name": ["mlp", "mlp2"]}, "act": [max, min]})
    def other(config, data): ...

    @pytest.mark.slow
    def test_ordinary(): ...
"""
INI = "[pytest]\nmarkers =\n    slow\n"


def names(project: Project, *arguments: str) -> list[str]:
    """Return the names of the items that are selected."""
    return [node_id.partition("::")[2] for node_id in project.ids(*arguments)]


@pytest.mark.parametrize(
    ("expression", "selected"),
    [
        ("lr=0.1", ["train[lr=0.1-depth=2]", "train[lr=0.1-depth=4]"]),
        ("lr==0.1 and not depth=4", ["train[lr=0.1-depth=2]"]),
        ("lr=1e-05 and depth=2", ["train[lr=1e-05-depth=2]"]),
        ("(lr=0.15 or lr=1e-05) and depth=4", ["train[lr=0.15-depth=4]", "train[lr=1e-05-depth=4]"]),
        ("model.name=mlp and act=max", ["other[model.name=mlp-act=max-a]", "other[model.name=mlp-act=max-b c]"]),
        ("data='b c' and act=min and model.name=mlp2", ["other[model.name=mlp2-act=min-b c]"]),
        ("train and 0.1 and not lr=0.15 and depth=2", ["train[lr=0.1-depth=2]"]),
        ("ordinary", ["test_ordinary"]),
        ("ordinary or depth=2 and lr=0.1", ["train[lr=0.1-depth=2]", "test_ordinary"]),
    ],
)
def test_exact_keywords(project: Project, expression: str, selected: list[str]) -> None:
    """-k takes key=value, which is exact: 0.1 does not select 0.15, nor mlp mlp2; with and, or, not and plain words as ever."""
    project.write(MODELS)
    project.write(INI, "pytest.ini")
    assert names(project, "-k", expression) == selected


ODD = """
    TEXTS = ["a b", "it's", 'a "quote"', "日本語", "x) or (y", "[1, 2]", "a]b", "é=1", "y" * 200, "y" * 199 + "z", "back\\\\slash", ""]

    @sweep(grid={"text": TEXTS, "n": [1, 12]})
    def train(config): ...

    @sweep(grid={"text": TEXTS, "n": [1, 12]})
    def pretrain(config): ...

    @sweep(grid={"n": [1, 2]}, repeats=2)
    @pytest.mark.parametrize("fold", ["a", "b c"])
    def folds(n, fold): ...

    def test_12345678(): ...
"""


def test_names_are_keywords(project: Project) -> None:
    """The name of any trial, its node id, and the first digits of its key select that trial and nothing else."""
    project.write(ODD)
    ids = project.ids()
    assert len(ids) == 2 * 2 * 12 + 8 + 1
    for name in [one.partition("::")[2] for one in ids if "train" in one]:
        assert names(project, "-k", name) == [name]
    assert names(project, "-k", ids[3]) == [ids[3].partition("::")[2]]
    assert names(project, "-k", f"({ids[0]} or {ids[5]}) and not {ids[5]}") == [ids[0].partition("::")[2]]


def test_names_of_configurations_are_keywords(project: Project) -> None:
    """The name of a replicate selects it; the name without number, which stands for the configuration, selects all of them."""
    project.write(ODD)
    both = ["folds[n=1-b c]", "folds[n=1#2-b c]"]
    assert names(project, "-k", "folds[n=1#2-b c]") == both[1:]
    assert sorted(names(project, "-k", "folds[n=1-b c]")) == sorted(both)


AVERAGED = """
    @sweep(grid={"n": [1, 2], "letter": ["a b", "c"]}, repeats=2, metric="acc", mode="max", average_over=["fold"])
    @pytest.mark.parametrize("fold", [0, 1])
    def folds(n, letter, fold):
        return n
"""


@pytest.mark.parametrize("before", ["", "test_models.py::"])
def test_names_of_averaged_configurations_are_keywords(project: Project, before: str) -> None:
    """The name or id of a configuration of a sweep that averages over something selects all its trials, and no others."""
    project.write(AVERAGED)
    expected = [
        "folds[n=1-letter=a b#2-0]",
        "folds[n=1-letter=a b#2-1]",
        "folds[n=1-letter=a b-0]",
        "folds[n=1-letter=a b-1]",
    ]
    assert sorted(names(project, "-k", f"{before}folds[n=1-letter=a b]")) == expected


def test_digits_of_averaged_configurations_are_keywords(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digits in the row of a configuration select all its trials, and the line below the table speaks of a configuration."""
    monkeypatch.setenv("COLUMNS", "80")
    project.write(AVERAGED.replace('"c"', '"c" * 60'))
    found = re.search(
        r"first digits of its configuration's key; -k (\w+) selects that configuration\.", output(project.sweep())
    )
    assert found is not None
    assert len(names(project, "-k", found[1])) == 4


def test_digits_of_keys_are_keywords(project: Project) -> None:
    """Eight digits of a key, alone or after the sweep's name, select its trial; where no key begins so they are a word as any other."""
    project.write(ODD)
    project.sweep()
    grid = project.grid()
    for result in list(grid)[:3]:
        for keyword in (result.key, result.key[:8], f"train_{result.key[:8]}"):
            assert names(project, "-k", keyword) == [result.name]
    assert names(project, "-k", "12345678") == ["test_12345678"]


def test_the_deselected_are_counted(project: Project) -> None:
    """What -k leaves out is deselected, ordinary tests too; a value that nothing has selects nothing."""
    project.write(MODELS)
    project.write(INI, "pytest.ini")
    project.sweep("-k", "lr=0.1").assert_outcomes(passed=2, deselected=13)
    assert project.sweep("-k", "lr=0.2").ret == pytest.ExitCode.NO_TESTS_COLLECTED


@pytest.mark.parametrize(
    ("arguments", "count"),
    [(("-m", "sweep"), 14), (("-m", "not sweep"), 1), (("-m", "slow"), 1), (("-m", "sweep and not slow"), 14)],
)
def test_marks(project: Project, arguments: tuple[str, ...], count: int) -> None:
    """-m sweep are the trials, -m "not sweep" are the ordinary tests."""
    project.write(MODELS)
    project.write(INI, "pytest.ini")
    assert len(names(project, *arguments)) == count


def test_stepwise_with_several_at_once(project: Project) -> None:
    """With several trials at once --sw shows them in order, so that it skips none that has not run."""
    project.write("""
        import time
        from pathlib import Path

        BROKEN = Path(__file__).with_name("broken")

        @sweep(grid={"n": list(range(8))})
        def train(n):
            time.sleep(1.0 if n == 2 else 0.0)
            assert n not in (2, 5) or not BROKEN.exists()

        def test_ordinary(): ...
    """)
    (project.path / "broken").touch()
    arguments = ("--sweep", "--sweep-executor=processes", "--sweep-max-concurrent=2", "--sw")
    first = project.plain(*arguments, "-v")
    first.assert_outcomes(passed=3, failed=1)
    assert "train[n=2] FAILED" in output(first)
    (project.path / "broken").unlink()
    project.plain(*arguments).assert_outcomes(passed=6, deselected=3)
