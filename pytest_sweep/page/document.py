"""The page itself: one HTML file with its script, its style and its data. A policy in it forbids everything else.

The data are JSON and curves, each compressed and in base64: no name can end the element that it is in, and a browser opens both with
``DecompressionStream``.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

SCRIPTS = (
    "uPlot.iife.min.js",
    "base.js",
    "data.js",
    "numbers.js",
    "state.js",
    "head.js",
    "charts.js",
    "curves.js",
    "parallel.js",
    "importance.js",
    "slices.js",
    "picked.js",
    "table.js",
    "failures.js",
    "timeline.js",
    "against.js",
    "main.js",
)
"""The parts of the script, in their order: joined they are one script. The first one is uPlot, as it was published."""

STYLES = ("uPlot.min.css", "page.css")


def page(document: Mapping[str, Any], curves: bytes, title: str) -> str:
    """Return the page.

    Args:
        document: the data; plain JSON without NaN and infinities.
        curves: the bytes of the curves.
        title: of the window.
    """
    script, style = joined(SCRIPTS), joined(STYLES)
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    # ASCII, since half a surrogate pair in a name is no UTF-8.
    content = json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode()
    parts = {
        "policy": html.escape(policy),
        "title": html.escape(title.encode("utf-8", "backslashreplace").decode()),
        "style": style,
        "data": _packed(content),
        "curves": _packed(curves),
        "script": script,
    }
    text = _read("page.html")
    for name, part in parts.items():
        before, marker, after = text.partition(f"<!--{name}-->")
        assert marker, name
        text = f"{before}{part}{after}"
    return text


def joined(names: tuple[str, ...]) -> str:
    """Return the text of these files of the page, one after the other."""
    return "\n".join(_read(name) for name in names)


def _read(name: str) -> str:
    return (files("pytest_sweep.page") / "assets" / name).read_text("utf-8")


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _packed(content: bytes) -> str:
    # Without the time: the same run gives the same page.
    return base64.b64encode(gzip.compress(content, 6, mtime=0)).decode()
