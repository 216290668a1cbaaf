"""The report page in a real browser: Debian's chromium, or one that CHROMIUM names. Its tests are skipped where there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.synthetic import Kind, store_synthetic
from pytest_sweep.page.build import build, write

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SLACK = 30_000
"""How many milliseconds something may take on a busy machine."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A browser."""
    api = pytest.importorskip(
        "playwright.sync_api", reason="Playwright is not installed: it is in the dependency group page"
    )
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("there is no chromium: apt-get install chromium, or name one with CHROMIUM=/path/of/it")
    with api.sync_playwright() as playwright:
        # As root, as in a container, chromium has no sandbox.
        found = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield found
        found.close()


class Opened:
    """A page that is open, and what went wrong in it."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.problems: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.problems.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("dialog", lambda dialog: self.problems.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: self.requests.append(request.url))

    def goto(self, path: Path, hash_: str = "") -> Opened:
        """Open a file, and wait until it is drawn."""
        self.page.goto(f"{path.as_uri()}{hash_}")
        self.page.wait_for_selector("body[data-ready='1']", timeout=SLACK)
        return self

    def text(self, selector: str) -> str:
        return str(self.page.inner_text(selector))

    def rows(self, column: int) -> list[str]:
        """Return the texts of a column of the table of trials, from 1."""
        return list(
            self.page.eval_on_selector_all(
                f"#trials tbody tr > :nth-child({column + 1})", "cells => cells.map(c => c.innerText)"
            )
        )

    def column(self, name: str) -> list[str]:
        """Return the texts of the column of this name."""
        names = self.page.eval_on_selector_all(
            "#trials thead th", "cells => cells.map(c => c.innerText.trim().split(' ')[0])"
        )
        return self.rows(names.index(name))

    def hash(self) -> str:
        return str(self.page.evaluate("location.hash"))

    def until(self, selector: str, text: str) -> None:
        """Wait until an element has a text."""
        self.page.locator(selector, has_text=text).first.wait_for(timeout=SLACK)


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Opened]]:
    """Opens a file: its path, the hash, the width and whether it is dark. At the end nothing has gone wrong in it."""
    opened: list[tuple[Opened, Path]] = []
    contexts = []

    def open_(path: Path, hash_: str = "", *, width: int = 1280, dark: bool = False) -> Opened:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", reduced_motion="reduce"
        )
        contexts.append(context)
        found = Opened(context.new_page())
        opened.append((found, path))
        return found.goto(path, hash_)

    yield open_
    for found, path in opened:
        assert found.problems == []
        assert {url.partition("#")[0] for url in found.requests} == {path.as_uri()}
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def page_of_many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run with 2,000 trials."""
    return _page(tmp_path_factory.mktemp("many"), Kind(2000, reports=60))


@pytest.fixture(scope="session")
def page_of_few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run with 45 trials, of which 30 are in the run that it is compared with."""
    folder = tmp_path_factory.mktemp("few")
    base = store_synthetic(folder, Kind(30, reports=30))
    return _page(folder, Kind(45, reports=30, seed=1, shift=0.05), base)


def _page(folder: Path, kind: Kind, base: Path | None = None) -> Path:
    target = folder / "page.html"
    write(build(store_synthetic(folder, kind), base, target=target), target)
    return target
