"""What TLS to the broker costs a message: a private authority, and a certificate of each client as well."""

import argparse
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import redis

from balansity.processes import WORKER, for_python
from sandbox.bench.processors import processor_seconds
from sandbox.bench.report import Figure
from sandbox.bench.rig import Rig, await_empty, await_true, install_trigger, rig, send
from sandbox.services.authority import Authority
from sandbox.services.wire import Wire

BACKLOG = 1_500


@dataclass(slots=True)
class Line:
    """A way to the broker, its worker, and what was measured, round by round. Numbers keep the two lines apart."""

    url: str
    worker: int = 0
    rates: list[float] = field(default_factory=list)
    worker_ms: list[float] = field(default_factory=list)
    bridge_ms: list[float] = field(default_factory=list)


def measure(options: argparse.Namespace) -> tuple[list[Figure], list[str]]:
    """The same broker over two ways that differ in TLS alone, in turn."""
    with rig("growth-tls") as built, ExitStack() as stack:
        install_trigger()
        plain, encrypted = _lines(built, stack)
        for line in (plain, encrypted):
            line.worker = _start_worker(built, line)
        for number in range(options.rounds + 1):
            for line in (plain, encrypted):
                # The first one opens connections and imports code.
                _one(built, line, is_first=number == 0)
    names = {"redis://": plain, "rediss://": encrypted}
    return [
        *(Figure.of(name, line.rates, "messages/s") for name, line in names.items()),
        *(
            Figure.of(f"{name}: processor of the worker", line.worker_ms, "ms a message")
            for name, line in names.items()
        ),
        *(
            Figure.of(f"{name}: processor of the bridge", line.bridge_ms, "ms a message")
            for name, line in names.items()
        ),
        Figure.ratio("rediss:// / redis://, processor of the worker", encrypted.worker_ms, plain.worker_ms),
        Figure.ratio("rediss:// / redis://, processor of the bridge", encrypted.bridge_ms, plain.bridge_ms),
        Figure.ratio("rediss:// / redis://, messages a second", encrypted.rates, plain.rates),
    ], [
        f"{BACKLOG:,} messages without work, {options.rounds} rounds in turn, one worker with two children;",
        "TLS 1.3 ends in a process of ours before the broker, as does the plain way; its own work is not counted",
    ]


def _lines(built: Rig, stack: ExitStack) -> tuple[Line, Line]:
    authority = Authority(built.folder)
    ours = authority.issue("balansity")
    parts = urlsplit(built.url)
    wires = [
        Wire(built.folder, "plain", to=int(parts.port or 0)),
        Wire(built.folder, "tls", to=int(parts.port or 0), shows=authority.issue("redis"), believes=authority.file),
    ]
    for wire in wires:
        wire.start()
        stack.callback(wire.stop)
    files = f"ssl_ca_certs={authority.file}&ssl_certfile={ours.certificate}&ssl_keyfile={ours.key}"
    there = [f":{parts.password}@127.0.0.1:{wire.port}/{number}" for number, wire in enumerate(wires, 1)]
    return Line(f"redis://{there[0]}"), Line(f"rediss://{there[1]}?{files}")


def _start_worker(built: Rig, line: Line) -> int:
    name = f"growth{time.monotonic_ns()}@%h"
    worker = built.start(*for_python(WORKER, "-n", name, "-Q", "probe"), REDIS_URL=line.url)
    with redis.Redis.from_url(line.url, socket_timeout=10) as client:
        await_true(lambda: bool(client.exists("_kombu.binding.probe")), seconds=60)
    return worker.pid


def _one(built: Rig, line: Line, *, is_first: bool) -> None:
    count = BACKLOG // 10 if is_first else BACKLOG
    bridge = built.start_bridge(REDIS_URL=line.url)
    built.clear()
    before = processor_seconds(line.worker), processor_seconds(bridge.pid)
    started = time.monotonic()
    send(count)
    await_empty()
    seconds = time.monotonic() - started
    after = processor_seconds(line.worker), processor_seconds(bridge.pid)
    built.stop(bridge)
    if is_first:
        return
    line.rates.append(count / seconds)
    line.worker_ms.append((after[0] - before[0]) * 1000 / count)
    line.bridge_ms.append((after[1] - before[1]) * 1000 / count)
    print(f"{line.url.partition(':')[0]}: {line.rates[-1]:,.0f} messages/s", flush=True)
