"""The command: draws mutants of a package, runs each with the tests that cover it, and tells which survived."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from tests.mutation.mutants import Mutant, sample
from tests.mutation.running import OPTIONS, MutationRun

ROOT = Path(__file__).parents[2]

TESTS: dict[str, tuple[str, ...]] = {
    "checkpoints": ("tests/unit/test_checkpoints*.py",),
    "engine": ("tests/unit/test_engine_*.py",),
    "model": (
        "tests/unit/test_model_*.py",
        "tests/unit/test_sources.py",
        "tests/unit/test_engine_*.py",
        "tests/unit/test_reporting_*.py",
        "tests/unit/test_results*.py",
        "tests/unit/test_store_*.py",
        "tests/unit/test_worker_*.py",
        "tests/unit/search/*.py",
    ),
    "results": ("tests/unit/test_results*.py",),
    "space": ("tests/unit/test_space_*.py",),
    "search": ("tests/unit/search/*.py", "tests/contract/test_s[ce]*.py"),
    "store": ("tests/unit/test_store_*.py", "tests/contract/test_store.py", "tests/unit/test_results*.py"),
}
"""The tests of each package."""


def main() -> None:
    """Test some mutants of each package; print the survivors and the rates."""
    options = _options()
    if len(options.packages) == 1:
        print(Rate(options.packages[0], options).measure())
        return
    others = [argument for argument in sys.argv[1:] if argument not in options.packages]
    for package in options.packages:  # Each in a process that has imported nothing of ours yet.
        subprocess.run([sys.executable, "-m", "tests.mutation", package, *others], cwd=ROOT, check=True)


class Rate:
    """Draws mutants of a package, has them tested and counts what became of them.

    Args:
        package: the name of the package.
        options: what the command was told.
    """

    def __init__(self, package: str, options: argparse.Namespace) -> None:
        self._package = package
        self._options = options
        self._fates: Counter[str] = Counter()

    def measure(self) -> str:
        """Return the rate, in words."""
        folder = ROOT / "pytest_sweep" / self._package
        files = [str(path.relative_to(ROOT)) for path in folder.rglob("*.py")]
        if self._options.only:
            files = [file for file in files if Path(file).name in self._options.only]
        mutants, total = sample(ROOT, files, self._options.sample, self._options.seed)
        tests = [str(path.relative_to(ROOT)) for pattern in TESTS[self._package] for path in sorted(ROOT.glob(pattern))]
        print(f"{self._package}: {len(mutants)} of {total} mutants, {len(tests)} files of tests", flush=True)
        with tempfile.TemporaryDirectory(prefix="mutation-") as scratch:
            run = MutationRun(ROOT, mutants, folder, Path(scratch), self._tell)
            status = int(pytest.main([*OPTIONS, "-s", f"--rootdir={ROOT}", *tests], plugins=[run]))
            if run.is_child:
                sys.stdout.flush()
                os._exit(status)
        if not self._fates:
            raise SystemExit(f"{self._package}: the tests could not be run, status {status}")
        killed = self._fates["killed"] + self._fates["timeout"]
        counts = ", ".join(f"{number} {fate}" for fate, number in sorted(self._fates.items()))
        return f"{self._package}: {killed} of {len(mutants)} killed, {killed / len(mutants):.1%} ({counts})"

    def _tell(self, mutant: Mutant, fate: str, tests: int) -> None:
        self._fates[fate] += 1
        change = f"{mutant.before[:150]}  ->  {mutant.after[:150]}"
        if fate not in ("killed", "timeout"):
            print(f"{mutant.path}:{mutant.line}: {fate} ({tests} tests): {change}", flush=True)
        if self._options.log:
            with Path(self._options.log).open("a", encoding="utf-8") as log:
                print(f"{fate}\t{tests}\t{mutant.path}:{mutant.line}\t{change}", file=log)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("packages", nargs="+", choices=sorted(TESTS), metavar="PACKAGE", help=", ".join(sorted(TESTS)))
    parser.add_argument("--sample", type=int, default=120, help="number of mutants (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=15, help="which of them (default: %(default)s)")
    parser.add_argument("--only", nargs="*", metavar="FILE", help="names of files of the package (default: all)")
    parser.add_argument("--log", metavar="FILE", help="append a line for each mutant")
    return parser.parse_args()


if __name__ == "__main__":
    main()
