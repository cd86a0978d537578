"""What a benchmark has to know of a peer: how it is set up, started, sent to, and how one sees that it is done."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
import redis
from psycopg2.extensions import connection as Connection

from sandbox.bench.peers.environments import interpreter, versions

APPS = Path(__file__).with_name("apps")
EFFECTS = """
CREATE TABLE IF NOT EXISTS peer_effect (
    id bigserial PRIMARY KEY, number int NOT NULL, pid int NOT NULL, started_at double precision NOT NULL
);
CREATE TABLE IF NOT EXISTS peer_recorded (id bigserial PRIMARY KEY, number int NOT NULL);
"""
# Far behind whatever a lease or a retry hides.
HIDDEN_FOR = "interval '30 days'"
SOON = "now() + interval '1 day'"


@dataclass(frozen=True, slots=True)
class Work:
    """What one message asks for. `record` asks ours for a row in the transaction of the outcome as well."""

    ms: float = 0
    write: bool = False
    record: bool = False


NOTHING = Work()
LARGE = 1_000


def answer(connection: Connection, statement: str, values: Sequence[Any] | None = None) -> Any:
    """The first value of the first row, if the statement has any."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        row = cursor.fetchone() if cursor.description else None
    return row[0] if row else None


@dataclass
class Place:
    """Where a peer runs: a database of its own on the common server, a number of the common broker."""

    url: str
    redis_url: str
    log: Path
    connection: Connection = field(init=False)
    broker: "redis.Redis" = field(init=False)

    def __post_init__(self) -> None:
        self.connection = psycopg2.connect(self.url, connect_timeout=10)
        self.connection.autocommit = True
        self.broker = redis.Redis.from_url(self.redis_url, socket_timeout=30)

    def value(self, statement: str, values: Sequence[Any] | None = None) -> Any:
        return answer(self.connection, statement, values)

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """For processes of a peer: nothing of ours but the addresses."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        addresses = {"PEER_DATABASE_URL": self.url, "PEER_REDIS_URL": self.redis_url}
        return {**kept, **addresses, "PEER_PGMQ_URL": self.url.replace("postgres://", "pgmq://", 1), **more}

    def close(self) -> None:
        self.connection.close()
        self.broker.close()


@dataclass(frozen=True, slots=True)
class Part:
    """A process to start. `role` says which column its costs stand in."""

    role: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    cwd: Path = APPS


class Failed(Exception):
    """This peer does not do its work here; the others are measured all the same."""


class Peer:
    """One of those that are compared. Each subclass is one of them; an attribute that is left out is the usual."""

    name: str
    title: str
    # How it is set up, for the reader of the table.
    about: str
    lock: str = ""
    python: tuple[int, int] = (3, 11)
    packages: tuple[str, ...] = ()
    # Program of `apps` that sends, and what else it and the workers find in their environment.
    sends_with: str = ""
    variables: Mapping[str, str] = {}
    # A queue of one message every half second needs other numbers than the rest.
    slow: bool = False
    # Whether it writes a row with the outcome beside the work's own.
    records: bool = False
    # Why a scenario makes no sense for it, by the scenario's name.
    without: Mapping[str, str] = {}

    def __init__(self) -> None:
        self._interpreter: Path | None = None

    def install(self) -> dict[str, str]:
        """Make its environment; returns its versions. Raises `Unavailable`."""
        self._interpreter = interpreter(self.lock, least=self.python)
        return versions(self._interpreter, self.packages)

    @property
    def interpreter(self) -> str:
        return str(self._interpreter or sys.executable)

    def prepare(self, place: Place) -> None:
        """Make its tables in the empty database of `place`."""
        place.value(EFFECTS)

    def parts(self, place: Place, lease: int) -> list[Part]:
        """What runs: two pieces of work at once, altogether. `lease` bounds what a kill delays; 0 is its default."""
        raise NotImplementedError

    def sender(self, place: Place) -> "Sender":
        """Somebody who sends in the library's own way."""
        command = (self.interpreter, self.sends_with)
        return ProcessSender(self.run_environment(place), command, place.log)

    def run_environment(self, place: Place, lease: int = 0) -> dict[str, str]:
        more = {**self.variables, **({"PEER_LEASE": str(lease)} if lease else {})}
        return place.environment(more)

    def busy(self, place: Place) -> bool:
        """Whether a message that is due waits or runs. Cheap, as it is asked while the clock runs."""
        return bool(place.value(f"SELECT EXISTS ({self.due})"))

    def left(self, place: Place) -> int:
        """How many messages that are due have no outcome yet."""
        return int(place.value(f"SELECT count(*) FROM ({self.due}) AS due"))

    # `SELECT … FROM …` of the messages that are due.
    due: str = ""
    # Statements that empty it.
    emptied: tuple[str, ...] = ()
    # A statement that adds `%(count)s` messages that are hidden for a month.
    hidden: str = ""

    def clear(self, place: Place) -> None:
        """Forget all messages and effects; nothing of it runs now."""
        for statement in (*self.emptied, "TRUNCATE peer_effect, peer_recorded RESTART IDENTITY"):
            place.value(statement)

    def hide(self, place: Place, count: int) -> None:
        place.value(self.hidden, {"count": count})  # type: ignore[arg-type]
        # VACUUM runs on its own.
        place.value("VACUUM ANALYZE")

    def tool(self, place: Place, *command: str) -> None:
        """Run one of its own commands to the end."""
        environment = self.run_environment(place)
        done = subprocess.run(
            command, cwd=APPS, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode:
            raise Failed(f"{' '.join(command[1:])} failed:\n{done.stderr[-2000:]}")


class Sender:
    """Sends messages `first` … `first + count - 1`; returns the Unix time at which it was called."""

    def send(self, count: int, work: Work = NOTHING, *, first: int = 1) -> float:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing is open."""


class SqlSender(Sender):
    """For queues that are filled by SQL: Supabase's own way."""

    def __init__(self, place: Place, queue: str, *, records: bool = False) -> None:
        self._place, self._queue, self._records = place, queue, records

    def send(self, count: int, work: Work = NOTHING, *, first: int = 1) -> float:
        called_at = time.time()
        body = {"ms": work.ms, "write": work.write, **({"record": True} if self._records and work.record else {})}
        self._place.value(
            "SELECT count(*) FROM pgmq.send_batch(%s, array(SELECT jsonb_build_object('number', n) || %s::jsonb"
            " FROM generate_series(%s, %s) AS n))",
            [self._queue, json.dumps(body), first, first + count - 1],
        )
        return called_at


class ProcessSender(Sender):
    """For libraries: a producer in the peer's own environment."""

    def __init__(self, environment: Mapping[str, str], command: Sequence[str], log: Path) -> None:
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                command,
                cwd=APPS,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        self._answer()

    def send(self, count: int, work: Work = NOTHING, *, first: int = 1) -> float:
        asked = {"first": first, "count": count, "ms": work.ms, "write": work.write}
        if self._process.stdin is None:
            raise Failed("a producer without an ear")
        print(json.dumps(asked), file=self._process.stdin, flush=True)
        return float(json.loads(self._answer())["called_at"])

    def _answer(self) -> str:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise Failed("its producer ended")
        return line

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


class CopyingSender(Sender):
    """For those who publish one by one: a large backlog is sent once, to a queue of its own, and copied from there."""

    def __init__(self, direct: Sender, held: Callable[[str], Sender], copy: Callable[[str], None]) -> None:
        self._direct, self._held, self._copy = direct, held, copy
        self._names: dict[tuple[int, Work], str] = {}

    def send(self, count: int, work: Work = NOTHING, *, first: int = 1) -> float:
        if count < LARGE or first != 1:
            return self._direct.send(count, work, first=first)
        name = self._names.get((count, work))
        if name is None:
            name = self._names[count, work] = f"held_{len(self._names)}"
            with closing(self._held(name)) as sender:
                sender.send(count, work)
        called_at = time.time()
        self._copy(name)
        return called_at

    def close(self) -> None:
        self._direct.close()


@dataclass
class Crew:
    """The running processes of a peer."""

    peer: Peer
    place: Place
    lease: int = 0
    running: list[tuple[Part, "subprocess.Popen[bytes]"]] = field(default_factory=list)

    def start(self) -> None:
        for part in self.peer.parts(self.place, self.lease):
            self.start_part(part)

    def start_part(self, part: Part) -> "subprocess.Popen[bytes]":
        with self.place.log.open("ab") as log:
            process = subprocess.Popen(
                part.command,
                cwd=part.cwd,
                env=dict(part.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A group of its own, so that what it forks is stopped and killed with it.
                start_new_session=True,
            )
        self.running.append((part, process))
        return process

    def ended(self) -> bool:
        """Whether one of them runs no more."""
        return any(process.poll() is not None for _, process in self.running)

    def signal(self, number: signal.Signals) -> None:
        for _, process in self.running:
            send_group(process, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        for _, process in self.running:
            process.wait(30)
        self.running.clear()


def send_group(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        # It ended by itself.
        return


def await_true(condition: Callable[[], bool], *, seconds: float, every: float = 0.02) -> bool:
    """Whether it came true within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True
