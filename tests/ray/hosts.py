"""Several machines on this one: network namespaces with addresses of their own, joined by a switch in one more."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.sessions import LIMIT, kill, wait_for

NETWORK = "10.77.0"
PORT = 6379
AUTHENTICATION = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
"""What every process on the hosts must have; whose HOME has a token, or none, does not matter."""


class Host:
    """A machine: its processes share a network of their own, and see this machine's files, except those that are hidden from them.

    Args:
        name: of its network namespace.
        address: in the network of the hosts.
        hidden: folders that are empty for its processes.
    """

    def __init__(self, name: str, address: str, hidden: Sequence[Path] = ()) -> None:
        self.name = name
        self.address = address
        # Ray finds other Rays on its machine through this folder, and sockets: each host has one of its own.
        mounts = [f"mkdir -p '{folder}' && mount -t tmpfs hidden '{folder}'" for folder in (Path("/tmp/ray"), *hidden)]
        script = " && ".join([*mounts, "echo ready", "exec sleep infinity"])
        self._first = subprocess.Popen(
            ["ip", "netns", "exec", name, "unshare", "--mount", "sh", "-c", script], stdout=subprocess.PIPE, text=True
        )
        assert self._first.stdout is not None
        with self._first.stdout as said:
            assert said.readline() == "ready\n"

    def command(self, *command: str) -> list[str]:
        """Return `command` so that it runs on this host."""
        return ["nsenter", f"--target={self._first.pid}", "--net", "--mount", "--", *command]

    def start_ray(self, head: Host | None = None, labels: Mapping[str, str] | None = None, **options: Any) -> None:
        """Start Ray here, as a node of the cluster of `head`; without it as the head itself.

        Args:
            head: whom to join.
            labels: of the node.
            options: further options of ``ray start``, such as ``num_cpus``.
        """
        where = (
            [f"--address={head.address}:{PORT}"] if head else ["--head", f"--port={PORT}", "--include-dashboard=false"]
        )
        given = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        given += ["--labels=" + ",".join(f"{name}={value}" for name, value in labels.items())] if labels else []
        ray = [sys.executable, "-m", "ray.scripts.scripts", "start", f"--node-ip-address={self.address}"]
        command = self.command(*ray, *where, *given, "--disable-usage-stats")
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=LIMIT, env=environ(), cwd="/", check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def run(self, *command: str) -> str:
        """Run a command here, and return what it prints."""
        done = subprocess.run(
            self.command(*command), capture_output=True, text=True, timeout=LIMIT, env=environ(), check=True
        )
        return done.stdout

    def kill(self) -> None:
        """Pull the plug: every process of this host dies at once."""
        for pid in self._pids():
            kill(pid)
        self._first.wait(LIMIT)
        wait_for(self._has_none_left, f"the end of {self.name}")

    def cut(self) -> None:
        """Pull the network cable."""
        _ip("-n", self.name, "link", "set", "eth0", "down")

    def heal(self) -> None:
        """Put the network cable back."""
        _ip("-n", self.name, "link", "set", "eth0", "up")
        self.route()

    def route(self) -> None:
        """Have it send there what is for the rest of the world: by that route Ray finds out which address is its own."""
        _ip("-n", self.name, "route", "replace", "default", "dev", "eth0")

    def _has_none_left(self) -> bool:
        for pid in self._pids():  # One that was being started when the others were killed.
            kill(pid)
        return not self._pids()

    def _pids(self) -> list[int]:
        done = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=False)
        return [int(pid) for pid in done.stdout.split()]


class Hosts:
    """Makes hosts, and ends them with every process on them.

    Args:
        prefix: of the names of their namespaces; at most nine characters.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._switch = f"{prefix}-sw"
        self._hosts: list[Host] = []
        _ip("netns", "add", self._switch)
        _ip("-n", self._switch, "link", "add", "switch", "type", "bridge")
        _ip("-n", self._switch, "link", "set", "switch", "up")

    def add(self, *hidden: Path) -> Host:
        """Return a new host, without Ray, that does not see what is in the folders `hidden`."""
        number = len(self._hosts) + 1
        name = f"{self._prefix}-{number}"
        _ip("netns", "add", name)
        host = Host(name, f"{NETWORK}.{number}", hidden)
        self._hosts.append(host)
        port = f"port{number}"
        _ip("-n", self._switch, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", host.name)
        _ip("-n", self._switch, "link", "set", port, "master", "switch", "up")
        _ip("-n", host.name, "address", "add", f"{host.address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", host.name, "link", "set", device, "up")
        host.route()
        return host

    def close(self) -> None:
        """End them all."""
        for host in self._hosts:
            host.kill()
            _ip("netns", "delete", host.name)
        _ip("netns", "delete", self._switch)


@contextmanager
def machines() -> Iterator[Hosts]:
    """Give hosts, which are ended at the end; skips where this machine cannot make any."""
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("hosts of our own need Linux, root, and `ip` of Debian's iproute2")
    try:
        hosts = Hosts(f"sw{os.getpid()}")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespace can be made here: {error.stderr}")
    try:
        yield hosts
    finally:
        hosts.close()


def environ() -> dict[str, str]:
    """Return the environment of a Ray that wants tokens."""
    return {**os.environ, **AUTHENTICATION, "HOME": str(Path.home())}


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
