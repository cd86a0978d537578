"""The only caller of pgmq: one method for each named query of `sql/queries.sql`.

Works with pgmq 1.4.4 (no `headers` column) to 1.13. Every write is a compare-and-set on the token; a method that
returns `None`, `False` or fewer ids than it was given says that somebody else owns the message by now.
"""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from django.db import InterfaceError, InternalError, OperationalError, ProgrammingError, connection
from django.db.backends.utils import CursorWrapper
from psycopg2 import sql
from psycopg2.errors import UndefinedTable

from bridge.errors import BridgeError
from bridge.message import Delivery, History, LastError, Message, Outcome, Reason, Token, Unreadable

# What says that Postgres cannot work for us now. InternalError: it is read-only, after a failover or with a full disk.
POSTGRES_AWAY = (OperationalError, InterfaceError, InternalError)

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,46}")


class QueueMissing(BridgeError):
    """Postgres has no such queue: create it with `select pgmq.create('name')`."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many messages of a queue are in which state; `oldest_seconds` is the age of the oldest visible one."""

    ready: int
    retrying: int
    running: int
    in_line: int
    delayed: int
    oldest_seconds: float | None

    @property
    def total(self) -> int:
        return self.ready + self.retrying + self.running + self.in_line + self.delayed


@dataclass(frozen=True, slots=True)
class FailedMessage:
    msg_id: int
    archived_at: datetime
    history: History
    reason: str
    body: Any


@cache
def _queries() -> dict[str, str]:
    text = (Path(__file__).parent / "sql" / "queries.sql").read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)[1:]
    return {
        name: re.sub(r"^--.*\n", "", body, flags=re.MULTILINE).strip()
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


class PgmqQueue:
    """One pgmq queue, reached through Django's connection. Get it from `pgmq_queue`, which keeps what it learns."""

    def __init__(self, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise QueueMissing(f"{name!r} cannot be the name of a pgmq queue")
        self.name = name
        self._statements: dict[str, str] = {}
        self._has_headers: bool | None = None

    @property
    def has_headers(self) -> bool:
        """Whether this queue's tables have the column `headers` (pgmq 1.5 and newer)."""
        if self._has_headers is None:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT to_regclass(%s) IS NOT NULL, EXISTS (SELECT FROM pg_attribute WHERE attrelid ="
                    " to_regclass(%s) AND attname = 'headers' AND NOT attisdropped)",
                    [f"pgmq.q_{self.name}"] * 2,
                )
                exists, self._has_headers = cursor.fetchone()
            if not exists:
                self._has_headers = None
                raise QueueMissing(f"there is no queue {self.name}: create it with select pgmq.create('{self.name}')")
        return bool(self._has_headers)

    def read(self, *, limit: int, lease: int) -> list[Delivery]:
        """Lease up to `limit` visible messages for `lease` seconds; oldest message first."""
        rows = self._all("read", limit=limit, lease=lease)
        read = (
            Delivery(self.name, Token(msg_id, vt), read_ct, kind, History.parse(_loaded(history)))
            for msg_id, vt, read_ct, kind, history in rows
        )
        return sorted(read, key=lambda delivery: delivery.msg_id)

    def load(self, token: Token) -> Message | None:
        """The message with its body, as long as the token opens it."""
        row = self._one("load", token)
        return self._message(row) if row else None

    def claim(self, token: Token, *, lease: int, attempts: int, trace_id: str) -> Message | None:
        """Start attempt number `attempts` under a lease of `lease` seconds."""
        row = self._one("claim", token, lease=lease, attempts=attempts, trace_id=trace_id)
        return self._message(row) if row else None

    def retry(self, token: Token, *, delay: float, error: LastError) -> datetime | None:
        """Hide the message for `delay` seconds; returns when it is due."""
        row = self._one("retry", token, name=self.name, delay=delay, last_error=_error_json(error))
        return row[0] if row else None

    def finish(
        self,
        held: Delivery | Message,
        outcome: Outcome,
        *,
        reason: Reason | None = None,
        error: LastError | None = None,
        original: int | None = None,
    ) -> bool:
        """Archive the message with its outcome. Call it in the transaction of the rows that belong to the outcome."""
        row = self._one(
            "finish",
            held.token,
            name=self.name,
            outcome=outcome.value,
            reason=reason.value if reason else None,
            last_error=_error_json(error) if error else None,
            original=original,
            trace_id=held.history.trace_id or None,
        )
        return bool(row)

    def release(self, tokens: Iterable[Token]) -> int:
        """Make messages that were leased and not started visible again; returns how many were still ours."""
        held = list(tokens)
        ids, vts = [token.msg_id for token in held], [token.vt for token in held]
        return len(self._all("release", msg_ids=ids, vts=vts)) if held else 0

    def next_due(self) -> float | None:
        """Seconds until a message turns visible, 0 or less when one is, `None` for an empty queue."""
        rows = self._all("next_due")
        return rows[0][0] if rows else None

    def counts(self) -> Counts:
        return Counts(*self._all("counts")[0])

    def archived_since(self, *, hours: int) -> dict[str | None, int]:
        return dict(self._all("archived_since", hours=hours))

    def failed(self, *, after: int = 0, limit: int = 100, reason: Reason | None = None) -> list[FailedMessage]:
        """A page of failed messages that were not put back yet, by id, with ids greater than `after`."""
        rows = self._all("failed", after=after, limit=limit, reason=reason.value if reason else None)
        return [
            FailedMessage(msg_id, archived_at, History.parse(_loaded(raw)), why or "", self._body(_loaded(body)))
            for msg_id, archived_at, raw, why, body in rows
        ]

    def lock_archived(self, msg_id: int) -> tuple[Any, Any, dict[str, Any]] | None:
        """Lock an archived message; returns its body as it was sent, the sender's headers and our history."""
        rows = self._all("lock_archived", msg_id=msg_id)
        if not rows:
            return None
        body, carrier, history = (_loaded(value) for value in rows[0])
        headers = carrier if self.has_headers and isinstance(carrier, dict) else None
        if headers is not None:
            headers = {name: value for name, value in headers.items() if name != "bridge"}
        return self._body(body), headers, history if isinstance(history, dict) else {}

    def copy_archived(self, msg_id: int) -> int:
        """Send an archived message again, with a link to the old one; returns the id of the new one."""
        query = "copy_with_headers" if self.has_headers else "copy_without_headers"
        return int(self._all(query, name=self.name, msg_id=msg_id)[0][0])

    def mark_requeued(self, msg_id: int, *, new_id: int) -> None:
        self._execute("mark_requeued", msg_id=msg_id, new_id=new_id)

    def archived_history(self, msg_id: int) -> dict[str, Any] | None:
        """What the bridge wrote on an archived message; `None` when it is not in the archive."""
        rows = self._all("archived_history", msg_id=msg_id)
        history = _loaded(rows[0][0]) if rows else None
        return history if isinstance(history, dict) else {} if rows else None

    def is_queued(self, msg_id: int) -> bool:
        return bool(self._all("is_queued", msg_id=msg_id)[0][0])

    def prune(self, *, days: int, limit: int) -> int:
        """Delete up to `limit` archived messages older than `days`; returns how many."""
        return self._execute("prune", days=days, limit=limit)

    def send(self, body: Any, *, headers: dict[str, Any] | None = None) -> int:
        """Put a message into the queue and return its id; headers need pgmq 1.5."""
        if headers is None:
            return int(self._all("send", name=self.name, body=json.dumps(body))[0][0])
        rows = self._all("send_with_headers", name=self.name, body=json.dumps(body), headers=json.dumps(headers))
        return int(rows[0][0])

    def _message(self, row: tuple[Any, ...]) -> Message:
        msg_id, vt, read_ct, enqueued_at, body, history = row
        return Message(
            queue=self.name,
            token=Token(msg_id, vt),
            read_ct=read_ct,
            enqueued_at=enqueued_at,
            body=self._body(_loaded(body)),
            history=History.parse(_loaded(history)),
        )

    def _body(self, body: Any) -> Any:
        """Return the message as it was sent: without our own key, where that lives in the message itself."""
        if self.has_headers or not isinstance(body, dict) or "_bridge" not in body:
            return body
        rest = {name: value for name, value in body.items() if name != "_bridge"}
        return rest["_original"] if set(rest) == {"_original"} else rest

    def _one(self, query: str, token: Token, **values: Any) -> tuple[Any, ...] | None:
        rows = self._all(query, msg_id=token.msg_id, vt=token.vt, **values)
        return rows[0] if rows else None

    def _all(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        with self._executed(query, values) as cursor:
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows

    def _execute(self, query: str, **values: Any) -> int:
        with self._executed(query, values) as cursor:
            return int(cursor.rowcount)

    @contextmanager
    def _executed(self, query: str, values: dict[str, Any]) -> Iterator[CursorWrapper]:
        with connection.cursor() as cursor:
            try:
                cursor.execute(self._statement(query), values)
            except ProgrammingError as error:
                # A column or the table is gone: pgmq was upgraded, or the queue dropped, under a running process. The
                # next statement looks at the table anew.
                self._statements.clear()
                self._has_headers = None
                if isinstance(error.__cause__, UndefinedTable):
                    raise QueueMissing(f"the queue {self.name} was dropped, or its archive was") from error
                raise
            yield cursor

    def _statement(self, query: str) -> str:
        statement = self._statements.get(query)
        if statement is None:
            composed = sql.SQL(_queries()[query]).format(
                queue=sql.Identifier("pgmq", f"q_{self.name}"),
                archive=sql.Identifier("pgmq", f"a_{self.name}"),
                carrier=sql.Identifier("headers" if self.has_headers else "message"),
                key=sql.Literal("bridge" if self.has_headers else "_bridge"),
            )
            connection.ensure_connection()
            statement = composed.as_string(connection.connection)
            self._statements[query] = statement
        return statement


def pgmq_queue(name: str) -> PgmqQueue:
    """The queue `name` of the database that Django is connected to. Raises `QueueMissing` for an impossible name."""
    return _opened(name, connection.settings_dict["NAME"])


@cache
def _opened(name: str, _database: str) -> PgmqQueue:
    return PgmqQueue(name)


def queue_names() -> list[str]:
    """The names of all pgmq queues in this database, ours or not; empty where pgmq is not installed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('pgmq.meta') IS NOT NULL")
        if not cursor.fetchone()[0]:
            return []
        cursor.execute("SELECT queue_name FROM pgmq.meta ORDER BY queue_name")
        return [name for (name,) in cursor.fetchall()]


def _error_json(error: LastError) -> str:
    return json.dumps({"type": error.type, "message": error.message})


def _loaded(value: str | None) -> Any:
    """Parse jsonb, which Django hands out as text. What Python cannot hold (nesting, giant numbers) is `Unreadable`."""
    if value is None:
        return None
    try:
        return json.loads(value)
    except (RecursionError, ValueError) as error:
        return Unreadable(str(error))
