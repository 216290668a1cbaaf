"""Search spaces as a user writes them: in the decorator and on the command line."""

from __future__ import annotations

import pytest

from .project import Project, output

MODELS = """
    from pytest_sweep import derived, grid, loguniform, randint, zip_

    @sweep(
        grid=grid(model=["mlp"], depth=[2, 4]) + grid(model=["linear"]),
        space={"lr": loguniform(1e-4, 1e-1), "width": derived(lambda config: 8 * config.get("depth", 1))},
        num_samples=2,
    )
    def train(config):
        return {"width": config["width"], "lr": config["lr"]}

    @sweep(grid=zip_(batch=[32, 64], steps=[100, 50]), repeats=2)
    def measure(batch, steps, trial):
        return {"work": batch * steps, "seed": trial.seed}

    def test_ordinary(): ...
"""


def test_a_composed_space_runs(project: Project) -> None:
    """Sums, pairs, drawn and derived values become trials that get them."""
    project.write(MODELS)
    project.sweep().assert_outcomes(passed=11)
    train = project.grid()
    assert [(result.config["model"], result.config["width"]) for result in train] == [
        ("mlp", 16),
        ("mlp", 32),
        ("linear", 8),
    ] * 2
    assert all(result.metrics is not None and result.metrics["lr"] == result.config["lr"] for result in train)
    assert len({result.config["lr"] for result in train}) == 6
    assert [result.config for result in project.grid("measure")] == [
        {"batch": 32, "steps": 100},
        {"batch": 64, "steps": 50},
    ] * 2


def test_repeats_have_seeds_of_their_own_and_one_row(project: Project) -> None:
    """Each repeat is a trial with a seed of its own; the final table and aggregate() have a row for each configuration."""
    project.write("""
        @sweep(grid={"lr": [0.1, 0.2]}, repeats=5, metric="loss", mode="min")
        def train(lr, trial):
            trial.report({"loss": lr + trial.seed / 2**32 / 10})
    """)
    text = output(project.sweep())
    results = project.grid()
    assert len({result.seed for result in results}) == 10
    assert [result.name for result in results][::2] == [
        "train[lr=0.1]", "train[lr=0.1#2]", "train[lr=0.1#3]", "train[lr=0.1#4]", "train[lr=0.1#5]",
    ]  # fmt: skip
    assert "Number of trials: 10/10 (10 TERMINATED)" in text
    rows = [line for line in text.splitlines() if line.startswith("| train[")]
    assert [row.split("|")[3].strip() for row in rows] == ["5 TERMINATED", "5 TERMINATED"]
    assert all("±" in row for row in rows)
    assert "Best configuration of train: train[lr=0.1] with loss=" in text
    one, two = results.aggregate()
    assert (one["name"], one["trials"], one["done"], one["config/lr"]) == ("train[lr=0.1]", 5, 5, 0.1)
    assert one["loss/mean"] == pytest.approx(0.15, abs=0.05)
    assert 0 < two["loss/std"] < 0.1


def test_the_seed_of_the_run_draws(project: Project) -> None:
    """--sweep-seed draws other values, the same ones each time, and the header names it; seed= in the decorator wins."""
    project.write("""
        from pytest_sweep import uniform

        @sweep(space={"x": uniform(0, 1)})
        def free(x): ...

        @sweep(space={"x": uniform(0, 1)}, seed=3)
        def pinned(x): ...
    """)
    zero, again, other = project.ids(), project.ids("--sweep-seed=0"), project.ids("--sweep-seed=3")
    assert zero == again
    assert zero[0] != other[0]
    assert zero[1] == other[1]
    assert zero[1].partition("[")[2] == other[0].partition("[")[2]
    assert "seed 3" in output(project.sweep("--co", "--sweep-seed=3"))


def test_where_in_the_decorator(project: Project) -> None:
    """where= leaves combinations out before they are trials: pytest never sees them, and a dry run counts them."""
    project.write("""
        @sweep(grid={"lr": [0.1, 0.5], "batch": [1, 2, 4]}, where="lr * batch < 1 and batch in (2, 4)")
        def train(lr, batch): ...
    """)
    assert project.ids() == ["test_models.py::train[lr=0.1-batch=2]", "test_models.py::train[lr=0.1-batch=4]"]
    text = output(project.sweep("--co"))
    assert "deselected" not in text
    assert "test_models.py::train: where= left out 4 configurations" in text


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("lr < 0.2 and model == 'mlp'", ["train[lr=0.1-model=mlp]"]),
        ("lr > 0.1", ["train[lr=0.2-model=mlp]", "train[lr=0.2-model=cnn]"]),
        ("data == 'b' or model == 'cnn'", ["train[lr=0.1-model=cnn]", "train[lr=0.2-model=cnn]", "other[lr=0.1-b]"]),
        ("opt.name == 'adam'", ["nested[opt.name=adam]"]),
    ],
)
def test_where_on_the_command_line(project: Project, condition: str, names: list[str]) -> None:
    """--sweep-where selects by typed values, of parametrize too, counts the rest as deselected, and leaves tests alone."""
    project.write("""
        @sweep(grid={"lr": [0.1, 0.2], "model": ["mlp", "cnn"]})
        def train(lr, model): ...

        @pytest.mark.parametrize("data", ["a", "b"])
        @sweep(grid={"lr": [0.1]})
        def other(lr, data): ...

        @sweep(grid={"opt": {"name": ["adam", "sgd"]}})
        def nested(config): ...

        def test_ordinary(): ...
    """)
    ids = [name.partition("::")[2] for name in project.ids(f"--sweep-where={condition}")]
    assert ids == [*names, "test_ordinary"]
    project.sweep(f"--sweep-where={condition}").assert_outcomes(passed=len(names) + 1, deselected=8 - len(names))


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("--sweep-where=lrr < 1", "ERROR: --sweep-where: 'lrr < 1': there is no 'lrr': did you mean 'lr'? There are batch, depth,"),
        ("--sweep-where=lr = 1", "ERROR: --sweep-where: where 'lr = 1': `=` at column 4 sets a value: write `==` to compare"),
        ("--sweep-where=model < 3", "ERROR: --sweep-where: where 'model < 3': cannot compare model='mlp' (str) with 3 (int)"),
        ("--sweep-set=lr", "ERROR: --sweep-set: 'lr' is not KEY=VALUE,VALUE such as lr=1e-4,1e-3"),
        ("--sweep-set=train.dept=3", "no collected sweep has an axis 'train.dept': did you mean 'train.depth'?"),
        ("--sweep-set=tran.depth=3", "no collected sweep has an axis 'tran.depth': did you mean 'train.depth'?"),
        ("--sweep-max-trials=0", "ERROR: --sweep-max-trials=0: 0 is less than 1"),
    ],
)  # fmt: skip
def test_options_that_make_no_sense(project: Project, argument: str, said: str) -> None:
    """A wrong name, condition or axis is a usage error that says what there is."""
    project.write(MODELS)
    result = project.sweep(argument)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in result.stderr.str()
    assert "sweep dry run" not in result.stdout.str()


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("--sweep-set=depth=deep", "sweep train in test_models.py: --sweep-set=depth=deep: 'deep' is none of what the axis 'depth' takes"),
        (
            "--sweep-max-trials=5",
            "sweep train in test_models.py: the space has 6 points (3 combinations x num_samples=2), more than the 5 that are allowed",
        ),
    ],
)  # fmt: skip
def test_options_that_do_not_fit_a_sweep(project: Project, argument: str, said: str) -> None:
    """What does not fit a sweep is an error of its collection, which names the sweep."""
    project.write(MODELS)
    assert said in output(project.sweep(argument))


def test_axes_are_replaced(project: Project) -> None:
    """--sweep-set replaces an axis of one sweep or of all that have it, with values of its type; several times, and from the ini file."""
    project.write("""
        @sweep(grid={"lr": [0.1, 0.2], "depth": [2]})
        def train(lr, depth):
            assert type(lr) is float and type(depth) is int

        @sweep(grid={"lr": [0.3]})
        def other(lr): ...
    """)
    ids = project.ids("--sweep-set=lr=1e-3,1", "--sweep-set=train.depth=8")
    assert [name.partition("::")[2] for name in ids] == [
        "train[lr=0.001-depth=8]",
        "train[lr=1.0-depth=8]",
        "other[lr=0.001]",
        "other[lr=1.0]",
    ]
    project.write("[pytest]\nsweep_set =\n    train.lr=5\n    depth=1,2\n", "pytest.ini")
    assert len(project.ids()) == 3
    project.sweep("--sweep-set=train.lr=1,2,3").assert_outcomes(passed=4)


def test_a_dry_run_sums_up(project: Project) -> None:
    """--co ends with how many trials there are, what they ask for in total, and how many can run at once."""
    project.write("""
        @sweep(grid={"n": [1, 2, 3]})
        @pytest.mark.resources(cpu=2, memory="1GiB")
        def large(n): ...

        @sweep(grid={"n": [1]})
        def small(n): ...

        def test_ordinary(): ...
    """)
    text = output(project.plain("--sweep", "--co", "--sweep-num-cpus=5"))
    assert "large: 3 trials, 2 CPU, 1 GiB memory each, 6 CPU, 3 GiB memory in all" in text
    assert "small: 1 trial, 1 CPU in all" in text
    assert "all: 4 trials, 7 CPU, 3 GiB memory" in text
    assert "At most 3 can run at once on 5 CPU, " in text
    assert "At most 2 can run at once" in output(
        project.plain("--sweep", "--co", "--sweep-max-concurrent=2", "--sweep-num-cpus=5")
    )
    assert "1 trial cannot: " not in text
    too_large = output(project.plain("--sweep", "--co", "--sweep-num-cpus=1"))
    assert "At most 1 can run at once on 1 CPU" in too_large
    assert "3 trials cannot: 2 CPU, 1 GiB memory is more than there is." in too_large
    joined = output(project.plain("--sweep", "--co", "--sweep-address=10.0.0.1:6379"))
    assert "How many can run at once is known when the cluster is joined." in joined


def test_a_dry_run_without_trials(project: Project) -> None:
    """Where there are no trials there is nothing to sum up."""
    project.write("def test_ordinary(): ...\n")
    assert "sweep dry run" not in output(project.sweep("--co"))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("grid={'lr': uniform(1, 0)}", "SpaceError: uniform(1, 0): the range is reversed"),
        ("grid=zip_(a=[1], b=[1, 2])", "sweep train in test_models.py: zip_ pairs axes of one length: a has 1, b has 2 values"),
        ("grid={'a': derived(lambda c: c['a'])}", "the function of 'a' looks at 'a' itself"),
        ("grid=grid(a=[1]) * grid(a=[2])", "a product has the key 'a' on both sides"),
        ("grid={'a': [1]}, space={'a': [2]}", "a product has the key 'a' on both sides"),
        ("grid={'a': [1]}, num_samples=0", "num_samples=0 is not a number of samples, 1 or more"),
        ("grid={'a': [1]}, repeats=True", "repeats=True is not a number of repeats, 1 or more"),
        ("grid={'a': [1]}, seed='x'", "seed='x' is not a whole number, or None for the run's seed"),
        ("grid={'a': range(10**7)}", "the space has 10,000,000 points, more than the 1,000,000 that are allowed"),
        ("grid={'a': [1]}, where='a > 1'", "where leaves nothing of 1 configurations: 'a > 1' removed 1"),
        ("configs=[{'a': 1}], space={'b': [2]}", "space= and configs= contradict each other: give one of them"),
        ("grid=pytest.param(1)", "the grid is a dict of axes"),
        ("grid={'a': pytest.param(1)}", "the axis 'a' is a single pytest.param: an axis is a list of values"),
    ],
)  # fmt: skip
def test_spaces_that_make_no_sense(project: Project, written: str, said: str) -> None:
    """A space that cannot be expanded is an error of collection that says why."""
    project.write(f"""
        from pytest_sweep import derived, grid, uniform, zip_

        @sweep({written})
        def train(config): ...
    """)
    result = project.sweep()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert said in output(result)


def test_strategies_of_hypothesis(project: Project) -> None:
    """A strategy in the space draws a value for each trial, the same in every session."""
    project.write("""
        from hypothesis import strategies as st

        @sweep(space={"layers": st.lists(st.integers(8, 256), min_size=1, max_size=4)}, num_samples=5)
        def train(layers):
            assert 1 <= len(layers) <= 4 and all(8 <= width <= 256 for width in layers)
            return len(layers)
    """)
    project.sweep().assert_outcomes(passed=5)
    first = [result.config["layers"] for result in project.grid()]
    project.sweep().assert_outcomes(passed=5)
    assert [result.config["layers"] for result in project.grid()] == first
