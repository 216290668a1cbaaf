"""Checks the types of the report page's script with TypeScript, from the npm registry. Skips that, and says so, where there is no node."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

VERSION = "5.9.3"


def main() -> int:
    """Return 1 if a type is wrong."""
    npx = shutil.which("npx")
    if npx is None:
        print("the script of the report page is not checked: there is no node (npx)")
        return 0
    command = [
        npx,
        "--yes",
        "--package",
        f"typescript@{VERSION}",
        "tsc",
        "-p",
        str(Path(__file__).with_name("tsconfig.json")),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"the script of the report page is not checked: {error}")
        return 0
    if done.returncode and "error TS" not in done.stdout:
        print(
            f"the script of the report page is not checked: TypeScript {VERSION} cannot be run: {done.stderr.strip()[-300:]}"
        )
        return 0
    print(done.stdout, end="")
    return 1 if done.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
