"""Sweeps whose processes crash at random: nothing is lost, doubled, or blamed on the wrong trial."""

from __future__ import annotations

import os
import random

import pytest

from pytest_sweep import TrialState

from .project import Project

RUNS = int(os.environ.get("SWEEP_SOAK", "3"))
"""How many sweeps crash; a few each time, some hundreds before a release: ``SWEEP_SOAK=200 pytest tests/acceptance/test_soak.py``."""

DEATHS = ("", "", "", "SIGKILL", "SIGSEGV", "SIGABRT", "exit")


@pytest.mark.parametrize("seed", range(RUNS))
def test_random_crashes(project: Project, seed: int) -> None:
    """Each trial has exactly the reports that it made, those that died are the ones that fail, and all others pass."""
    plan = random.Random(seed)
    configs = [
        {"n": n, "reports": plan.randrange(6), "death": plan.choice(DEATHS), "rest": round(plan.uniform(0, 0.1), 3)}
        for n in range(plan.randint(4, 12))
    ]
    project.write(f"""
        import os, signal, time

        @sweep(configs={configs!r})
        def train(config, trial):
            for number in range(config["reports"]):
                trial.report({{"number": number, "n": config["n"]}})
                time.sleep(config["rest"] / 5)
            if config["death"]:
                time.sleep(0.5)  # What was said half a second before arrives.
            if config["death"] == "exit":
                os._exit(7)
            if config["death"]:
                os.kill(os.getpid(), getattr(signal, config["death"]))
            return {{"done": config["n"]}}
    """)
    project.plain(
        "--sweep",
        "--sweep-executor=processes",
        f"--sweep-max-concurrent={plan.randint(1, 3)}",
        "-p",
        "no:cacheprovider",
    )
    results = list(project.grid())
    assert [result.config for result in results] == configs
    for result in results:
        config = result.config
        assert [(report["n"], report["number"]) for report in result.metrics_history if "number" in report] == [
            (config["n"], number) for number in range(config["reports"])
        ], result
        if config["death"]:
            how = "it exited with status 7" if config["death"] == "exit" else f"killed by {config['death']}"
            assert result.state is TrialState.ERROR
            assert f"the worker died while it ran the trial: {how}" in str(result.error)
        else:
            assert result.state is TrialState.TERMINATED, result
            assert result.metrics is not None
            assert result.metrics["done"] == config["n"]
