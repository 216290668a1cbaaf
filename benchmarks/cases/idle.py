"""What the plugin costs where it is installed and nobody asks for a sweep."""

from __future__ import annotations

from benchmarks.model import Case, Contestant, Mark, Round, ratio

_WITH, _WITHOUT = "pytest, plugin installed", "pytest alone"
_ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
"""Without all other plugins, which may have imported what this one would have to."""


def _milliseconds(round_: Round) -> float:
    return 1000 * (round_[_WITH]["seconds"] - round_[_WITHOUT]["seconds"])


def _cpu_milliseconds(round_: Round) -> float:
    return 1000 * (round_[_WITH]["cpu"] - round_[_WITHOUT]["cpu"])


_CONTESTANTS = (
    Contestant(_WITH, ("-m", "pytest", "-q", "-p", "pytest_sweep.plugin"), ("test_idle.py",), _ALONE),
    Contestant(_WITHOUT, ("-m", "pytest", "-q"), ("test_idle.py",), _ALONE),
)
CASES = (
    Case(
        "idle",
        "the plugin installed, --sweep not given",
        _CONTESTANTS,
        (
            Mark("more than without it", _milliseconds, 15.0, unit="ms", is_relative=False),
            Mark("more CPU than without it", _cpu_milliseconds, unit="ms", is_relative=False),
        ),
        rounds=21,
    ),
)
SHORT = (
    Case(
        "idle",
        "the plugin installed, --sweep not given",
        _CONTESTANTS,
        (Mark("of pytest without it", ratio(_WITH, _WITHOUT)),),
        rounds=5,
    ),
)
