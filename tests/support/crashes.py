"""Sweeps whose workers crash at random, and what must be true of each of them, wherever its trials run."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_sweep import Result, TrialState
from tests.acceptance.project import Project

DEATHS = ("", "", "", "SIGKILL", "SIGSEGV", "SIGABRT", "exit")


@dataclass(frozen=True)
class CrashingSweep:
    """A sweep of 4 to 12 trials with up to 5 reports each, 4 of 7 of which then kill their process.

    Attributes:
        seed: what it is drawn with.
        causes: what is said of a trial's death, by the way it dies.
        quiet_seconds: how long a trial waits before it dies: what was said before that arrives.
    """

    seed: int
    causes: Mapping[str, str]
    quiet_seconds: float

    def run(self, project: Project, *arguments: str) -> None:
        """Run it, and check that no report is lost, doubled, or another trial's, and that nobody is blamed for another's death."""
        plan = random.Random(self.seed)
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
                    time.sleep({self.quiet_seconds})
                if config["death"] == "exit":
                    os._exit(7)
                if config["death"]:
                    os.kill(os.getpid(), getattr(signal, config["death"]))
                return {{"done": config["n"]}}
        """)
        at_once = f"--sweep-max-concurrent={plan.randint(1, 3)}"
        project.plain("--sweep", at_once, "-p", "no:cacheprovider", *arguments)
        results = list(project.grid())
        assert [result.config for result in results] == configs
        for result in results:
            self._check(result)

    def _check(self, result: Result) -> None:
        config = result.config
        assert [(report["n"], report["number"]) for report in result.metrics_history if "number" in report] == [
            (config["n"], number) for number in range(config["reports"])
        ], result
        if config["death"]:
            assert result.state is TrialState.ERROR
            assert self.causes[config["death"]] in str(result.error)
        else:
            assert result.state is TrialState.TERMINATED, result
            assert result.metrics is not None
            assert result.metrics["done"] == config["n"]
