"""Draws the curves of regret for the docs, as SVG by hand: a few curves do not need a library."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.searching.playing import CONTESTANTS, OURS
from benchmarks.searching.problems import PROBLEMS

WIDTH, HEIGHT = 640, 340
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 40, 45
COLOURS = ("#9a9a9a", "#4f86c6", "#c6844f", "#9467bd", "#2a7f3f")


def draw(found: Mapping[str, Any], folder: Path) -> None:
    """Write ``regret-NAME.svg`` for each problem: the medians of all contestants, and the quartiles of ours."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, curves in found.items():
        text = "\n".join(_figure(PROBLEMS[name].title, curves))
        (folder / f"regret-{name}.svg").write_text(text + "\n", encoding="utf-8")


def _figure(title: str, curves: Mapping[str, Any]) -> Iterator[str]:
    seen = [value for one in curves["medians"].values() for value in one if math.isfinite(value) and value > 0]
    low, high = math.log10(min(seen)), math.log10(max(seen))
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12" '
        f'fill="#222"><rect width="100%" height="100%" fill="white"/>'
    )
    yield f'<text x="{LEFT}" y="20" font-size="14">{title}: median regret of 30 seeds</text>'
    for power in range(math.ceil(low), math.floor(high) + 1):
        y = _y(10.0**power, low, high)
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g}</text>'
    for quarter in range(5):
        x = LEFT + (WIDTH - LEFT - RIGHT) * quarter / 4
        yield f'<text x="{x:.1f}" y="{HEIGHT - 25}" text-anchor="middle">{quarter * 25} %</text>'
    yield f'<text x="{WIDTH / 2}" y="{HEIGHT - 8}" text-anchor="middle">share of the budget</text>'
    band = (
        _points(curves["upper quartiles"][OURS], low, high) + _points(curves["lower quartiles"][OURS], low, high)[::-1]
    )
    yield f'<polygon points="{" ".join(band)}" fill="{COLOURS[-1]}" opacity="0.15"/>'
    for number, name in enumerate(CONTESTANTS):
        points = " ".join(_points(curves["medians"][name], low, high))
        yield f'<polyline points="{points}" fill="none" stroke="{COLOURS[number]}" stroke-width="2"/>'
        y = TOP + 16 * number
        yield f'<text x="{WIDTH - RIGHT}" y="{y}" text-anchor="end" fill="{COLOURS[number]}">{name}</text>'
    yield "</svg>"


def _points(values: Sequence[float], low: float, high: float) -> list[str]:
    wide = WIDTH - LEFT - RIGHT
    return [
        f"{LEFT + wide * (at + 1) / len(values):.1f},{_y(value, low, high):.1f}"
        for at, value in enumerate(values)
        if math.isfinite(value)
    ]


def _y(value: float, low: float, high: float) -> float:
    share = (math.log10(max(value, 10**low)) - low) / ((high - low) or 1.0)
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(share, 1.0)
