"""Nothing that is written is silently ignored: it works, or it is an error that says what to write."""

from __future__ import annotations

import pytest

from .project import Project, assert_says, output


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (
            "@sweep\ndef train(lr): ...",
            "@sweep has nothing to try: write @sweep(grid={'lr': [0.1, 0.01]}) above train, with your own axes",
        ),
        ("@sweep()\ndef train(lr): ...", "it has nothing to try: give grid={...}, space={...} or configs=[{...}, ...]"),
        ("@sweep({'lr': [1]}, grid={'lr': [1]})\ndef train(lr): ...", "sweep() gets the grid twice"),
        ("train = sweep(grid={'lr': [1]})(3)", "@sweep decorates a function, not 3"),
        (
            "@sweep(grid={'lr': [1]})\ndef train(**config): ...",
            "no argument takes the key 'lr' of the space (pytest passes nothing to **config): add the argument 'lr', or take",
        ),
        ("@sweep(grid={'lr': [1]})\ndef train(*lr): ...", "(pytest passes nothing to *lr)"),
        (
            "@sweep(grid={'lr': [1], 'depth': [2]})\ndef train(lr): ...",
            "no argument takes the key 'depth' of the space",
        ),
        (
            "@sweep(grid={'a-b': [1]})\ndef train(): ...",
            "'a-b' of the space: take the whole configuration, as the argument 'config' or",
        ),
        (
            "@sweep(grid={'y': [1]})\ndef train(y, sweep_results): ...",
            "it takes sweep_results, which are complete when all trials have run: a trial cannot wait for them",
        ),
        (
            "@pytest.fixture\ndef best(sweep_results): ...\n@sweep(grid={'y': [1]})\ndef train(y, best): ...",
            "it takes sweep_results, which are complete when all trials have run",
        ),
        (
            "@sweep(configs=[{'v': [pytest.param(1)]}])\ndef train(v): ...",
            "put pytest.param around a whole value of an axis, or around a whole configuration",
        ),
        ("@sweep(grid={'v': [{'a': pytest.param(1)}]})\ndef train(v): ...", "put pytest.param around a whole value"),
        (
            "pytestmark = pytest.mark.sweep(grid={'y': [1]})\ndef train(y): ...\ndef test_it(): ...",
            "pytestmark in test_models.py: a sweep is one function",
        ),
        (
            "pytestmark = [pytest.mark.slow, pytest.mark.sweep]\n@sweep(grid={'y': [1]})\ndef train(y): ...",
            "write @sweep(...) above each function that is to be one",
        ),
        (
            "@pytest.mark.sweep(grid={'y': [1]})\nclass TestIt:\n    def test_it(self, y): ...",
            "@sweep decorates a function or a method, not a class",
        ),
    ],
)
def test_what_cannot_work_is_an_error(project: Project, source: str, text: str) -> None:
    """Each is an error of collection that names the problem and the mend."""
    project.write("\n".join(f"        {line}" for line in source.split("\n")))
    result = project.sweep()
    assert result.ret != 0
    assert text in output(result), output(result)
    assert "INTERNALERROR" not in output(result)


def test_keys_that_something_else_uses(project: Project) -> None:
    """A key need not be an argument where the trial, a fixture, a function of the space or the resources can use it."""
    project.write("""
        from pytest_sweep import current_trial, derived

        @pytest.fixture
        def model(depth):
            return depth

        @pytest.fixture
        def asks(request):
            return request.getfixturevalue("trial").config["lr"]

        @sweep(grid={"lr": [1], "depth": [2]})
        def by_fixture(lr, model): ...

        @sweep(grid={"lr": [1], "depth": [2]})
        def by_request(asks): ...

        @sweep(grid={"lr": [1], "depth": [2]})
        def by_trial(lr, trial): ...

        @sweep(grid={"lr": [1], "depth": [2]})
        def by_current():
            assert current_trial().config == {"lr": 1, "depth": 2}

        @sweep(grid={"lr": [1], "width": derived(lambda config: 2 * config["lr"])})
        def by_function(width): ...

        @sweep(grid={"lr": [1], "cpus": [1]})
        @pytest.mark.resources(lambda config: {"cpu": config["cpus"]})
        def by_resources(lr): ...

        @sweep(grid={"lr": [1], "depth": [2]}, config_arg="cfg")
        def by_config(cfg): ...
    """)
    project.sweep().assert_outcomes(passed=7)


class TestSet:
    """--sweep-set replaces an axis, or says why it cannot."""

    @pytest.mark.parametrize("override", ["lr=5", "train.lr=5", "opt.name=sgd"])
    def test_of_listed_configurations(self, project: Project, override: str) -> None:
        """configs= has no axes: the error says where to write them."""
        project.write("""
            @sweep(configs=[{"lr": 0.1, "opt": {"name": "adam"}}, {"lr": 0.2}])
            def train(config): ...
        """)
        key = override.partition("=")[0].removeprefix("train.")
        assert_says(
            project.sweep(f"--sweep-set={override}"),
            f"--sweep-set={override}: {key!r} is a key of configs=",
            "in grid=",
        )

    def test_of_a_key_that_nothing_has(self, project: Project) -> None:
        """A key that is in no configuration and no axis is refused, beside configs= too."""
        project.write("""
            @sweep(configs=[{"lr": 0.1}])
            def train(config): ...
        """)
        assert_says(project.sweep("--sweep-set=a=5"), "no collected sweep has an axis 'a': there are none")

    def test_beside_listed_configurations(self, project: Project) -> None:
        """Another sweep's axis can be named in full."""
        project.write("""
            @sweep(configs=[{"lr": 0.1}])
            def first(config): ...

            @sweep(grid={"lr": [0.1]})
            def second(lr): ...
        """)
        assert project.ids("--sweep-set=second.lr=5.0") == [
            "test_models.py::first[lr=0.1]",
            "test_models.py::second[lr=5.0]",
        ]

    def test_of_what_would_be_drawn(self, project: Project) -> None:
        """Where no value is drawn any more, num_samples= makes no duplicates; where another one is, it counts."""
        project.write("""
            from pytest_sweep import uniform

            @sweep(space={"lr": uniform(0, 1)}, num_samples=3)
            def one(lr): ...

            @sweep(space={"lr": uniform(0, 1), "wd": uniform(0, 1)}, num_samples=3)
            def two(lr, wd): ...

            @sweep(grid={"lr": [5.0, 6.0]}, num_samples=2)
            def listed(lr): ...
        """)
        assert project.ids("--sweep-set=lr=0.1,0.2", "-k", "one") == [
            "test_models.py::one[lr=0.1]",
            "test_models.py::one[lr=0.2]",
        ]
        assert len(project.ids("--sweep-set=lr=0.1,0.2", "-k", "two")) == 6
        assert len(project.ids("--sweep-set=lr=0.1,0.2", "-k", "listed")) == 4

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ("it's", ["it's"]),
            ("it's,isn't", ["it's", "isn't"]),
            ("'tis,b", ["'tis", "b"]),
            ("'a,b',c", ["a,b", "c"]),
            ('"it\'s, well",x', ["it's, well", "x"]),
            ("rock'n'roll,b", ["rock'n'roll", "b"]),
            ('5",6"', ['5"', '6"']),
        ],
    )
    def test_apostrophes(self, project: Project, values: str, expected: list[str]) -> None:
        """A quote within a value is part of it; one at the start of a value opens a quoted text."""
        project.write("""
            @sweep(grid={"name": ["x"]})
            def train(name):
                return {"name": name}
        """)
        assert project.sweep(f"--sweep-set=name={values}").ret == 0
        assert [result.config["name"] for result in project.grid()] == expected


@pytest.mark.parametrize("seed", ["-1", "0", str(2**63), str(-(2**200)), "1" + "0" * 5000])
def test_any_seed(project: Project, seed: str) -> None:
    """Any whole number is a seed: it is shown, stored, and taken again when the run is resumed."""
    project.write("""
        from pytest_sweep import uniform

        @sweep(space={"lr": uniform(0, 1)})
        def train(lr, trial):
            return {"seed": trial.seed}
    """)
    result = project.sweep(f"--sweep-seed={seed}")
    assert result.ret == 0, output(result)
    assert f"seed {seed}" in output(result)
    seen = project.only()
    again = project.sweep("--sweep-resume")
    assert f"seed {seed}" in output(again)
    assert project.only().config == seen.config
    assert "CACHED" in output(again)


def test_an_imported_sweep(project: Project) -> None:
    """A sweep of another test file is collected there; one of a module that is no test file, where it is imported."""
    project.write("@sweep(grid={'lr': [1]})\ndef fit(lr): ...\n", "library.py")
    project.write("@sweep(grid={'lr': [1]})\ndef train(lr): ...\n", "test_other.py")
    project.write("from library import fit\nfrom test_other import train\n")
    assert project.ids() == ["test_models.py::fit[lr=1]", "test_other.py::train[lr=1]"]


def test_readable_ids_can_be_pasted(project: Project) -> None:
    """Small lists, tuples and dicts are readable in ids, which select by -k and as node ids."""
    project.write("""
        @sweep(grid={"layers": [[64, 32], [128]], "shape": [(1, (2, 3))], "opt": [{"name": "adam", "lr": 0.1}, {}]})
        def train(layers, shape, opt): ...
    """)
    every = project.ids()
    first = "test_models.py::train[layers=[64,32]-shape=(1,(2,3))-opt={name:adam,lr:0.1}]"
    assert every[0] == first
    assert len(every) == 4
    assert project.ids(first) == [first]
    assert project.ids("-k", "layers=[64,32] and shape=(1,(2,3)) and (opt={name:adam,lr:0.1} or opt=nothing)") == [
        first
    ]
    assert project.ids("-k", "opt={} and not layers=[64,32]") == [every[3]]
    assert project.ids("--sweep-set=layers=[128],[7,8]", "-k", "layers=[7,8] and opt.name=adam") == [
        first.replace("[64,32]", "[7,8]")
    ]
