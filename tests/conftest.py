"""What the tests share: pytester, and one Ray for all that need one."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import psutil
import pytest

# pytester restores sys.modules after each run in this process. What has compiled parts must not be loaded by such a run only, to
# be loaded a second time by the next; nor must a part of ours, which would meet the parts that stay as another module's classes.
import sqlalchemy  # noqa: F401

import pytest_sweep.executors.inline
import pytest_sweep.executors.processes.executor
import pytest_sweep.executors.ray.executor
import pytest_sweep.plugin.assembly
import pytest_sweep.plugin.collect.leftout
import pytest_sweep.plugin.record.recorder
import pytest_sweep.plugin.session.trials  # noqa: F401
from pytest_sweep.executors.ray.cluster import authentication
from tests.support.sessions import Session

pytest_plugins = ["pytester"]

# An example takes as long as the machine lets it: how long is no claim of any test.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.register_profile("quick", deadline=None, max_examples=20)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "tests"))

GONE_SECONDS = 15

_SIGINT_AT_START = signal.getsignal(signal.SIGINT)


def import_ray() -> Any:
    """Import Ray as every test must, protected, and return it."""
    # Before it is imported, which reads this once: no Ray of ours listens without a token, whatever its version's default.
    authentication.turn_on(None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # What Ray's imports deprecate is not ours to judge.
        import ray

        import pytest_sweep.executors.ray.cluster.connect
        import pytest_sweep.executors.ray.workers.actors  # noqa: F401
    return ray


@pytest.fixture(scope="session")
def shared_ray() -> Iterator[str]:
    """One local Ray with two CPUs for the whole session; its address, which is RAY_ADDRESS as long as it runs.

    Starting one takes five seconds. Runs in this process use its connection, subprocesses join it.
    """
    ray = import_ray()
    context = ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    address = str(context.address_info["gcs_address"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ADDRESS", address)
        # pytester gives each test a HOME of its own, in which Ray would look for its token.
        patch.setenv("RAY_AUTH_TOKEN_PATH", str(Path.home() / ".ray" / "auth_token"))
        yield address
        _free_leftovers(ray)
        ray.shutdown()
    _, alive = psutil.wait_procs(_ray_processes(), timeout=GONE_SECONDS)
    if alive:
        pytest.fail(f"processes of Ray are left at the end: {[process.name() for process in alive]}", pytrace=False)


@pytest.fixture(scope="class")
def ended() -> dict[object, Any]:
    """The sessions that the tests of a class share, by a name: several look at one, each at its own feature."""
    return {}


@pytest.fixture
def start(pytester: pytest.Pytester) -> Iterator[Callable[..., Session]]:
    """Return a function that starts a session of its own process in the test's folder with the given arguments."""
    sessions: list[Session] = []

    def start_session(*args: str, **further: Any) -> Session:
        sessions.append(Session(pytester.path, *args, **further))
        return sessions[-1]

    yield start_session
    for session in sessions:
        session.close()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Undo what a test has left behind that disturbs the next ones: what holds the two CPUs of the shared Ray, and ignored signals."""
    yield
    if "shared_ray" in getattr(item, "fixturenames", ()):
        _free_leftovers(import_ray())
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN is not _SIGINT_AT_START:
        signal.signal(signal.SIGINT, _SIGINT_AT_START)
        pytest.fail(
            "SIGINT was left ignored: the sessions that later tests start would hear of no interrupt", pytrace=False
        )


def _free_leftovers(ray: Any) -> None:
    from ray.util.placement_group import PlacementGroup, placement_group_table, remove_placement_group

    if not ray.is_initialized():
        return
    for group in placement_group_table().values():
        if group["state"] != "REMOVED":  # Its actors die with it.
            remove_placement_group(PlacementGroup(ray.PlacementGroupID(bytes.fromhex(group["placement_group_id"]))))


def _ray_processes() -> list[psutil.Process]:
    return [process for process in psutil.Process(os.getpid()).children(recursive=True) if _is_ray(process)]


def _is_ray(process: psutil.Process) -> bool:
    try:
        return process.name().startswith(("ray::", "raylet", "gcs_server"))
    except psutil.NoSuchProcess:
        return False
