"""What it costs that the workers, and the bridge, are thirty milliseconds away from Postgres: on three hosts."""

import argparse
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import redis

from balansity.processes import BRIDGE, WEB, WORKER, for_python
from sandbox.bench.growth.errands import Errands, mails, make_packages, payments, reports
from sandbox.bench.growth.hosts import Host, Hosts, three_hosts
from sandbox.bench.report import Figure, median
from sandbox.bench.rig import Rig, await_empty, await_true, install_trigger, rig, value
from sandbox.demo.payments.till import Till
from sandbox.services.broker import Broker
from sandbox.services.process import free_port
from sandbox.services.wire import Wire

# There and back.
FAR_MS = 30.0
CHILDREN, MANY_CHILDREN = 2, 8
COUNTS = {"mails": 40, "reports": 10, "payments": 16}
QUEUES = {
    "mails": "email_queue",
    "reports": "report_generation_queue",
    "payments": "payment_processing_queue",
}
LOOK_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Way:
    """How far workers and bridge are from Supabase, in milliseconds there and back."""

    name: str
    worker: float
    bridge: float
    children: int = CHILDREN


WAYS = (
    Way("near", 0, 0),
    Way("worker 30 ms away", FAR_MS, 0),
    Way("worker and bridge 30 ms away", FAR_MS, FAR_MS),
    Way("both 30 ms away, 8 children", FAR_MS, FAR_MS, MANY_CHILDREN),
)


@dataclass(slots=True)
class Cell:
    rates: list[float] = field(default_factory=list)
    worker_turns: list[float] = field(default_factory=list)
    bridge_turns: list[float] = field(default_factory=list)


class Place:
    """The three hosts with what runs on them. What is outside is reached over wires, and nothing else of it is."""

    def __init__(self, built: Rig, hosts: Hosts, stack: ExitStack) -> None:
        self._built, self._hosts, self._stack = built, hosts, stack
        self._near = os.environ
        self._tills: dict[Host, Wire] = {}
        postgres = int(urlsplit(self._near["DATABASE_URL"]).port or 0)
        self.worker_wire = self._wire("postgres-of-worker", postgres)
        self.bridge_wire = self._wire("postgres-of-bridge", postgres)
        # Supabase's storage is where its Postgres is; the till and the mail server are where the workers are.
        self.storage_wire = self._wire("storage", int(urlsplit(self._near["SUPABASE_URL"]).port or 0))
        smtp = self._wire("smtp", int(self._near["SMTP_PORT"]))
        self._till = self._wire("till", int(urlsplit(self._near["YUKASSA_API_URL"]).port or 0))
        self._broker = Broker(_folder(built), host=hosts.office.address, inside=hosts.office.inside)
        self._broker.start()
        stack.callback(self._broker.stop)
        self._line = redis.Redis.from_url(self._broker.url(), socket_timeout=10)
        stack.callback(self._line.close)
        self._everywhere = {
            "REDIS_URL": self._broker.url(),
            "SMTP_HOST": smtp.host,
            "SMTP_PORT": str(smtp.port),
            "SUPABASE_URL": _through(self._near["SUPABASE_URL"], self.storage_wire),
            "API_THROTTLE_DEFAULT": "100000",
        }

    def go(self, way: Way) -> None:
        self.worker_wire.lengthen(way.worker / 2)
        self.storage_wire.lengthen(way.worker / 2)
        self.bridge_wire.lengthen(way.bridge / 2)

    def start_web(self) -> str:
        host, port = self._hosts.office, free_port()
        asked = {"API_HOST": host.address, "API_PORT": str(port), "WEB_CONCURRENCY": "1"}
        self._start(host, self.bridge_wire, for_python(WEB), **asked)
        address = f"http://{host.address}:{port}"
        await_true(lambda: _listens(host.address, port), seconds=60)
        return address

    @contextmanager
    def bridge(self, queue: str) -> Iterator[None]:
        query = "SELECT count(*) FROM bridge_bridgeprocess WHERE kind = 'bridge'"
        before = value(query)
        process = self._start(self._hosts.office, self.bridge_wire, for_python(BRIDGE, "--queue", queue))
        await_true(lambda: value(query) > before, seconds=60)
        yield
        self._built.stop(process)

    @contextmanager
    def worker(self, children: int) -> Iterator[None]:
        asked = {"WORKER_CONCURRENCY": str(children)}
        process = self._start(self._hosts.workshop, self.worker_wire, for_python(WORKER), **asked)
        await_true(lambda: bool(self._line.exists("_kombu.binding.email")), seconds=60)
        yield
        self._built.stop(process)
        self._line.delete("_kombu.binding.email")

    def _wire(self, name: str, to: int, **more: Any) -> Wire:
        wire = Wire(self._built.folder, name, to=to, **{"host": self._hosts.supabase.address, **more})
        wire.start()
        self._stack.callback(wire.stop)
        return wire

    def _start(
        self, host: Host, postgres: Wire, command: tuple[str, ...], **variables: str
    ) -> "subprocess.Popen[bytes]":
        asked = self._everywhere | {
            "DATABASE_URL": _through(self._near["DATABASE_URL"], postgres),
            "YUKASSA_API_URL": _through(self._near["YUKASSA_API_URL"], self._till_on(host)),
        }
        return self._built.start_inside(host.inside, *command, **asked, **variables)

    def _till_on(self, host: Host) -> Wire:
        """A sandbox takes no till for its own but one of its own host."""
        if not host.inside:
            return self._till
        if host not in self._tills:
            way = {"to_host": self._till.host, "inside": host.inside}
            self._tills[host] = self._wire(f"till-of-{host.address}", self._till.port, host="127.0.0.1", **way)
        return self._tills[host]


def measure(options: argparse.Namespace) -> tuple[list[Figure], list[str]]:
    """All ways in turn, a round after the other."""
    cells: dict[tuple[str, str], Cell] = {}
    with three_hosts() as hosts, rig("growth-distance", stand_ins=True) as built, ExitStack() as stack:
        place = Place(built, hosts, stack)
        make_packages()
        # Without a word of it, a bridge finds what was sent up to five seconds later, and that would be measured.
        for queue in QUEUES.values():
            install_trigger(queue)
        makers = _makers(place.start_web())
        for children in (CHILDREN, MANY_CHILDREN):
            ways = [way for way in WAYS if way.children == children]
            with place.worker(children):
                for kind, make in makers.items():
                    # The first ones open connections and import code.
                    place.go(ways[0])
                    with place.bridge(QUEUES[kind]):
                        _one(place, make(f"warm.{kind}.{children}.", 2 * children), Cell())
                        for number in range(1, options.rounds + 1):
                            for at, way in enumerate(ways):
                                place.go(way)
                                errands = make(f"{kind}.{children}.{number}.{at}.", COUNTS[kind])
                                _one(place, errands, cells.setdefault((kind, way.name), Cell()))
                        _tell(kind, ways, cells)
        place.go(WAYS[0])
    return _figures(cells), [
        f"hosts: {hosts.way}; delays by a proxy of our own that keeps each piece of data back;",
        f"{options.rounds} rounds of {', '.join(f'{count} {kind}' for kind, count in COUNTS.items())}, sent at once;",
        f"{CHILDREN} children where nothing else is said;",
        "a round trip is a question to Postgres whose answer is waited for, as counted on the way",
    ]


def _makers(api: str) -> dict[str, Callable[[str, int], Errands]]:
    till = Till(
        page=os.environ["SANDBOX_YOOKASSA_URL"],
        api=os.environ["YUKASSA_API_URL"],
        shop_id=os.environ["YUKASSA_SHOP_ID"],
        secret_key=os.environ["YUKASSA_SECRET_KEY"],
    )
    return {
        "mails": mails,
        "payments": lambda name, count: payments(name, count, api=api, till=till),
        "reports": reports,
    }


def _one(place: Place, errands: Errands, cell: Cell) -> None:
    before = place.worker_wire.counted(), place.bridge_wire.counted()
    started = time.monotonic()
    errands.send()
    await_empty(errands.queue, every=LOOK_SECONDS, seconds=120)
    seconds = time.monotonic() - started
    if errands.done() != errands.count:
        raise SystemExit(f"{errands.done()} of {errands.count} messages of {errands.queue} had their effect")
    worker, bridge = place.worker_wire.counted().since(before[0]), place.bridge_wire.counted().since(before[1])
    cell.rates.append(errands.count / seconds)
    cell.worker_turns.append(worker.turns / errands.count)
    cell.bridge_turns.append(bridge.turns / errands.count)


def _tell(kind: str, ways: list[Way], cells: dict[tuple[str, str], Cell]) -> None:
    for way in ways:
        cell = cells[kind, way.name]
        turns = f"{median(cell.worker_turns):.1f} + {median(cell.bridge_turns):.1f} round trips each"
        print(f"{kind}, {way.name}: {median(cell.rates):.1f}/s, {turns}", flush=True)


def _figures(cells: dict[tuple[str, str], Cell]) -> list[Figure]:
    figures = []
    for (kind, way), cell in cells.items():
        figures.append(Figure.of(f"{kind}; {way}", cell.rates, f"{kind}/s"))
        figures.append(Figure.of(f"{kind}; {way}: by the worker", cell.worker_turns, "round trips each"))
        figures.append(Figure.of(f"{kind}; {way}: by the bridge", cell.bridge_turns, "round trips each"))
    for kind in COUNTS:
        near, far = (cells[kind, WAYS[number].name].rates for number in (0, 1))
        figures.append(Figure.ratio(f"{kind}; near / {WAYS[1].name}", near, far))
    return figures


def _folder(built: Rig) -> Path:
    folder = built.folder / "office"
    folder.mkdir()
    return folder


def _through(url: str, wire: Wire) -> str:
    parts = urlsplit(url)
    login, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{login}{at}{wire.host}:{wire.port}"))


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True
