"""What was measured, as plain data and as tables. Runs nothing."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.model import Case, Outcome, Round

BEGIN, END = "<!-- figures: written by python -m benchmarks --docs -->", "<!-- end of figures -->"


def as_data(case: Case, rounds: Sequence[Round], date: str, machine: Mapping[str, str], load: float) -> dict[str, Any]:
    """Return all single values of a case, and what came out of each mark.

    Args:
        case: the case.
        rounds: its rounds.
        date: when it was measured.
        machine: as `benchmarks.machine.describe` returns it.
        load: the machine's load when it began, which tells whether somebody else worked on it.
    """
    return {
        "title": case.title,
        "date": date,
        "machine": dict(machine),
        "load": load,
        "rounds": [{name: dict(sample) for name, sample in round_.items()} for round_ in rounds],
        "contestants": {
            contestant.name: {
                figure: statistics.median(round_[contestant.name][figure] for round_ in rounds)
                for figure in ("seconds", "cpu")
            }
            for contestant in case.contestants
        },
        "marks": [_mark(mark.judge(rounds)) for mark in case.marks],
    }


def _mark(outcome: Outcome) -> dict[str, Any]:
    mark = outcome.mark
    return {
        "text": mark.text,
        "unit": mark.unit,
        "limit": mark.limit,
        "at_least": mark.at_least,
        "is_relative": mark.is_relative,
        "values": list(outcome.values),
        "median": outcome.median,
        "met": outcome.is_met,
    }


def case_lines(data: Mapping[str, Any]) -> list[str]:
    """Return what the terminal shows of a case."""
    lines = [f"{data['title']} ({len(data['rounds'])} rounds)"]
    for name, medians in data["contestants"].items():
        lines.append(f"  {name:<32} {medians['seconds']:8.2f} s {medians['cpu']:8.2f} s CPU")
    for mark in data["marks"]:
        values = ", ".join(f"{value:.4g}" for value in mark["values"])
        lines.append(f"  {_amount(mark['median'], mark['unit'])} {mark['text']}{_verdict(mark)}   [{values}]")
    return lines


def _verdict(mark: Mapping[str, Any]) -> str:
    if mark["limit"] is None:
        return ""
    return f"   mark {_limit(mark)}: {'met' if mark['met'] else 'NOT MET'}"


def _limit(mark: Mapping[str, Any]) -> str:
    return f"{'≥' if mark['at_least'] else '≤'} {_amount(mark['limit'], mark['unit'])}"


def _amount(value: float, unit: str) -> str:
    number = f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
    return f"{number} {unit}"


def write_json(path: Path, cases: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Write what was measured; cases that were not are kept as the file has them. Return all of them."""
    known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    known.update(cases)
    path.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    return known


def write_docs(page: Path, cases: Mapping[str, Mapping[str, Any]], order: Iterable[str]) -> None:
    """Write the table between the markers of the page."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    table = "\n".join(markdown(cases, order))
    page.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}", encoding="utf-8")


def markdown(cases: Mapping[str, Mapping[str, Any]], order: Iterable[str]) -> list[str]:
    """Return the table of the marks, and on what it was measured."""
    lines = ["| case | seconds, and CPU seconds | measured | mark | |", "|---|---|---|---|---|"]
    shown = [name for name in order if name in cases]
    for name in shown:
        lines += _rows(cases[name])
    if shown:
        latest = max((cases[name] for name in shown), key=lambda case: str(case["date"]))
        machine = ", ".join(f"{key} {value}" if key != "machine" else value for key, value in latest["machine"].items())
        dates = sorted({str(cases[name]["date"])[:10] for name in shown})
        lines += [
            "",
            f"Measured {' and '.join(dates)} on {machine}; medians of {_rounds(cases[name] for name in shown)} rounds.",
        ]
    return lines


def _rows(case: Mapping[str, Any]) -> list[str]:
    contestants = "<br>".join(
        f"{name}: {medians['seconds']:.2f} ({medians['cpu']:.1f})" for name, medians in case["contestants"].items()
    )
    first = [case["title"], contestants]
    rows = []
    for mark in case["marks"]:
        verdict = {True: "met", False: "**not met**", None: ""}[mark["met"]]
        limit = "" if mark["limit"] is None else _limit(mark)
        measured = f"{_amount(mark['median'], mark['unit'])} {mark['text']}"
        rows.append(f"| {first[0]} | {first[1]} | {measured} | {limit} | {verdict} |")
        first = ["", ""]
    return rows


def _rounds(cases: Iterable[Mapping[str, Any]]) -> str:
    counts = sorted({len(case["rounds"]) for case in cases})
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
