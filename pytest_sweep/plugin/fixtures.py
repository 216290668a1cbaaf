"""The fixtures of the plugin. What they need is imported when they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # Loading the plugin imports pytest and the standard library only.
    from pytest_sweep.results import SessionResults
    from pytest_sweep.worker.trial import ActiveTrial


@pytest.fixture
def trial(request: pytest.FixtureRequest) -> ActiveTrial:
    """The running trial of a sweep: config, seed, dir, checkpoint, report(metrics)."""
    from pytest_sweep.errors import SweepError
    from pytest_sweep.worker.current import current_trial

    try:
        return current_trial()
    except SweepError:
        pytest.fail(
            f"{request.node.name} is no trial: the fixture 'trial' works in functions with @sweep", pytrace=False
        )


@pytest.fixture(scope="session")
def sweep_results(request: pytest.FixtureRequest) -> SessionResults:
    """Results of the session's sweeps, a mapping from sweep to ResultGrid, for tests that judge them; they run after the trials."""
    if not request.config.getoption("sweep"):
        pytest.skip("it judges the results of sweeps: run it with pytest --sweep")
    from pytest_sweep.plugin.session.run import SweepRun

    run = request.config.pluginmanager.get_plugin("sweep-run")
    assert isinstance(run, SweepRun)
    return run.session_results()
