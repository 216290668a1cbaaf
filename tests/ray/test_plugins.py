"""Other plugins on Ray: each does on a trial what it does in processes; a session each, for a start on Ray is dear."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from tests.acceptance import test_plugins as plugins
from tests.acceptance.project import Project

RAY = ("--sweep-executor=ray", "--sweep-max-concurrent=2")

TESTS: Sequence[tuple[Callable[..., None], tuple[object, ...]]] = (
    (plugins.test_cov, ()),
    (plugins.test_cov_of_a_killed_worker, ()),
    (plugins.test_timeout_by_signal, ("mark",)),
    (plugins.test_rerunfailures, ("--reruns=2",)),
    (plugins.test_randomly, ((),)),
    (plugins.test_html, ()),
    (plugins.test_json_report, ()),
    (plugins.test_metadata, ()),
    (plugins.test_asyncio, ("auto",)),
    (plugins.test_mock, ()),
    (plugins.test_order, ()),
    (plugins.test_sugar, ()),
    (plugins.test_benchmark, ((),)),
    (plugins.test_syrupy_of_a_killed_worker, ()),
    (plugins.test_allure, ()),
    (plugins.test_conftest_input_and_output, (plugins.WITHOUT_XDIST,)),
    (plugins.test_all_at_once, ()),
)


@pytest.fixture
def neighbour(shared_ray: str, pytester: pytest.Pytester) -> plugins.Neighbour:
    """An empty project whose sessions have one other plugin, on the Ray that the tests share."""
    return plugins.Neighbour(Project(pytester), RAY)


@pytest.mark.parametrize(("test", "arguments"), [pytest.param(*row, id=row[0].__name__) for row in TESTS])
def test_on_ray(neighbour: plugins.Neighbour, test: Callable[..., None], arguments: tuple[object, ...]) -> None:
    """What holds for trials in processes holds on Ray."""
    test(neighbour, *arguments)
