"""Makes the pictures of docs/report.md: python -m tests.page.screenshots, from the root of the checkout. Needs Playwright and chromium.

They show the run of examples/digits, and a synthetic one of 10,000 trials, which takes a minute.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from benchmarks.synthetic import Kind, store_synthetic
from pytest_sweep.page.build import build, write

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "report"


def main() -> None:
    """Write the pictures."""
    with tempfile.TemporaryDirectory(prefix="pytest-sweep-") as name, sync_playwright() as playwright:
        folder = Path(name)
        digits, many, changed = _digits(folder), folder / "many.html", folder / "changed.html"
        run = store_synthetic(folder / "many", Kind(10_000))
        write(build(run, target=many), many)
        base = store_synthetic(folder / "few", Kind(40))
        write(build(store_synthetic(folder / "few", Kind(45, seed=1, shift=0.01)), base, target=changed), changed)
        path = os.environ.get("CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        _shoot(browser, digits, PICTURES / "digits.png", 1280, 1330)
        _shoot(browser, many, PICTURES / "many.png", 1280, 1180, select=3, query="config/lr<0.01")
        _shoot(browser, many, PICTURES / "many-dark.png", 1280, 900, select=2, dark=True, to="#importance")
        _shoot(browser, changed, PICTURES / "against.png", 1280, 760, to="#against")
        _shoot(browser, changed, PICTURES / "narrow.png", 400, 860, dark=True, to="#curves")
        browser.close()


def _digits(folder: Path) -> Path:
    target = folder / "digits.html"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:asyncio",
        "--sweep",
        "examples/digits",
        "--sweep-executor=processes",
    ]
    subprocess.run([*command, f"--sweep-dir={folder / 'digits'}", f"--sweep-report={target}"], cwd=ROOT, check=True)
    return target


def _shoot(
    browser: Any,
    page: Path,
    target: Path,
    width: int,
    height: int,
    *,
    dark: bool = False,
    select: int = 0,
    query: str = "",
    to: str = "",
) -> None:
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light")
    tab = context.new_page()
    tab.goto(page.as_uri())
    tab.wait_for_selector("body[data-ready='1']")
    for number in range(select):
        tab.locator("#trials tbody input").nth(4 * number).click()
    tab.fill("#bar input[type=search]", query)
    tab.evaluate("document.activeElement.blur()")
    if to:
        tab.evaluate(f"document.querySelector('{to}').scrollIntoView(); scrollBy(0, {-10 if width < 820 else -70})")
    else:
        tab.evaluate("scrollTo(0, 0)")
    tab.wait_for_timeout(1500)
    tab.screenshot(path=target)
    context.close()
    with contextlib.suppress(ImportError):  # A third of the size; not needed otherwise.
        from PIL import Image

        with Image.open(target) as picture:
            small = picture.convert("RGB").quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        small.save(target, optimize=True)


if __name__ == "__main__":
    main()
