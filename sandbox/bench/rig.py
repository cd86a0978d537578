"""What each benchmark runs on: a durable sandbox of its own, with the probe queue, a worker and a bridge to start."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import django
import redis
from django.core.management import call_command
from django.db import connection

from balansity.processes import BRIDGE, WORKER, for_python
from bridge import wakeup
from bridge.wakeup import Method
from sandbox.bench.processors import processor_seconds
from sandbox.packages import CHECKOUT
from sandbox.probe.apps import QUEUE
from sandbox.services.postgres import Postgres
from sandbox.services.sandbox import Sandbox, without_services_of_others

PATIENCE_SECONDS = 600.0
# How the question begins whether a queue is empty; whoever counts statements leaves these out.
ANY_LEFT = "SELECT EXISTS (SELECT FROM pgmq.q_"


@dataclass
class Rig:
    """A running sandbox, with Django set up in this process. Everything that was started ends with the block."""

    folder: Path
    broker: "redis.Redis"
    postgres: Postgres
    _processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Of the broker."""
        return os.environ["REDIS_URL"]

    def start(self, *command: str, **variables: str) -> "subprocess.Popen[bytes]":
        """Start `python …` with the sandbox's environment; its output goes to a log in the sandbox."""
        return self.start_inside((), *command, **variables)

    def start_inside(self, inside: tuple[str, ...], /, *command: str, **variables: str) -> "subprocess.Popen[bytes]":
        """The same, with words of a program before it that runs it elsewhere."""
        with (self.folder / "processes.log").open("ab") as log:
            process = subprocess.Popen(
                [*inside, sys.executable, *command],
                cwd=CHECKOUT,
                env={**os.environ, **variables},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def start_worker(self, **variables: str) -> "subprocess.Popen[bytes]":
        worker = self.start(*for_python(WORKER, "-n", "bench@%h", "-Q", "probe"), **variables)
        # A bound queue is a worker that listens.
        await_true(lambda: bool(self.broker.exists("_kombu.binding.probe")), seconds=60)
        return worker

    def start_bare_worker(self, children: int) -> "subprocess.Popen[bytes]":
        """Celery's own worker, with nothing of ours in it."""
        program = for_python(WORKER[:1], "-b", self.url, "worker", "-c", str(children), "-Q", "bare")
        worker = self.start(*program)
        await_true(lambda: bool(self.broker.exists("_kombu.binding.bare")), seconds=60)
        return worker

    def start_bridge(self, queue: str = QUEUE, **variables: str) -> "subprocess.Popen[bytes]":
        bridge = self.start(*for_python(BRIDGE, "--queue", queue), **variables)
        name = f"%:{bridge.pid}@%"
        query = "SELECT EXISTS (SELECT FROM bridge_bridgeprocess WHERE name LIKE %s)"
        await_true(lambda: bool(value(query, [name])), seconds=60)
        return bridge

    def stop(self, process: "subprocess.Popen[bytes]") -> None:
        """End a process in order, with its children, and insist that it went well."""
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
        self._processes.remove(process)
        if code:
            raise SystemExit(f"{process.args!r} ended with {code}; see {self.folder / 'processes.log'}")

    def stop_all(self) -> None:
        for process in list(self._processes):
            process.send_signal(signal.SIGTERM)
        for process in self._processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)

    def postgres_seconds(self) -> float:
        """What processors did for the whole server so far, without the session that asks."""
        return processor_seconds(self.postgres.pid) - processor_seconds(value("SELECT pg_backend_pid()"))

    def clear(self) -> None:
        """Empty the probe's queue, archive and line."""
        execute(f"TRUNCATE pgmq.q_{QUEUE}, pgmq.a_{QUEUE}, probe_proberun")
        self.broker.delete("probe")


@contextmanager
def rig(name: str, *, seed: bool = False, stand_ins: bool = False, **variables: str) -> Iterator[Rig]:
    """A `Rig` for the length of the block, on a fresh sandbox that syncs its commits as production does.

    `seed`: with families, as the demo has them. `variables` are the environment's for this process and for all that it
    starts.
    """
    own, outside = f"bench-{name}-{os.getpid()}", without_services_of_others()
    with Sandbox(own, variables=outside, seed=seed, fresh=True, keep=False, stand_ins=stand_ins) as sandbox:
        os.environ.update(sandbox.environment, DJANGO_SETTINGS_MODULE="sandbox.probe.settings", **variables)
        django.setup()
        call_command("migrate", verbosity=0)
        execute(f"SELECT pgmq.create('{QUEUE}')")
        broker = redis.Redis.from_url(sandbox.environment["REDIS_URL"], socket_timeout=10)
        built = Rig(sandbox.folder, broker, sandbox.postgres)
        try:
            yield built
        finally:
            built.stop_all()
            connection.close()
            built.broker.close()


def execute(statement: str, values: list[Any] | dict[str, Any] | None = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def value(statement: str, values: list[Any] | None = None) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        row = cursor.fetchone()
    return row[0] if row else None


def await_true(condition: Callable[[], bool], *, seconds: float = PATIENCE_SECONDS, every: float = 0.01) -> None:
    """Wait until `condition()`, or end the benchmark with a message when it does not come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"gave up after {seconds:.0f} s; the logs of the processes are in the sandbox's folder")
        time.sleep(every)


def await_empty(queue: str = QUEUE, *, seconds: float = PATIENCE_SECONDS, every: float = 0.02) -> None:
    """Wait until every message has gone to the archive."""
    # Any row left? The cheap question: counting 10 000 rows again and again would cost what is measured.
    query = f"{ANY_LEFT}{queue})"
    await_true(lambda: not value(query), seconds=seconds, every=every)


def install_trigger(queue: str = QUEUE) -> None:
    """Let messages wake the bridge as they do in production."""
    installed = wakeup.install(queue, Method.TRIGGER)
    if installed.problem:
        raise SystemExit(f"{installed.statement} was refused: {installed.problem}")


def send(count: int, body: str = "{}") -> None:
    """Commit `count` messages at once."""
    execute("SELECT pgmq.send_batch(%s, array(SELECT %s::jsonb FROM generate_series(1, %s)))", [QUEUE, body, count])
