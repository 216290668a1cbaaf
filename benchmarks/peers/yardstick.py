"""A fixed amount of what interpreters do, about a second of it: objects, dicts, text, and the start of a process."""

from __future__ import annotations

import json


def measure() -> int:
    """Do it."""
    total = 0
    for number in range(150_000):
        row = {"number": number, "half": number * 0.5, "name": f"model_{number}"}
        total += len(json.dumps(row))
    return total


if __name__ == "__main__":
    assert measure() > 0
