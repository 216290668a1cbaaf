"""What becomes an item: which functions, which files, which configurations, and under which ids."""

from __future__ import annotations

import pytest

from .project import Project, output

ONE = """
    @sweep(grid={"lr": [0.1, 0.2]})
    def train(lr):
        return lr
"""


def test_functions_and_methods_of_any_name(project: Project) -> None:
    """The decorator makes a sweep, not the name: of a function, of a method, of a method in a class of any name."""
    project.write("""
        @sweep(grid={"n": [1]})
        def anything(n): ...

        @sweep(grid={"n": [1]})
        def test_like(n): ...

        class TestUsual:
            @sweep(grid={"n": [1]})
            def fit(self, n):
                assert type(self).__name__ == "TestUsual"

            def test_ordinary(self): ...

        class Models:
            @sweep(grid={"n": [1]})
            def fit(self, n):
                assert type(self).__name__ == "Models"

            def test_not_collected_without_sweep_either(self): ...

        class Ordinary:
            def test_not_collected(self): ...
    """)
    assert project.ids() == [
        "test_models.py::anything[n=1]",
        "test_models.py::test_like[n=1]",
        "test_models.py::TestUsual::fit[n=1]",
        "test_models.py::TestUsual::test_ordinary",
        "test_models.py::Models::fit[n=1]",
    ]
    project.sweep().assert_outcomes(passed=5)


def test_static_and_class_methods_and_inner_classes(project: Project) -> None:
    """No kind of method is passed over in silence, nor a class in a class."""
    project.write("""
        class Models:
            class Inner:
                @sweep(grid={"n": [1]})
                def fit(self, n):
                    assert type(self).__name__ == "Inner"

            @staticmethod
            @sweep(grid={"n": [1]})
            def static(n, trial):
                return {"n": n}

            @classmethod
            @sweep(grid={"n": [1, 2]})
            def of_class(cls, n, trial):
                assert cls.__name__ == "Models"
                return {"n": n}
    """)
    prefix = "test_models.py::Models::"
    parts = ("Inner::fit[n=1]", "static[n=1]", "of_class[n=1]", "of_class[n=2]")
    assert sorted(project.ids()) == sorted(prefix + part for part in parts)
    assert project.sweep().ret == 0
    assert [result.metrics["n"] for result in project.grid("of_class") if result.metrics] == [1, 2]
    project.write("""
        class TestModels:
            @classmethod
            @sweep(grid={"n": [1]})
            def test_like(cls, n): assert 0
    """)
    project.plain().stdout.fnmatch_lines(["1 sweep was left out: *"])


def test_sweep_files_are_collected_with_sweep_only(project: Project) -> None:
    """sweep_*.py and *_sweep.py are test files with --sweep; without it they are not even imported."""
    for name in ("test_a.py", "sweep_b.py", "c_sweep.py", "models.py"):
        project.write("""
            from pathlib import Path
            Path(__file__ + ".imported").touch()

            @sweep(grid={"lr": [0.1]})
            def train(lr): ...
        """, name)  # fmt: skip
    project.plain()
    assert sorted(path.name for path in project.path.glob("*.imported")) == ["test_a.py.imported"]
    assert project.ids() == [
        "c_sweep.py::train[lr=0.1]",
        "sweep_b.py::train[lr=0.1]",
        "test_a.py::train[lr=0.1]",
    ]
    assert not (project.path / "models.py.imported").exists()


def test_a_file_on_the_command_line_is_collected(project: Project) -> None:
    """Any file that is named is collected, whatever it is called, and so is one trial in it."""
    project.write(ONE, "models.py")
    assert project.ids("models.py") == ["models.py::train[lr=0.1]", "models.py::train[lr=0.2]"]
    assert project.ids("models.py::train[lr=0.2]") == ["models.py::train[lr=0.2]"]
    assert project.ids("models.py::train") == ["models.py::train[lr=0.1]", "models.py::train[lr=0.2]"]


def test_assertions_in_sweep_files_are_rewritten(project: Project) -> None:
    """A sweep_*.py file gets pytest's introspected assertions as a test file does."""
    project.write("""
        @sweep(grid={"lr": [0.1]})
        def train(lr):
            assert {"lr": lr} == {"lr": 0.5}
    """, "sweep_models.py")  # fmt: skip
    project.sweep().stdout.fnmatch_lines(["E*Differing items:", "E*{'lr': 0.1} != {'lr': 0.5}"])


def test_grids_nest(project: Project) -> None:
    """A dict in a grid holds axes; lists are values; the first axis varies slowest; the configuration nests as the grid does."""
    project.write("""
        @sweep(grid={"model": {"depth": [1, 2], "layers": [[8, 8]]}, "empty": [{}], "lr": [0.1, 0.01]})
        def train(config, model):
            assert model is config["model"]
            return {"seen": config}
    """)
    assert project.sweep().ret == 0
    assert [result.config for result in project.grid()] == [
        {"model": {"depth": depth, "layers": [8, 8]}, "empty": {}, "lr": lr} for depth in (1, 2) for lr in (0.1, 0.01)
    ]
    assert [result.metrics["seen"] for result in project.grid() if result.metrics] == [
        result.config for result in project.grid()
    ]
    first = project.grid()[0].name
    assert first.startswith("train[model.depth=1-model.layers=")
    assert first.endswith("-lr=0.1]")


def test_node_ids_read_as_written(project: Project) -> None:
    """Strings, numbers, small tuples and None print as themselves, functions and classes by name, others by a stable digest."""
    project.write("""
        class Net: ...
        def relu(): ...
        class Thing:
            def __init__(self, size): self.size = size

        @sweep(grid={"v": ["a b", 1e-3, 2, True, None, Net, relu, (1, 2), Thing(3)]})
        def train(v): ...
    """)
    ids = project.ids()
    assert ids[:8] == [
        f"test_models.py::train[v={text}]" for text in ("a b", "0.001", "2", "True", "None", "Net", "relu", "(1,2)")
    ]
    before = ids[8]
    digest = before.removeprefix("test_models.py::train[v=").removesuffix("]")
    assert len(digest) == 8
    int(digest, 16)
    project.write("""
        class Thing:
            def __init__(self, size): self.size = size

        @sweep(grid={"v": [Thing(2), Thing(3)]})
        def train(v): ...
    """)
    assert project.ids()[1] == before  # Not an index, which would have moved.


def test_long_ids_are_cut_and_ids_never_equal(project: Project) -> None:
    """A long id is cut and ends in a digest; configurations that read the same are told apart, equal ones numbered."""
    project.write("""
        @sweep(grid={"text": ["x" * 500, "x" * 501]})
        def long(text): ...

        @sweep(grid={"v": [1, "1", 1]})
        def alike(v): ...
    """)
    ids = project.ids()
    assert len(set(ids)) == 5
    assert all(len(id_) < 160 for id_ in ids)
    project.sweep().assert_outcomes(passed=5)


def test_functions_and_classes_are_values(project: Project) -> None:
    """A function or a class in a grid arrives as itself."""
    project.write("""
        def square(x): return x * x
        class Cube:
            def __call__(self, x): return x ** 3

        @sweep(grid={"f": [square, Cube]})
        def train(f):
            f = f() if isinstance(f, type) else f
            return {"y": f(3)}
    """)
    assert project.sweep().ret == 0
    assert {result.name: result.metrics["y"] for result in project.grid() if result.metrics} == {
        "train[f=square]": 9,
        "train[f=Cube]": 27,
    }


def test_ids_as_a_list(project: Project) -> None:
    """ids= gives every configuration its id, in order."""
    project.write("""
        @sweep(grid={"n": [1, 2]}, ids=["small", "large"])
        def train(n): ...
    """)
    assert project.ids() == ["test_models.py::train[small]", "test_models.py::train[large]"]


def test_ids_as_a_function(project: Project) -> None:
    """A function gives ids by configuration; where it returns None, the usual one stays."""
    project.write("""
        @sweep(grid={"n": [1, 2]}, ids=lambda config: "one" if config["n"] == 1 else None)
        def train(n): ...
    """)
    assert project.ids() == ["test_models.py::train[one]", "test_models.py::train[n=2]"]


@pytest.mark.parametrize("ids", ["['a']", "['a', 'a']", "[1, 2]", "lambda config: 1 / 0"])
def test_bad_ids_are_refused(project: Project, ids: str) -> None:
    """A list or a function of ids that does not fit the configurations is an error of collection."""
    project.write(f"""
        @sweep(grid={{"n": [1, 2]}}, ids={ids})
        def train(n): ...
    """)
    result = project.sweep()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*sweep train in test_models.py: ids*"])


def test_configs_are_a_list_instead_of_a_grid(project: Project) -> None:
    """configs= lists the configurations, which need not have the same keys."""
    project.write("""
        @sweep(configs=[{"lr": 0.1}, {"lr": 0.2, "opt": {"name": "adam"}}, pytest.param({"lr": 0.3}, id="best")])
        def train(config): ...
    """)
    assert project.ids() == [
        "test_models.py::train[lr=0.1]",
        "test_models.py::train[lr=0.2-opt.name=adam]",
        "test_models.py::train[best]",
    ]
    assert project.sweep().ret == 0
    assert [result.config for result in project.grid()] == [
        {"lr": 0.1},
        {"lr": 0.2, "opt": {"name": "adam"}},
        {"lr": 0.3},
    ]


def test_a_key_argument_that_one_configuration_lacks_is_refused(project: Project) -> None:
    """An argument needs its key in all configurations; the message names the one without."""
    project.write("""
        @sweep(configs=[{"lr": 0.1, "n": 1}, {"lr": 0.2}])
        def train(lr, n): ...
    """)
    result = project.sweep()
    result.stdout.fnmatch_lines(
        ["*its argument 'n' is missing in the configuration 'lr=0.2': give it in all of them"], consecutive=False
    )


def test_stacked_parametrize_multiplies(project: Project) -> None:
    """The parametrize of pytest is another dimension of the trials; its values belong to their identity."""
    project.write("""
        @sweep(grid={"lr": [0.1, 0.2]})
        @pytest.mark.parametrize("fold", [0, 1])
        def train(lr, fold, trial):
            return {"lr": lr, "fold": fold, "key": trial.key}
    """)
    assert project.ids() == [f"test_models.py::train[lr={lr}-{fold}]" for lr in (0.1, 0.2) for fold in (0, 1)]
    assert project.sweep().ret == 0
    metrics = [result.metrics or {} for result in project.grid()]
    assert {(row["lr"], row["fold"]) for row in metrics} == {(0.1, 0), (0.1, 1), (0.2, 0), (0.2, 1)}
    assert len({row["key"] for row in metrics}) == 4


def test_parametrized_fixtures_multiply(project: Project) -> None:
    """A parametrized fixture multiplies the trials too."""
    project.write("""
        @pytest.fixture(params=["a", "b"])
        def data(request):
            return request.param

        @sweep(grid={"lr": [0.1]})
        def train(lr, data):
            return {"data": data}
    """)
    assert project.ids() == ["test_models.py::train[lr=0.1-a]", "test_models.py::train[lr=0.1-b]"]
    assert project.sweep().ret == 0
    assert [result.metrics["data"] for result in project.grid() if result.metrics] == ["a", "b"]


def test_marks_and_ids_at_one_point_of_the_grid(project: Project) -> None:
    """pytest.param in a grid marks the trials with that value, and names it."""
    project.write("""
        @sweep(grid={"n": [
            1,
            pytest.param(2, id="two"),
            pytest.param(3, marks=pytest.mark.skip(reason="not today")),
            pytest.param(4, marks=pytest.mark.xfail(reason="known", strict=True)),
            pytest.param(5, marks=pytest.mark.resources(cpu=0.5)),
        ]})
        def train(n, trial):
            assert n != 4
            return {"cpu": trial.resources.cpu}
    """)
    assert project.ids()[1] == "test_models.py::train[n=two]"
    result = project.sweep("-ra")
    result.assert_outcomes(passed=3, skipped=1, xfailed=1)
    result.stdout.fnmatch_lines(["SKIPPED*not today", "XFAIL*known"])
    states = [str(stored.state) for stored in project.grid()]
    assert states == ["TERMINATED", "TERMINATED", "SKIPPED", "SKIPPED", "TERMINATED"]
    assert [(stored.metrics or {}).get("cpu") for stored in project.grid()] == [1.0, 1.0, None, None, 0.5]


def test_resources_come_from_the_nearest_mark(project: Project) -> None:
    """The point of the grid counts before function, class and module."""
    project.write("""
        pytestmark = pytest.mark.resources(cpu=0.1)

        @sweep(grid={"n": [1]})
        def of_module(n, trial): return {"cpu": trial.resources.cpu}

        @pytest.mark.resources(cpu=0.2)
        class Models:
            @sweep(grid={"n": [1]})
            def of_class(self, n, trial): return {"cpu": trial.resources.cpu}

            @pytest.mark.resources(cpu=0.3)
            @sweep(grid={"n": [1, pytest.param(2, marks=pytest.mark.resources(cpu=0.4))]})
            def of_function(self, n, trial): return {"cpu": trial.resources.cpu}
    """)
    assert project.sweep().ret == 0
    names = ("of_module", "of_class", "of_function")
    cpus = [[stored.metrics["cpu"] for stored in project.grid(name) if stored.metrics] for name in names]
    assert cpus == [[0.1], [0.2], [0.3, 0.4]]


def test_marks_of_module_and_class_reach_the_trials(project: Project) -> None:
    """A module's pytestmark selects trials, and usefixtures of a class is used."""
    project.write("""
        pytestmark = pytest.mark.slow

        @pytest.fixture
        def marked(request):
            request.node.user_properties.append(("marked", "yes"))

        @pytest.mark.usefixtures("marked")
        class Models:
            @sweep(grid={"n": [1]})
            def fit(self, n, request):
                assert ("marked", "yes") in request.node.user_properties
                assert request.node.get_closest_marker("slow")
                assert "slow" in request.node.keywords
    """)
    project.write("[pytest]\nmarkers = slow\n", "pytest.ini")
    project.write(ONE, "test_fast.py")
    assert project.ids("-m", "slow") == ["test_models.py::Models::fit[n=1]"]
    project.sweep("-m", "slow", "--strict-markers").assert_outcomes(passed=1, deselected=2)


def test_an_imported_sweep_is_collected_where_it_is_defined(project: Project) -> None:
    """Importing a sweep from another file makes no second sweep."""
    project.write(ONE)
    project.write("from test_models import train\ndef test_it(): ...\n", "test_other.py")
    ids = ["test_models.py::train[lr=0.1]", "test_models.py::train[lr=0.2]", "test_other.py::test_it"]
    assert project.ids() == ids
    project.plain("test_other.py").stdout.no_fnmatch_line("*left out*")


def test_an_inherited_sweep_runs_in_each_class(project: Project) -> None:
    """A subclass has the sweeps of its base, as it has its tests."""
    project.write("""
        class TestBase:
            size = 1

            @sweep(grid={"n": [1]})
            def fit(self, n):
                return {"size": self.size}

        class TestLarge(TestBase):
            size = 2
    """)
    assert project.ids() == ["test_models.py::TestBase::fit[n=1]", "test_models.py::TestLarge::fit[n=1]"]
    assert project.sweep().ret == 0
    assert project.only("test_models.py::TestLarge::fit").metrics["size"] == 2  # type: ignore[index]


def test_trials_are_selected_as_tests_are(project: Project) -> None:
    """A node id, -k, --deselect and --lf work on single trials."""
    project.write("""
        @sweep(grid={"lr": [0.1, 0.2], "depth": [1, 2]})
        def train(lr, depth):
            assert depth == 1 or lr != 0.2
    """)
    prefix = "test_models.py::train"
    ids = [f"{prefix}[lr={lr}-depth={depth}]" for lr in (0.1, 0.2) for depth in (1, 2)]
    assert project.ids() == ids
    assert project.ids(ids[2]) == [ids[2]]
    assert project.ids("-k", "depth and 0.1") == ids[:2]
    assert project.ids("--deselect", ids[0]) == ids[1:]
    project.sweep().assert_outcomes(passed=3, failed=1)
    again = project.sweep("--last-failed")
    again.assert_outcomes(failed=1)
    assert [result.trial_id for result in project.grid()] == [ids[3]]


def test_a_node_id_that_is_no_trial_is_an_error(project: Project) -> None:
    """A configuration that the grid has not is not found, as with any test."""
    project.write(ONE)
    result = project.sweep("test_models.py::train[lr=0.3]")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "not found: " in output(result)


def test_arguments_are_keys_config_and_fixtures(project: Project) -> None:
    """The argument config is the whole configuration, an argument called like a key its value, and the rest are fixtures."""
    project.write("""
        @pytest.fixture
        def doubled(lr):
            return 2 * lr

        @pytest.fixture
        def names(config):
            return sorted(config)

        @sweep(grid={"lr": [0.1], "depth": [2]})
        def all_of_them(config, depth, doubled, names, tmp_path, trial):
            assert config == {"lr": 0.1, "depth": 2} == trial.config
            assert (depth, doubled, names) == (2, 0.2, ["depth", "lr"])
            assert tmp_path.is_dir()

        @sweep(grid={"lr": [0.1]})
        def fixtures_only(doubled):
            assert doubled == 0.2

        @sweep(grid={"lr": [0.1, 0.2]})
        def current():
            assert list(current_trial().config) == ["lr"]

        @sweep(grid={"lr": [0.1, 0.2]})
        def trial_only(trial):
            assert list(trial.config) == ["lr"]
    """)
    project.sweep().assert_outcomes(passed=6)


def test_config_arg_names_another_argument(project: Project) -> None:
    """With config_arg the project's own fixture called config stays usable."""
    project.write("""
        @pytest.fixture(scope="session")
        def config():
            return "the fixture"

        @sweep(grid={"lr": [0.1]}, config_arg="cfg")
        def train(config, cfg):
            assert config == "the fixture"
            assert cfg == {"lr": 0.1}
    """)
    project.sweep().assert_outcomes(passed=1)


def test_the_function_is_left_untouched(project: Project) -> None:
    """A sweep can be called by hand: the decorator adds a mark and nothing else."""
    project.write("""
        @sweep(grid={"lr": [0.1]})
        def train(config):
            return config["lr"]

        def test_by_hand():
            assert train({"lr": 5}) == 5
    """)
    project.plain().assert_outcomes(passed=1)


def test_without_sweep_nothing_is_run_and_one_line_says_so(project: Project) -> None:
    """A plain pytest leaves the sweeps out, says how many and how to run them, and keeps the exit status of the tests."""
    project.write(ONE + "\n    def test_ordinary(): ...\n")
    result = project.plain()
    result.assert_outcomes(passed=1)
    assert result.ret == 0
    assert output(result).count("left out") == 1
    result.stdout.fnmatch_lines(["1 sweep was left out: run it with pytest --sweep"])
    assert not (project.path / "sweep_results").exists()
    project.write(ONE, "test_more.py")
    project.plain().stdout.fnmatch_lines(["2 sweeps were left out: run them with pytest --sweep"])


def test_without_sweep_only_sweeps_means_nothing_collected(project: Project) -> None:
    """A suite of nothing but sweeps exits with 5 without --sweep."""
    project.write(ONE)
    assert project.plain().ret == pytest.ExitCode.NO_TESTS_COLLECTED


CLASS = """
    class Models:
        @sweep(grid={"n": [1]})
        def fit(self, n): ...
"""


@pytest.mark.parametrize(
    ("name", "node_id"),
    [
        ("test_models.py", "test_models.py::train"),
        ("test_models.py", "test_models.py::train[lr=0.1]"),
        ("test_models.py", "test_models.py::Models::fit[n=1]"),
        ("sweep_models.py", "sweep_models.py::train[lr=0.1]"),
        ("sub/test_models.py", "sub/test_models.py::train[lr=0.1]"),
    ],
)
def test_without_sweep_a_node_id_is_not_found_and_the_line_says_why(project: Project, name: str, node_id: str) -> None:
    """Who pastes the node id of a trial and forgets --sweep is told what to write."""
    project.write(ONE + CLASS, name)
    result = project.plain(node_id)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "not found: " in output(result)
    sweep = node_id.partition("[")[0]
    command = f"pytest --sweep '{node_id}'" if "[" in node_id else f"pytest --sweep {node_id}"
    assert f"ERROR: {sweep} is a sweep, which is run with --sweep only: {command}" in output(result)
    assert "2 sweeps were left out: run them with pytest --sweep" in output(result)


def test_without_sweep_a_wrong_node_id_is_what_it_was(project: Project) -> None:
    """An error that has nothing to do with sweeps stays as it is."""
    project.write(ONE)
    result = project.plain("test_models.py::nothing")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "is a sweep" not in output(result)


def test_without_sweep_files_of_sweeps_are_named(project: Project) -> None:
    """A file that only --sweep collects is named, if it mentions sweeps: others are called like it."""
    project.write(ONE, "sweep_models.py")
    (project.path / "sweep_floor.py").write_text("BROOM = 1\n")
    result = project.plain()
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result.stdout.fnmatch_lines(["the file sweep_models.py was left out: run it with pytest --sweep"])
    for name in ("sub/a_sweep.py", "b_sweep.py", "c_sweep.py", "test_models.py"):
        project.write(ONE, name)
    project.plain().stdout.fnmatch_lines(
        [
            "1 sweep and the files b_sweep.py, c_sweep.py, sub/a_sweep.py and 1 more were left out: run them with pytest --sweep"
        ]
    )
    assert "left out" not in output(project.sweep("--co"))


def test_suites_without_sweeps_look_the_same(project: Project) -> None:
    """Output of a suite without sweeps is the same with the plugin and without it, but for the list of plugins."""
    project.write("def test_it(): ...\ndef test_fails(): assert 0\n")

    def shown(*arguments: str) -> list[str]:
        lines = project.plain("-p", "no:cacheprovider", *arguments).outlines
        return [line.split(" in ")[0] for line in lines if not line.startswith("plugins:")]

    assert shown() == shown("-p", "no:sweep")
    assert shown("-q") == shown("-q", "-p", "no:sweep")


def test_quiet_listing_has_the_ids_and_starts_nothing(project: Project) -> None:
    """--co lists the trials, runs none and writes nothing, also with the default executor."""
    project.write(ONE)
    result = project.plain("--sweep", "--co", "-q")
    assert [line for line in result.outlines if "::" in line] == [
        "test_models.py::train[lr=0.1]",
        "test_models.py::train[lr=0.2]",
    ]
    assert result.ret == 0
    assert not (project.path / "sweep_results").exists()


def test_looking_starts_no_ray(project: Project) -> None:
    """--co, --fixtures and --help never import Ray, let alone start one."""
    project.write(ONE)
    for look in (["--sweep", "--co"], ["--sweep", "--fixtures"], ["--sweep", "--help"]):
        code = f"import sys, pytest\nstatus = pytest.main({look!r})\nassert 'ray' not in sys.modules\nsys.exit(int(status))"
        result = project.pytester.runpython_c(code)
        assert result.ret == 0, output(result)


def test_fixtures_lists_ours_with_their_meaning(project: Project) -> None:
    """--fixtures shows trial and sweep_results with a sentence each."""
    result = project.plain("--fixtures")
    result.stdout.fnmatch_lines(["*sweep_results [[]session scope[]]*", "*Results of the session's sweeps*"])
    result.stdout.fnmatch_lines(["trial -- *", "*The running trial of a sweep*"])


def test_help_shows_the_options_in_one_group(project: Project) -> None:
    """--help has all options of ours in one group, each with its default, and the ini keys."""
    lines = project.plain("--help").outlines
    start = lines.index("parameter sweeps (pytest-sweep):")
    group = lines[start : lines.index("", start)]
    text = " ".join(line.strip() for line in group)
    options = (
        "executor=", "address=", "num-cpus=", "num-gpus=", "env=", "runtime-env=", "include=", "code-limit=", "max-concurrent=", "dir=",
        "storage=", "keep-checkpoints=", "seed=", "where=", "set=", "max-trials=", "status-interval=", "live=", "timeout=", "budget=",
        "grace=", "exit-timeout=",
        "abort-after=", "resume=", "retry-failed", "resume-strict", "cache", "search=", "scheduler=", "num-samples=", "warm=",
        "track=", "track-wait=", "report=",
    )  # fmt: skip
    for option in options:
        assert f"--sweep-{option}" in text
        assert f"sweep_{option.rstrip('=').replace('-', '_')} (" in "\n".join(lines)
    assert text.count("(default: ") == len(options)
    assert sum("--sweep" in line for line in lines) >= len(options) + 1


def test_marks_are_known(project: Project) -> None:
    """--strict-markers accepts our marks, and --markers explains them."""
    project.write("@pytest.mark.resources(cpu=1)\n@sweep(grid={'n': [1]})\ndef train(n): ...\n")
    project.sweep("--strict-markers").assert_outcomes(passed=1)
    project.plain("--markers").stdout.fnmatch_lines(["@pytest.mark.sweep(*", "@pytest.mark.resources(*"])


def test_keys_are_equal_in_every_run(project: Project) -> None:
    """A trial's key stays when the grid grows, and differs between trials and sweeps."""
    project.write("""
        @sweep(grid={"lr": [0.1, 0.2]})
        def train(lr): ...

        @sweep(grid={"lr": [0.1]})
        def other(lr): ...
    """)
    project.sweep()
    before = {result.name: result.key for name in ("train", "other") for result in project.grid(name)}
    assert len(set(before.values())) == 3
    project.write("""
        # The same, with more to try.
        @sweep(grid={"lr": [0.3, 0.2, 0.1]})
        def train(lr): ...
    """)
    project.sweep()
    after = {result.name: result.key for result in project.grid()}
    assert {name: after[name] for name in ("train[lr=0.1]", "train[lr=0.2]")} == {
        name: before[name] for name in ("train[lr=0.1]", "train[lr=0.2]")
    }


def test_a_sweep_as_a_mark(project: Project) -> None:
    """pytest.mark.sweep(grid=...) is the same as the decorator."""
    project.write("""
        @pytest.mark.sweep(grid={"lr": [0.1]})
        def train(lr): ...
    """)
    assert project.ids() == ["test_models.py::train[lr=0.1]"]


def test_things_that_have_every_attribute_are_no_sweeps(project: Project) -> None:
    """mock.call in a module is neither a sweep nor an error."""
    project.write("from unittest.mock import call, MagicMock\nthing = MagicMock()\n" + "def test_it(): ...\n")
    assert project.ids() == ["test_models.py::test_it"]
    project.plain().assert_outcomes(passed=1)


def test_ini_keys_are_defaults_of_options(project: Project) -> None:
    """sweep_dir and the others in the ini file count where the command line says nothing."""
    project.write(ONE)
    project.write("[pytest]\nsweep_executor = inline\nsweep_dir = here\nsweep_seed = 5\n", "pytest.ini")
    result = project.plain("--sweep")
    result.stdout.fnmatch_lines([f"sweep: executor inline, seed 5, results in {project.path / 'here'}"])
    assert len(list(project.path.glob("here/*/run.db"))) == 1
    project.plain("--sweep", "--sweep-dir=there")
    assert len(list(project.path.glob("there/*/run.db"))) == 1
