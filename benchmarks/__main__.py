"""Run the benchmarks: ``python -m benchmarks``, from the root of the checkout; ``--help`` says more."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks import baseline, machine, results
from benchmarks.cases import CASES, SHORT
from benchmarks.measuring import FailedError, adopt_orphans
from benchmarks.model import Case, Round
from benchmarks.searching import figures

ROOT = Path(__file__).parent.parent
BASELINE = Path(__file__).with_name("baseline.json")
PAGE, FIGURES = ROOT / "docs" / "performance.md", ROOT / "docs" / "performance" / "figures.json"


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks",
        description="Runs each case beside its peers in turn; prints medians and ratios, as a table and as JSON.",
    )
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"all, or of {', '.join(CASES)}")
    parser.add_argument("--rounds", type=int, help="how often each is run; default: what the case says, at least 3")
    parser.add_argument(
        "--short",
        action="store_true",
        help="what is quick, compared with baseline.json: exit 1 for what got twice as slow",
    )
    parser.add_argument("--write-baseline", action="store_true", help="with --short, write baseline.json instead")
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="where all single values go; cases that are there and not run are kept",
    )
    parser.add_argument("--docs", action="store_true", help="write the table of docs/performance.md, and its figures")
    options = parser.parse_args(arguments)
    known = SHORT if options.short else CASES
    unknown = [name for name in options.cases if name not in known]
    if unknown:
        parser.error(f"there is no case {', '.join(unknown)}; there are {', '.join(known)}")
    options.cases = [known[name] for name in options.cases or known]
    return options


def measure(case: Case, rounds: int) -> list[Round]:
    """Run the rounds of a case, and say so."""
    played: list[Round] = []
    for number in range(rounds):
        played.append(case.play(number))
        seconds = ", ".join(f"{name} {sample['seconds']:.2f} s" for name, sample in played[-1].items())
        print(f"{case.name}, round {number + 1}: {seconds}", file=sys.stderr, flush=True)
    return played


def judge(case: Case, rounds: list[Round], known: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return what got slower; before it says so, as many rounds again are run: somebody else may have used the machine."""
    if baseline.slower(case, rounds, known):
        rounds += measure(case, len(rounds) + 2)
    return baseline.slower(case, rounds, known)


def main() -> int:
    """Run what is asked for, and return the exit status."""
    options = parse()
    adopt_orphans()
    described = machine.describe()
    print(", ".join(f"{name} {value}" for name, value in described.items()))
    known = json.loads(BASELINE.read_text(encoding="utf-8")) if options.short and not options.write_baseline else {}
    measured: dict[str, Any] = {}
    complaints: list[str] = []
    for case in options.cases:
        chosen = case if options.rounds is None else replace(case, rounds=options.rounds)
        date, load = datetime.now().isoformat(" ", "seconds"), os.getloadavg()[0]
        try:
            rounds = measure(chosen, chosen.rounds)
            complaints += judge(chosen, rounds, known)
        except FailedError as error:
            print(f"{case.name} could not be measured: {error}", file=sys.stderr)
            return 2
        measured[case.name] = results.as_data(chosen, rounds, date, described, load)
        print("\n".join(results.case_lines(measured[case.name])), flush=True)
        write(options, measured)
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0


def write(options: argparse.Namespace, measured: Mapping[str, Any]) -> None:
    """Write what has been measured so far, where it was asked for."""
    if options.json is not None:
        results.write_json(options.json, measured)
    if options.write_baseline:
        BASELINE.write_text(json.dumps(baseline.as_baseline(measured), indent=1) + "\n", encoding="utf-8")
    if options.docs:
        FIGURES.parent.mkdir(exist_ok=True)
        results.write_docs(PAGE, results.write_json(FIGURES, measured), CASES)
        if "search" in measured:
            figures.draw(measured["search"]["rounds"][-1]["studies"]["curves"], PAGE.parent / "search")


if __name__ == "__main__":
    sys.exit(main())
