"""How many connections each kind of process really holds, to Postgres and to the broker, idle and at work."""

import argparse
import os
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psutil
import requests

from balansity.processes import BEAT, BRIDGE, WEB, WORKER, for_python
from sandbox.bench.processors import tree
from sandbox.bench.report import Figure
from sandbox.bench.rig import Rig, await_empty, await_true, install_trigger, rig, send, value
from sandbox.services.process import free_port
from sandbox.tokens import access_token

CALLERS = 16
MESSAGES = 200
WORK_SECONDS, IDLE_SECONDS = 5.0, 12.0
# From `docs/operations.md`: what each may hold of Postgres.
MOST = {"web": 8, "worker": 2, "bridge": 2, "beat": 0}
POSTGRES, BROKER = "Postgres", "broker"


def measure(_options: argparse.Namespace) -> tuple[list[Figure], list[str]]:
    """The processes as they are started by default, by what the kernel says of their sockets."""
    with rig("growth-places") as built:
        install_trigger()
        port = free_port()
        pids = {
            "web": built.start(*for_python(WEB), API_PORT=str(port), API_THROTTLE_DEFAULT="100000").pid,
            "worker": built.start(*for_python(WORKER)).pid,
            "beat": built.start(*for_python(BEAT, "--pidfile=")).pid,
            "bridge": built.start(*for_python(BRIDGE)).pid,
        }
        address = f"http://127.0.0.1:{port}"
        await_true(lambda: _is_ready(f"{address}/health/ready"), seconds=120, every=0.5)
        servers = {POSTGRES: _port(os.environ["DATABASE_URL"]), BROKER: _port(built.url)}
        with _peaks(pids, servers) as busy:
            _work(address)
        others, known = _foreign(built, pids, servers)
        # Web processes close what nobody used for some seconds.
        time.sleep(IDLE_SECONDS)
        idle = _counted(pids, servers)
    figures = []
    for server in servers:
        for kind in pids:
            most = MOST[kind] if server == POSTGRES else None
            figures.append(Figure(f"{kind} to {server}, at work", busy[kind, server], "connections", most=most))
            figures.append(Figure(f"{kind} to {server}, idle", idle[kind, server], "connections"))
        figures.append(Figure(f"all to {server}, at work", sum(busy[kind, server] for kind in pids), "connections"))
        figures.append(Figure(f"{server}'s own count - the kernel's", others[server] - known[server], "connections"))
    return figures, [
        f"{CALLERS} callers at once and {MESSAGES} messages; two web processes of four threads, two children;",
        "at work is the most that was seen of each kind, and these need not be at the same moment",
    ]


def _work(address: str) -> None:
    ended = time.monotonic() + WORK_SECONDS
    headers = {"Authorization": f"Bearer {access_token(str(uuid.uuid4()))}"}

    def call() -> None:
        while time.monotonic() < ended:
            requests.get(f"{address}/api/payments", headers=headers, timeout=20)

    callers = [threading.Thread(target=call) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    send(MESSAGES, '{"note": true, "seconds": 0.02}')
    await_empty(every=0.05)
    for caller in callers:
        caller.join()


@contextmanager
def _peaks(pids: dict[str, int], servers: dict[str, int]) -> Iterator[Counter[tuple[str, str]]]:
    """The most that was seen of each within the block."""
    most: Counter[tuple[str, str]] = Counter()
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            for key, number in _counted(pids, servers).items():
                most[key] = max(most[key], number)
            ended.wait(0.02)

    thread = threading.Thread(target=look)
    thread.start()
    yield most
    ended.set()
    thread.join()


def _counted(pids: dict[str, int], servers: dict[str, int]) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    kinds = {port: server for server, port in servers.items()}
    for kind, pid in pids.items():
        for process in tree(pid):
            for remote in _remote_ports(process):
                if remote in kinds:
                    found[kind, kinds[remote]] += 1
    return found


def _remote_ports(process: psutil.Process) -> list[int]:
    try:
        sockets = process.net_connections("tcp")
    except psutil.NoSuchProcess:
        return []
    # A socket that a child has inherited and does not use is one of two ends that are counted once, by the parent.
    return [one.raddr.port for one in sockets if one.raddr and one.status == psutil.CONN_ESTABLISHED]


def _foreign(built: Rig, pids: dict[str, int], servers: dict[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    """What the servers themselves count at this moment, without our own questions, and what the kernel does."""
    ports: Callable[[str], int] = lambda server: sum(  # noqa: E731
        number for (_, one), number in _counted(pids, servers).items() if one == server
    )
    theirs = {
        POSTGRES: value("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'balansity%%'") - 1,
        BROKER: len(built.broker.client_list()) - 1,
    }
    return theirs, {server: ports(server) for server in servers}


def _port(url: str) -> int:
    return int(urlsplit(url).port or 0)


def _is_ready(address: str) -> bool:
    try:
        return bool(requests.get(address, timeout=10).status_code == requests.codes.ok)
    except requests.RequestException:
        return False
