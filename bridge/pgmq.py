"""The only caller of pgmq: one method for each named query of `sql/queries.sql`.

Works with pgmq 1.4.4 (no `headers` column) to 1.13, and while one is upgraded to another. Every write is a
compare-and-set on the token; a method that returns `None`, `False` or fewer ids than it was given says that somebody
else owns the message by now.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache, partial
from typing import Any

from django.db import DatabaseError, ProgrammingError, connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg2.errors import UndefinedColumn, UndefinedFunction, UndefinedTable

from bridge.errors import BridgeError
from bridge.message import Delivery, History, LastError, Message, Outcome, Reason, Token, Unreadable
from bridge.postgres import POSTGRES_AWAY, first_line, is_outage
from bridge.rows import Counts, Due, FailedMessage
from bridge.statements import MOST_OCTETS, compose, plain, writes

__all__ = [
    "POSTGRES_AWAY",
    "Counts",
    "Due",
    "FailedMessage",
    "NotArchivable",
    "PgmqQueue",
    "QueueMissing",
    "pgmq_queue",
]

TOO_LARGE = f"it is larger than {MOST_OCTETS // 1024} KiB"
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,46}")


class QueueMissing(BridgeError):
    """Postgres has no such queue: create it with `select pgmq.create('name')`."""


class NotArchivable(BridgeError):
    """This role may not move messages of the queue to its archive, so none of them may be started."""


class _Rehearsed(Exception):
    """Takes back what was only tried."""


_REHEARSAL = dict.fromkeys(("outcome", "reason", "last_error", "original", "trace_id"))


class PgmqQueue:
    """One pgmq queue, reached through Django's connection. Get it from `pgmq_queue`, which keeps what it learns.

    What it keeps may turn wrong at any time, as pgmq is upgraded under running processes. No statement relies on it:
    reading finds the history wherever it stands, and a write to a carrier that is no longer the current one changes
    nothing and is done again.
    """

    def __init__(self, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise QueueMissing(f"{name!r} cannot be the name of a pgmq queue")
        self.name = name
        self._statements: dict[str, str] = {}
        self._has_headers: bool | None = None

    @property
    def has_headers(self) -> bool:
        """Whether new history goes into the column `headers` (pgmq 1.5 and newer). Older history may still not."""
        return self.look() if self._has_headers is None else self._has_headers

    def look(self) -> bool:
        """Look at the tables anew. Raises `QueueMissing`."""
        with connection.cursor() as cursor:
            cursor.execute(plain("has_headers"), {"queue": f"pgmq.q_{self.name}", "name": self.name})
            exists, has_headers = cursor.fetchone()
        if not exists:
            self._forget()
            raise QueueMissing(f"there is no queue {self.name}: create it with select pgmq.create('{self.name}')")
        if has_headers != self._has_headers:
            self._forget()
        self._has_headers = bool(has_headers)
        return self._has_headers

    def _forget(self) -> None:
        self._statements.clear()
        self._has_headers = None

    def read(self, *, limit: int, lease: int, ids: list[int] | None = None) -> list[Delivery]:
        """Lease up to `limit` visible messages for `lease` seconds, of those named by `ids` if given.

        Those of a higher priority come first, and of the same, the older ones.
        """
        rows = self._all("read", limit=limit, lease=lease, ids=ids)
        return [
            Delivery(self.name, Token(msg_id, vt), read_ct, kind, History.parse(_loaded(history)), kept)
            for msg_id, vt, read_ct, kind, history, priority, kept in sorted(rows, key=lambda row: (-row[5], row[0]))
        ]

    def ahead(self, *, limit: int, depth: int, names: tuple[str, ...] = (), characters: int = 0) -> list[Due]:
        """The first `limit` of the `depth` messages that are due longest, in the order of `priority` and time.

        With the members `names` of each, where they are texts, cut to `characters`. Nothing is leased.
        """
        rows = self._all("ahead", limit=limit, depth=depth, names=list(names), characters=characters)
        return [
            Due(Token(msg_id, vt), priority, enqueued_at, bool(untried), tuple(fields or ()))
            for msg_id, vt, priority, enqueued_at, untried, fields in rows
        ]

    def refuse(self, refusals: list[tuple[Token, str]]) -> set[int]:
        """Archive messages that nobody has taken as refused, each with its reason as people read it; returns which.

        Call it in the transaction of the rows that belong to it.
        """
        ids = [token.msg_id for token, _ in refusals]
        vts, whys = [token.vt for token, _ in refusals], [why for _, why in refusals]
        held = [msg_id for (msg_id,) in self._all("refuse", msg_ids=ids, vts=vts, whys=whys)]
        return {msg_id for (msg_id,) in self._all("archive_all", msg_ids=held)} if held else set()

    def load(self, token: Token) -> Message | None:
        """The message with its body, as long as the token opens it. One that is too large has an `Unreadable` body."""
        row = self._one("load", token)
        return self._message(row) if row else None

    def load_unread(self, token: Token) -> Message | None:
        """The message without its body, whatever that is: nothing of it leaves Postgres."""
        row = self._one("load_unread", token)
        return self._message(row) if row else None

    def note_own_try(self, token: Token, *, tries: int) -> bool:
        """Note that the bridge itself sets to work on the message for the `tries`-th time."""
        return bool(self._one("note_own_try", token, tries=tries))

    def holds(self, token: Token) -> datetime | None:
        """Lock the message if the token still opens it; returns when it was sent."""
        row = self._one("holds", token)
        return row[0] if row else None

    def claim(self, token: Token, *, lease: int, attempts: int, trace_id: str) -> Message | None:
        """Start attempt number `attempts` under a lease of `lease` seconds.

        Raises `NotArchivable`, and nothing has happened, when this role could not write the outcome afterwards.
        """
        claim = partial(self._one, "claim", token, lease=lease, attempts=attempts, trace_id=trace_id)
        row = claim(proven=False)
        if row is None and not self._may_archive():
            row = self._rehearsed(token, partial(claim, proven=True))
        return self._message(row) if row else None

    def _may_archive(self) -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT bridge_may_archive(%s)", [self.name])
            return bool(cursor.fetchone()[0])

    def _rehearsed(self, token: Token, claim: Callable[[], tuple[Any, ...] | None]) -> tuple[Any, ...] | None:
        """Claim after archiving the message and taking that back: under row security nothing else tells."""
        with transaction.atomic():
            try:
                with transaction.atomic():
                    if self._one("holds", token) is None:
                        return None
                    moved = self._one("finish", token, **_REHEARSAL)
                    if moved is None or not moved[0]:
                        raise NotArchivable(f"{self.name}: row security hides its messages from pgmq.archive")
                    raise _Rehearsed
            except _Rehearsed:
                return claim()
            except DatabaseError as error:
                if is_outage(error):
                    raise
                raise NotArchivable(f"{self.name}: no outcome could be written: {first_line(error)}") from error

    def retry(self, token: Token, *, delay: float, error: LastError) -> datetime | None:
        """Hide the message for `delay` seconds; returns when it is due."""
        row = self._one("retry", token, delay=delay, last_error=_error_json(error))
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
        """Archive the message with its outcome. Call it in the transaction of the rows that belong to the outcome.

        Raises `NotArchivable` where row security lets pgmq find nothing to archive.
        """
        row = self._one(
            "finish",
            held.token,
            outcome=outcome.value,
            reason=reason.value if reason else None,
            last_error=_error_json(error) if error else None,
            original=original,
            trace_id=held.history.trace_id or None,
        )
        if row is not None and not row[0]:
            raise NotArchivable(f"{self.name} {held.msg_id} was not moved to the archive, and pgmq does not say why")
        return row is not None

    def release(self, tokens: Iterable[Token]) -> int:
        """Make messages that were leased and not started visible again; returns how many were still ours."""
        held = list(tokens)
        ids, vts = [token.msg_id for token in held], [token.vt for token in held]
        return len(self._all("release", msg_ids=ids, vts=vts)) if held else 0

    def now(self) -> datetime:
        """The database's time, which is the archive's."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            now: datetime = cursor.fetchone()[0]
        return now

    def next_due(self) -> float | None:
        """Seconds until a message turns visible, 0 or less when one is, `None` for an empty queue."""
        rows = self._all("next_due")
        return rows[0][0] if rows else None

    def counts(self) -> Counts:
        return Counts(*self._all("counts")[0])

    def archived_since(self, *, hours: int) -> dict[str | None, int]:
        """How many messages were archived within the last `hours`, by outcome; `None`: by somebody else."""
        counts: Counter[str | None] = Counter()
        for outcome, _, count in self._all("archived_since", hours=hours):
            counts[outcome] += count
        return dict(counts)

    def refused_since(self, *, hours: int) -> int:
        """How many of the failed ones are what our rules refused."""
        return sum(count for _, reason, count in self._all("archived_since", hours=hours) if reason)

    def failed(
        self,
        *,
        after: int = 0,
        limit: int = 100,
        reason: Reason | None = None,
        characters: int = 0,
        until: datetime | None = None,
    ) -> list[FailedMessage]:
        """A page of failed messages that were not put back yet, by id, with ids greater than `after`.

        Those that our rules refuse are left out, unless `reason` asks for them. `characters` is how much of each body
        is wanted; `until` leaves out what was archived later.
        """
        asked = {"after": after, "limit": limit, "characters": characters, "until": until}
        rows = self._all("failed", **asked, reason=reason.value if reason else None)
        return [
            FailedMessage(msg_id, archived_at, History.parse(_loaded(raw)), why or "", text)
            for msg_id, archived_at, raw, why, text in rows
        ]

    def lock_archived(self, msg_id: int) -> dict[str, Any] | None:
        """Lock an archived message; returns our history on it."""
        rows = self._all("lock_archived", msg_id=msg_id)
        return _as_history(rows[0][0]) if rows else None

    def copy_archived(self, msg_id: int) -> int:
        """Send an archived message again, with a link to the old one; returns the id of the new one."""
        for has_headers in (self.has_headers, self.look()):
            rows = self._all("copy_with_headers" if has_headers else "copy_without_headers", msg_id=msg_id)
            if rows:
                return int(rows[0][0])
        raise QueueMissing(f"{self.name} {msg_id} is no longer in the archive")

    def mark_requeued(self, msg_id: int, *, new_id: int) -> None:
        self._all("mark_requeued", msg_id=msg_id, new_id=new_id)

    def archived_history(self, msg_id: int) -> dict[str, Any] | None:
        """What the bridge wrote on an archived message; `None` when it is not in the archive."""
        rows = self._all("archived_history", msg_id=msg_id)
        return _as_history(rows[0][0]) if rows else None

    def is_queued(self, msg_id: int) -> bool:
        return bool(self._all("is_queued", msg_id=msg_id)[0][0])

    def prune(self, *, days: int, limit: int) -> int:
        """Delete up to `limit` archived messages older than `days`; returns how many."""
        return self._execute("prune", days=days, limit=limit)

    def send(self, body: Any, *, headers: dict[str, Any] | None = None) -> int:
        """Put a message into the queue and return its id; headers need pgmq 1.5."""
        if headers is None:
            return int(self._all("send", body=json.dumps(body))[0][0])
        rows = self._all("send_with_headers", body=json.dumps(body), headers=json.dumps(headers))
        return int(rows[0][0])

    def _message(self, row: tuple[Any, ...]) -> Message:
        msg_id, vt, read_ct, enqueued_at, body, history = row
        return Message(
            queue=self.name,
            token=Token(msg_id, vt),
            read_ct=read_ct,
            enqueued_at=enqueued_at,
            body=Unreadable(TOO_LARGE) if body is None else _loaded(body),
            history=History.parse(_loaded(history)),
        )

    def _one(self, query: str, token: Token, **values: Any) -> tuple[Any, ...] | None:
        rows = self._all(query, msg_id=token.msg_id, vt=token.vt, **values)
        return rows[0] if rows else None

    def _all(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        try:
            with self._executed(query, values) as cursor:
                rows: list[tuple[Any, ...]] = cursor.fetchall()
        except ProgrammingError as error:
            # The column is gone. In a transaction nothing can follow; what began it does it all again.
            if connection.in_atomic_block or not isinstance(error.__cause__, (UndefinedColumn, UndefinedFunction)):
                raise
            with self._executed(query, values) as cursor:
                return list(cursor.fetchall())
        if rows or self._has_headers is not False or not writes(query) or not self.look():
            return rows
        # The column has come since the last look. Nothing was changed, and now it goes to the right place.
        return self._all(query, **values)

    def _execute(self, query: str, **values: Any) -> int:
        with self._executed(query, values) as cursor:
            return int(cursor.rowcount)

    @contextmanager
    def _executed(self, query: str, values: dict[str, Any]) -> Iterator[CursorWrapper]:
        with connection.cursor() as cursor:
            try:
                cursor.execute(self._statement(query), {"name": self.name, **values})
            except ProgrammingError as error:
                # A column or the table is gone: pgmq was changed, or the queue dropped, under a running process. The
                # next statement looks at the table anew.
                self._forget()
                if isinstance(error.__cause__, UndefinedTable):
                    raise QueueMissing(f"the queue {self.name} was dropped, or its archive was") from error
                raise
            yield cursor

    def _statement(self, query: str) -> str:
        statement = self._statements.get(query)
        if statement is None:
            statement = self._statements[query] = compose(query, queue=self.name, has_headers=self.has_headers)
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


def _as_history(value: str | None) -> dict[str, Any]:
    history = _loaded(value)
    return history if isinstance(history, dict) else {}


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
