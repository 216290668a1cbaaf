"""Runs the assorted suite as ordinary tests and as sweeps, and compares what the sessions leave behind, field by field."""

from __future__ import annotations

import difflib
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pytest_sweep.testing.sessions import SESSION_SECONDS
from tests.support import assorted_async, assorted_failing, assorted_passing, assorted_suite

FILES: Mapping[str, str] = {
    "pytest.ini": assorted_suite.INI,
    "conftest.py": assorted_suite.CONFTEST,
    "deep/conftest.py": assorted_suite.DEEP_CONFTEST,
    "deep/test_deep.py": assorted_suite.DEEP,
    "test_failing.py": assorted_failing.FAILING,
    "test_late.py": assorted_suite.LATE.replace("{fails}", ""),
    "test_late_error.py": assorted_suite.LATE.replace("{fails}", 'raise RuntimeError("torn down badly")'),
    "test_module.py": assorted_suite.SETUP_MODULE,
    "test_passing.py": assorted_passing.PASSING,
    "test_zz_last.py": assorted_suite.LAST,
}

HAS_ASYNC = find_spec("pytest_asyncio") is not None
ITEMS = 146 + (assorted_async.ITEMS if HAS_ASYNC else 0)
"""How many items the suite has: with asynchronous ones where pytest-asyncio is installed, as in the environment asyncio of tox."""

REPORT_FIELDS = (
    "order",
    "outcomes",
    "subtests",
    "tracebacks",
    "sections",
    "properties",
    "extras",
    "keywords",
    "locations",
    "durations",
)
FIELDS = (*REPORT_FIELDS, "warnings", "junit", "summary", "counts")
"""What is compared of each item."""

OURS = ("config.", "metric.", "params.", "sweep.")
"""How the properties begin that our plugin adds to those of an item."""

SESSION = "the session"
"""The item that stands for what belongs to none."""

_RESULT_WORDS = ("PASSED", "FAILED", "ERROR", "SKIPPED", "XFAIL", "XPASS", "SUB")


@dataclass(frozen=True)
class Difference:
    """A field in which an item differs between two sessions, each value as text."""

    item: str
    field: str
    left: str
    right: str

    def __str__(self) -> str:
        lines = difflib.unified_diff(
            self.left.splitlines(), self.right.splitlines(), "expected", "found", n=1, lineterm=""
        )
        return "\n".join([f"{self.item}: {self.field}", *(f"    {line[:300]}" for line in lines)])


@dataclass(frozen=True)
class AssortedSession:
    """A session of the suite that has ended: its exit status, its output and its folder."""

    status: int
    output: str
    folder: Path

    @cached_property
    def items(self) -> Mapping[str, Mapping[str, Any]]:
        """The fields of each item, by its node id; then those of `SESSION`, of each count, and of parts of the junit file."""
        items: dict[str, dict[str, list[Any]]] = defaultdict(lambda: {name: [] for name in FIELDS})
        for line in self._recorded:
            if line["kind"] == "report":
                for name, value in _report_fields(line).items():
                    is_new = value not in items[line["nodeid"]][name] or name == "order"
                    items[line["nodeid"]][name] += [value] if is_new and (value[-1] or name == "order") else []
            elif line["kind"] == "warning":
                items[line["nodeid"] or SESSION]["warnings"].append(_warning_fields(line))
        for fields in items.values():
            # In which order reports are shown is told once, by `order`.
            for name in REPORT_FIELDS[1:]:
                fields[name].sort(key=json.dumps)
        for name, case in self._cases:
            items[name]["junit"].append(case)
        for text in self._summary:
            # Those that pytest folds into one line name no item.
            named = [name for name in items if re.search(rf" {re.escape(name)}( - |$)", text)]
            items[named[0] if named else SESSION]["summary"].append(text)
        for name, count in self._counts.items():
            items[f"count of {name}"]["counts"].append(count)
        return dict(items)

    @property
    def size(self) -> int:
        """How many items have run."""
        return len({line["nodeid"] for line in self._recorded if line["kind"] == "report"})

    @property
    def _counts(self) -> Mapping[str, int]:
        (end,) = [line for line in self._recorded if line["kind"] == "end"]
        return {name: count for name, count in end.items() if name != "kind"} | {"exit status": self.status}

    @property
    def _summary(self) -> Sequence[str]:
        lines: list[str] = self._plain(self.output).splitlines()
        begin = next(at for at, line in enumerate(lines) if "short test summary info" in line)
        return sorted(line for line in lines[begin:] if line.startswith(_RESULT_WORDS))

    @cached_property
    def _recorded(self) -> Sequence[dict[str, Any]]:
        lines = (self.folder / "recorded.jsonl").read_text("utf-8").splitlines()
        return [self._plain(json.loads(line)) for line in lines]

    @property
    def _cases(self) -> Sequence[tuple[str, Any]]:
        names = {_junit_name(line["nodeid"]): line["nodeid"] for line in self._recorded if line["kind"] == "report"}
        root = ET.parse(self.folder / "junit.xml").getroot()
        suites = [_attributes(suite) for suite in root.iter("testsuite")]
        outside = [_attributes(prop) for prop in root.findall("testsuite/properties/property")]
        cases = [self._plain(_case_fields(case)) for case in root.iter("testcase")]
        named = [(names[case["classname"], case["name"]], case) for case in cases]
        return [("junit's suites", suites), ("junit's properties", outside), *named]

    def _plain(self, value: Any) -> Any:
        """Return `value` without what differs between any two sessions."""
        if isinstance(value, str):
            value = value.replace(str(self.folder), "<folder>")
            # Addresses in memory; where temporary folders are: those of a worker are in one of its own.
            value = re.sub(r"\b0x[0-9a-f]{6,}", "0x", value)
            value = re.sub(r"[^\s'\"]*/pytest-of-[^\s'\"]*/(?=test_)", "<tmp>/", value)
            # A sweep's part of an id comes first; pytest's own marks come after parametrized fixtures.
            return re.sub(r"\b([ab])-(n=1)\b", r"\2-\1", value)
        if isinstance(value, dict):
            return {name: self._plain(inner) for name, inner in value.items()}
        return [self._plain(inner) for inner in value] if isinstance(value, list) else value


def run_assorted(folder: Path, executor: str | None) -> AssortedSession:
    """Run the suite in `folder`, as ordinary tests (None) or as sweeps on `executor`, in a process of its own."""
    folder = folder / "suite"  # Its name is a keyword of the items.
    folder.mkdir(parents=True)
    kind = assorted_suite.TESTS if executor is None else assorted_suite.SWEEPS
    files = {**FILES, "kind.py": kind}
    if HAS_ASYNC:
        files |= {"test_async.py": assorted_async.ASYNC, "pytest.ini": assorted_suite.INI + assorted_async.INI}
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content, "utf-8")
    sweep = [] if executor is None else ["--sweep", f"--sweep-executor={executor}", "--sweep-max-concurrent=2"]
    command = [sys.executable, "-m", "pytest", "-rA", "--showlocals", "--junitxml=junit.xml", *sweep]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environ["COLUMNS"] = "200"  # Else lines are cut, and where depends on the length of the folder's name.
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, encoding="utf-8", errors="replace",
        timeout=SESSION_SECONDS, check=False,
    )  # fmt: skip
    return AssortedSession(done.returncode, done.stdout + done.stderr, folder)


def assert_alike(
    left: AssortedSession, right: AssortedSession, field: str, known: Mapping[tuple[str, str], str]
) -> None:
    """Assert that no item differs in `field`, but where `known` says so, by item and field; and there it must differ."""
    found = {(one.item, one.field): one for one in differences(left, right, field)}
    unknown = [str(one) for key, one in found.items() if key not in known]
    gone = [
        f"{key[0]}: {field} do not differ any more: {reason}"
        for key, reason in known.items()
        if key[1] == field and key not in found
    ]
    if unknown or gone:  # No `assert`, which would show the sessions too.
        raise AssertionError("\n".join(unknown + gone))


def differences(left: AssortedSession, right: AssortedSession, field: str) -> list[Difference]:
    """Return the items that differ in `field`."""
    found = []
    for item in sorted({*left.items, *right.items}):
        values = [json.dumps(side.items.get(item, {}).get(field), indent=1) for side in (left, right)]
        if values[0] != values[1]:
            found.append(Difference(item, field, *values))
    return found


def _report_fields(line: Mapping[str, Any]) -> dict[str, Any]:
    # The mark is what makes the item, and a sweep's trials have keywords for -k of the form :key:value:.
    keywords = [word for word in line["keywords"] if word not in ("sweep", "parametrize") and not word.startswith(":")]
    phase = [line["when"], (line["subtest"] or [None])[0]]
    return {
        "order": phase,
        "outcomes": [*phase, line["type"], line["wasxfail"], line["outcome"]],
        "subtests": line["subtest"] or [None],
        "tracebacks": [*phase, line["text"].splitlines()],
        "sections": [*phase, [[name, text.splitlines()] for name, text in line["sections"]]],
        "properties": [*phase, [prop for prop in line["properties"] if not prop[0].startswith(OURS)]],
        "extras": [*phase, line["extra"]],
        "keywords": [*phase, keywords],
        "locations": [*phase, line["location"]],
        "durations": [*phase, line["timed"]],
    }


def _warning_fields(line: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name not in ("kind", "nodeid")}


def _junit_name(nodeid: str) -> tuple[str, str]:
    """Return the class name and the name of the item's test case."""
    path, *classes, name = re.split(r"::(?![^\[]*\])", nodeid)
    return ".".join([path.removesuffix(".py").replace("/", "."), *classes]), name


def _attributes(element: ET.Element) -> dict[str, str]:
    return {name: value for name, value in element.attrib.items() if name not in ("time", "timestamp", "hostname")}


def _case_fields(case: ET.Element) -> dict[str, Any]:
    return {
        **_attributes(case),
        "properties": [_attributes(prop) for prop in case.iter("property") if not prop.attrib["name"].startswith(OURS)],
        "children": [
            [child.tag, _attributes(child), (child.text or "").splitlines()]
            for child in case
            if child.tag != "properties"
        ],
    }
