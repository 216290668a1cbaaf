"""The command: draws mutants of a package, runs each with the tests that cover it, and tells which survived."""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
import time
from pathlib import Path

from tests.mutation.mutants import Mutant, sample
from tests.mutation.running import Bench

ROOT = Path(__file__).parents[2]

TESTS: dict[str, tuple[str, ...]] = {
    "checkpoints": ("tests/unit/test_checkpoints*.py",),
    "engine": ("tests/unit/test_engine_*.py",),
    "model": ("tests/unit/test_model_*.py", "tests/unit/test_sources.py", "tests/unit/test_engine_[acflsw]*.py"),
    "results": ("tests/unit/test_results*.py",),
    "space": ("tests/unit/test_space_*.py",),
    "store": ("tests/unit/test_store_*.py", "tests/contract/test_store.py", "tests/unit/test_results*.py"),
}
"""The tests of each package."""

SLOWEST = 5.0
"""How much longer than without a mutant tests may take until they are said to hang."""


def main() -> None:
    """Test some mutants of each package; print the survivors and the rates."""
    options = _options()
    rates = [_rate(package, options) for package in options.packages]
    print("\n".join(rates))


def _rate(package: str, options: argparse.Namespace) -> str:
    files = [str(path.relative_to(ROOT)) for path in (ROOT / "pytest_sweep" / package).rglob("*.py")]
    if options.only:
        files = [file for file in files if Path(file).name in options.only]
    mutants, total = sample(ROOT, files, options.sample, options.seed)
    names = [str(path.relative_to(ROOT)) for pattern in TESTS[package] for path in sorted(ROOT.glob(pattern))]
    print(f"{package}: {len(mutants)} of {total} mutants, {len(names)} files of tests", flush=True)
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        bench = Bench(ROOT, Path(folder))
        coverage = bench.cover(package, names, 900)
        print(f"without a mutant: {len(coverage.seconds)} tests, {sum(coverage.seconds.values()):.0f} s", flush=True)
        count: dict[str, int] = {}
        for number, mutant in enumerate(mutants, 1):
            begin = time.monotonic()
            tests = coverage.tests(mutant)
            limit = 20 + SLOWEST * sum(coverage.seconds.get(test, 0.0) for test in tests)
            fate = bench.run(mutant, tests, limit) if tests else "not covered"
            count[fate] = count.get(fate, 0) + 1
            if fate not in ("killed", "timeout"):
                print(_line(mutant, fate, len(tests)), flush=True)
            if options.log:
                record = {key: value for key, value in dataclasses.asdict(mutant).items() if key != "source"}
                seconds = round(time.monotonic() - begin, 2)
                with Path(options.log).open("a", encoding="utf-8") as log:
                    print(
                        json.dumps({"number": number, "fate": fate, "tests": len(tests), "seconds": seconds, **record}),
                        file=log,
                    )
    killed = count.get("killed", 0) + count.get("timeout", 0)
    counts = ", ".join(f"{number} {fate}" for fate, number in sorted(count.items()))
    return f"{package}: {killed} of {len(mutants)} killed, {killed / max(1, len(mutants)):.1%} ({counts})"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("packages", nargs="+", choices=sorted(TESTS), metavar="PACKAGE", help=", ".join(sorted(TESTS)))
    parser.add_argument("--sample", type=int, default=120, help="number of mutants (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=15, help="which of them (default: %(default)s)")
    parser.add_argument("--only", nargs="*", metavar="FILE", help="names of files of the package (default: all)")
    parser.add_argument("--log", metavar="FILE", help="append a line of JSON for each mutant")
    return parser.parse_args()


def _line(mutant: Mutant, fate: str, tests: int) -> str:
    return f"{mutant.path}:{mutant.line}: {fate} ({tests} tests): {mutant.before[:150]}  ->  {mutant.after[:150]}"


if __name__ == "__main__":
    main()
