"""The report page of a synthetic run: how long it takes to write, how large it is, and when it is ready in chromium.

``python -m benchmarks.page`` reads the run in ``BENCH_RUN``, and leaves ``page.json``; without Playwright or chromium its ``ready`` is NaN.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.synthetic import Kind, store_synthetic
from pytest_sweep.page.build import build, write

RUN = "BENCH_RUN"
"""The variable that names the folder of the run."""

_TIMES = 3


@contextlib.contextmanager
def stored(kind: Kind) -> Iterator[Mapping[str, str]]:
    """Have a run of this kind."""
    with tempfile.TemporaryDirectory(prefix="bench-page-") as name:
        yield {RUN: str(store_synthetic(Path(name), kind))}


def main() -> int:
    """Write the page, look at it, and leave the figures."""
    target = Path("page.html").absolute()
    began = time.perf_counter()
    write(build(Path(os.environ[RUN]), target=target), target)
    figures = {
        "writing": time.perf_counter() - began,
        "megabytes": target.stat().st_size / 1e6,
        "ready": _ready(target),
    }
    Path("page.json").write_text(json.dumps(figures), encoding="utf-8")
    return 0


def _ready(page: Path) -> float:
    """Return after how many seconds the page is ready, the least of some times; NaN where no browser can say it."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        path = None
    if path is None:
        print("there is no Playwright or no chromium: when the page is ready is not measured", file=sys.stderr)
        return float("nan")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        found = []
        for _ in range(_TIMES):
            tab = browser.new_page(viewport={"width": 1280, "height": 900})
            tab.goto(page.as_uri())
            tab.wait_for_selector("body[data-ready='1']", timeout=60_000)
            found.append(float(tab.evaluate("performance.now()")) / 1000)
            tab.close()
        browser.close()
    return min(found)


if __name__ == "__main__":
    sys.exit(main())
