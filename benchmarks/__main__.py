"""Run one of the benchmarks: ``python -m benchmarks {quickstart,expansion} [runs]``, from the root of the checkout."""

from __future__ import annotations

import argparse

from benchmarks import expansion, quickstart

CASES = {"quickstart": quickstart.main, "expansion": expansion.main}

if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m benchmarks")
    parser.add_argument("case", choices=CASES)
    parser.add_argument("runs", type=int, nargs="?", default=5)
    arguments = parser.parse_args()
    CASES[arguments.case](arguments.runs)
