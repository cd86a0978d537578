"""What a queue, its archive and the probe's own table hold, read past all of our code."""

import json
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from select import select
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from tests.acceptance.waiting import wait_until


@dataclass(frozen=True, slots=True)
class Queued:
    """A message that has no outcome yet; `due_in` is in seconds, negative for a visible one."""

    read_ct: int
    vt: datetime
    due_in: float
    attempts: int


@dataclass(frozen=True, slots=True)
class Ending:
    """What stands on an archived message; `error` is its type and text."""

    outcome: str
    reason: str
    attempts: int
    error: str
    read_ct: int


@dataclass(frozen=True, slots=True)
class Run:
    """One started execution of a probe message. `recorded` was written together with the outcome."""

    attempt: int
    pid: int
    started_at: datetime
    ended_at: datetime | None
    recorded: bool


class Ledger:
    """One queue of one database. Keeps a connection, as each costs Postgres a process, and whoever waits asks often.

    A restart of Postgres does not disturb it: where that has hung up, the next question opens another.
    """

    def __init__(self, url: str, queue: str, *, create: bool = False) -> None:
        self.queue = queue
        self._url = url
        self._kept: Connection | None = None
        if create:
            self.execute("SELECT pgmq.create(%s)", [queue])
        found = self.rows(
            "SELECT FROM information_schema.columns"
            " WHERE table_schema = 'pgmq' AND table_name = %s AND column_name = 'headers'",
            [f"q_{queue}"],
        )
        self.has_headers = bool(found)
        self._history = "coalesce(headers -> 'bridge', '{}')" if found else "coalesce(message -> '_bridge', '{}')"
        # A forged count may be anything.
        self._attempts = f"coalesce(substring({self._history} ->> 'attempts' FROM '^\\d{{1,9}}$')::int, 0)"

    def send(self, body: Any, *, delay: int = 0) -> int:
        return self.send_text(json.dumps(body), delay=delay)

    def send_text(self, text: str, *, delay: int = 0) -> int:
        """Send what Postgres takes for JSON, whether Python can read it or not."""
        return int(self.rows("SELECT pgmq.send(%s, %s::jsonb, %s)", [self.queue, text, delay])[0][0])

    def send_many(self, bodies: Iterable[Any]) -> list[int]:
        """Send all in one transaction, in this order."""
        texts = [json.dumps(body) for body in bodies]
        return [msg_id for (msg_id,) in self.rows("SELECT pgmq.send_batch(%s, %s::jsonb[])", [self.queue, texts])]

    def forge_history(self, msg_id: int, text: str) -> None:
        """Put JSON of any kind where the bridge keeps its notes, as a sender could."""
        column, key = ("headers", "bridge") if self.has_headers else ("message", "_bridge")
        self.execute(
            f"UPDATE pgmq.q_{self.queue} SET {column} = coalesce({column}, '{{}}') || jsonb_build_object(%s, %s::jsonb)"
            " WHERE msg_id = %s",
            [key, text, msg_id],
        )

    def queued(self) -> dict[int, Queued]:
        rows = self.rows(
            f"SELECT msg_id, read_ct, vt, extract(epoch FROM vt - clock_timestamp())::float8,"
            f" {self._attempts} FROM pgmq.q_{self.queue}"
        )
        return {msg_id: Queued(*rest) for msg_id, *rest in rows}

    def endings(self) -> dict[int, Ending]:
        history = self._history
        rows = self.rows(
            f"SELECT msg_id, coalesce({history} ->> 'outcome', ''), coalesce({history} ->> 'reason', ''),"
            f" {self._attempts}, coalesce(nullif(concat_ws(': ',"
            f" {history} -> 'last_error' ->> 'type', {history} -> 'last_error' ->> 'message'), ''), ''), read_ct"
            f" FROM pgmq.a_{self.queue}"
        )
        return {msg_id: Ending(*rest) for msg_id, *rest in rows}

    def await_ending(self, msg_id: int, *, seconds: float = 60) -> Ending:
        return self.await_endings([msg_id], seconds=seconds)[msg_id]

    def await_endings(self, msg_ids: Iterable[int], *, seconds: float = 60) -> dict[int, Ending]:
        """Wait until all are archived, and return how they ended."""
        wanted = set(msg_ids)
        query = f"SELECT msg_id FROM pgmq.a_{self.queue} WHERE msg_id = ANY(%s)"

        def all_ended() -> bool:
            return len(self.rows(query, [list(wanted)])) == len(wanted)

        wait_until(all_ended, f"all {len(wanted)} messages of {self.queue} have an outcome", seconds=seconds)
        return {msg_id: ending for msg_id, ending in self.endings().items() if msg_id in wanted}

    def await_attempt(self, msg_id: int, attempt: int = 1, *, seconds: float = 60) -> None:
        """Wait until this attempt was counted, that is, until a worker started it."""

        def started() -> bool:
            message = self.queued().get(msg_id)
            return message is not None and message.attempts >= attempt

        wait_until(started, f"attempt {attempt} of {self.queue} {msg_id} starts", seconds=seconds)

    def runs(self, msg_id: int) -> list[Run]:
        return self.all_runs().get(msg_id, [])

    def runs_of(self, msg_ids: Iterable[int]) -> list[list[Run]]:
        """The executions of each of them."""
        runs = self.all_runs()
        return [runs.get(msg_id, []) for msg_id in msg_ids]

    def all_runs(self) -> dict[int, list[Run]]:
        """The executions of each probe message that was sent with `note`, in the order of their start."""
        rows = self.rows(
            "SELECT msg_id, attempt, pid, started_at, ended_at, recorded"
            " FROM balansity.probe_proberun ORDER BY started_at, id"
        )
        runs: dict[int, list[Run]] = {}
        for msg_id, *rest in rows:
            runs.setdefault(msg_id, []).append(Run(*rest))
        return runs

    def await_run(self, msg_id: int, *, seconds: float = 60) -> Run:
        """Wait until the message runs and return its first execution."""
        return wait_until(lambda: self.runs(msg_id), f"{self.queue} {msg_id} runs", seconds=seconds)[0]

    @contextmanager
    def locked(self, msg_id: int) -> Iterator[None]:
        """Hold the row of a message, so that nobody can write its outcome meanwhile."""
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT FROM pgmq.q_{self.queue} WHERE msg_id = %s FOR UPDATE", [msg_id])
            assert cursor.rowcount == 1
            yield

    def await_blocked(self) -> list[int]:
        """Wait until the outcome is on its way and waits for the row; returns the sessions that brought it."""
        query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return [pid for (pid,) in wait_until(lambda: self.rows(query), "an outcome waits for its row")]

    def let_lease_run_out(self, msg_id: int) -> None:
        """As much time passes as an attempt may take, and the test need not."""
        self.make_visible([msg_id])

    def make_visible(self, msg_ids: list[int]) -> None:
        self.execute(f"UPDATE pgmq.q_{self.queue} SET vt = clock_timestamp() WHERE msg_id = ANY(%s)", [msg_ids])

    def exists(self, rows: str) -> bool:
        """Whether there is a row in `rows`: a table's name, with a condition if need be."""
        return bool(self.rows(f"SELECT EXISTS (SELECT FROM {rows})")[0][0])

    def execute(self, statement: str, values: list[Any] | None = None) -> None:
        with self._connection().cursor() as cursor:
            cursor.execute(statement, values)

    def rows(self, query: str, values: list[Any] | None = None) -> list[tuple[Any, ...]]:
        with self._connection().cursor() as cursor:
            cursor.execute(query, values)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows

    def _connection(self) -> Connection:
        # Postgres says unasked that it has ended a session.
        if self._kept is None or self._kept.closed or select([self._kept], [], [], 0)[0]:
            self._kept = self._connect()
            # Nothing of it stays open between two questions.
            self._kept.autocommit = True
        return self._kept

    def _connect(self) -> Connection:
        return psycopg2.connect(self._url, connect_timeout=10, application_name="ledger")
