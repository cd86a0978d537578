"""Three hosts on one machine: network namespaces where they are allowed, else three addresses of the loopback."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_SECONDS = 10
_PREFIX_LENGTH = 24


@dataclass(frozen=True, slots=True)
class Host:
    """Where others reach it, and the words that stand before a command which is to run on it."""

    address: str
    inside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hosts:
    """Supabase's, that of the processes which talk to the world and to the broker, and that of the workers."""

    supabase: Host
    office: Host
    workshop: Host
    way: str


@contextmanager
def three_hosts() -> Iterator[Hosts]:
    """For the length of the block. The first host is where this process runs: what is outside is played there."""
    # Two benchmarks at once must not share addresses.
    number = os.getpid() % 250
    names = [f"balansity{os.getpid()}{letter}" for letter in "ab"]
    bridge = f"balbr{number}"
    try:
        if not _joined(bridge, names, number):
            yield Hosts(
                Host("127.0.0.1"),
                Host("127.0.0.2"),
                Host("127.0.0.3"),
                "three addresses of one network stack, as network namespaces are not allowed here",
            )
            return
        office, workshop = (
            Host(_address(number, place), ("ip", "netns", "exec", name)) for place, name in enumerate(names, 2)
        )
        way = "three network stacks (namespaces) on a switch of the kernel"
        yield Hosts(Host(_address(number, 1)), office, workshop, way)
    finally:
        # Both ends of a link go at once with one of them; with its namespace they would go some time later.
        for place in (2, 3):
            _ip("link", "delete", f"bal{number}e{place}")
        for name in names:
            _ip("netns", "delete", name)
        _ip("link", "delete", bridge)


def _address(number: int, place: int) -> str:
    return f"10.198.{number}.{place}"


def _joined(bridge: str, names: list[str], number: int) -> bool:
    """Whether all of it could be made. What was made of it before is taken down by the caller."""
    if os.geteuid() != 0:
        return False
    own = f"{_address(number, 1)}/{_PREFIX_LENGTH}"
    steps = [
        ("link", "add", bridge, "type", "bridge"),
        ("address", "add", own, "dev", bridge),
        ("link", "set", bridge, "up"),
    ]
    for place, name in enumerate(names, 2):
        end, far = f"bal{number}e{place}", f"bal{number}f{place}"
        steps += [
            ("netns", "add", name),
            ("link", "add", end, "type", "veth", "peer", "name", far, "netns", name),
            ("link", "set", end, "master", bridge, "up"),
            ("-n", name, "address", "add", f"{_address(number, place)}/{_PREFIX_LENGTH}", "dev", far),
            ("-n", name, "link", "set", far, "up"),
            # Processes of one host talk to one another by it.
            ("-n", name, "link", "set", "lo", "up"),
        ]
    return all(_ip(*step) for step in steps)


def _ip(*words: str) -> bool:
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    try:
        done = subprocess.run(
            ["ip", *words], env={**os.environ, "PATH": path}, capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
