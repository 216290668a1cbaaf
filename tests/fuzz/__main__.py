"""Run the targets for a while each: ``python -m tests.fuzz --seconds 300``; ``--help`` says more.

With atheris, what is tried next is guided by which code of ours the last input has reached. Where there is no atheris, as on macOS, Windows
and Python 3.10, inputs are random bytes, from which hypothesis makes values as in its own tests.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import random
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

FINDINGS = Path(".fuzz")
LONGEST = 4096
"""How many bytes an input has, at most."""

FIRST = 200
"""How many random inputs atheris begins with."""

SECONDS_EACH, MEGABYTES = 20, 3000
"""What an input may take; one that takes more is a finding."""

Target = Callable[[bytes], object]


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        "python -m tests.fuzz", description="Feeds anything to what reads the writing of others."
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="default: all, one after the other")
    parser.add_argument("--seconds", type=int, default=60, help="how long each target is run (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="another one tries other inputs (default: 0)")
    parser.add_argument("--without-atheris", action="store_true", help="random inputs, also where atheris is installed")
    parser.add_argument(
        "--replay", type=Path, metavar="FILE", help=f"run one target on an input that was kept in {FINDINGS}"
    )
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def target_of(name: str) -> Target:
    """Return what feeds bytes to a target, as hypothesis makes its values of them."""
    from tests.fuzz.targets import TARGETS

    target: Any = TARGETS[name]
    feed: Target = target.hypothesis.fuzz_one_input
    return feed


def run_all(options: argparse.Namespace) -> int:
    """Run each target in a process of its own, and say what came of it; return how many have findings."""
    from tests.fuzz.targets import TARGETS

    unknown = [name for name in options.targets if name not in TARGETS]
    if unknown:
        raise SystemExit(f"there is no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    found = 0
    for name in options.targets or TARGETS:
        command = [
            sys.executable,
            "-m",
            "tests.fuzz",
            "--child",
            name,
            f"--seconds={options.seconds}",
            f"--seed={options.seed}",
        ]
        command += ["--without-atheris"] if options.without_atheris else []
        began = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        said = done.stdout + done.stderr
        runs = max([0, *map(int, re.findall(r"(?:^#|\bDone )(\d+)", said, re.MULTILINE))])
        how = "guided by atheris" if "INITED" in said else "at random"
        outcome = "FOUND" if done.returncode else "ok"
        print(f"{name}: {runs:,} inputs in {time.monotonic() - began:.0f} s, {how}: {outcome}", flush=True)
        if done.returncode:
            found += 1
            print(said[-6000:], flush=True)
    return found


def run_child(options: argparse.Namespace) -> None:
    """Run one target in this process, until the time is over or something is found."""
    (name,) = options.targets
    FINDINGS.mkdir(exist_ok=True)
    if options.without_atheris:
        run_at_random(name, options.seconds, options.seed)
        return
    try:
        import atheris
    except ImportError:
        run_at_random(name, options.seconds, options.seed)
        return
    with atheris.instrument_imports(include=["pytest_sweep"], enable_loader_override=False):
        feed = target_of(name)
    libfuzzer = [
        f"-max_total_time={options.seconds}", f"-max_len={LONGEST}", f"-timeout={SECONDS_EACH}", f"-rss_limit_mb={MEGABYTES}",
        f"-seed={options.seed + 1}", "-len_control=0", f"-artifact_prefix={FINDINGS}/{name}-",
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as corpus:
        # From an empty input it would take long to find values that are worth reading.
        for number, content in enumerate(itertools.islice(random_inputs(options.seed), FIRST)):
            Path(corpus, str(number)).write_bytes(content)
        atheris.Setup([sys.argv[0], *libfuzzer, corpus], feed)
        atheris.Fuzz()


def random_inputs(seed: int) -> Iterator[bytes]:
    """Return inputs without an end, most of them short."""
    numbers = random.Random(seed)
    while True:
        yield numbers.randbytes(min(int(numbers.expovariate(1 / 200)), LONGEST))


def run_at_random(name: str, seconds: float, seed: int) -> None:
    """Feed random bytes to a target; keep the input of a finding."""
    feed, inputs = target_of(name), random_inputs(seed)
    until, runs = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        content = next(inputs)
        began = time.monotonic()
        try:
            feed(content)
            if time.monotonic() - began > SECONDS_EACH:
                raise TimeoutError(f"an input took {time.monotonic() - began:.0f} s")
        except BaseException:
            path = FINDINGS / f"{name}-{hashlib.sha256(content).hexdigest()[:16]}"
            path.write_bytes(content)
            traceback.print_exc()
            print(f"kept in {path}; Done {runs} runs")
            raise SystemExit(77) from None
        runs += 1
    print(f"Done {runs} runs")


def main() -> int:
    """Run what is asked for, and return the exit status."""
    options = parse()
    if options.replay is not None:
        target_of(options.targets[0])(options.replay.read_bytes())
        return 0
    if options.child:
        run_child(options)
        return 0
    return 1 if run_all(options) else 0


if __name__ == "__main__":
    sys.exit(main())
