"""The only caller of pgmq: one method for each named query of `sql`.

Works with pgmq 1.4.4 (no `headers` column) to 1.13, and while one is upgraded to another. Every write is a
compare-and-set on the token; a method that returns `None`, `False` or fewer ids than it was given says that somebody
else owns the message by now.
"""

import json
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from django.db import connection

from bridge.errors import BridgeError, QueueHeld
from bridge.message import (
    Delivery,
    Done,
    Ending,
    History,
    LastError,
    Message,
    Next,
    Outcome,
    Reason,
    Token,
    Unreadable,
)
from bridge.postgres import POSTGRES_AWAY
from bridge.record import Statement
from bridge.sql.acts import Acts
from bridge.sql.archive import Archive
from bridge.sql.browsing import Browsing
from bridge.sql.querying import QueueMissing, loaded
from bridge.sql.rows import Counts, Due, FailedMessage, Outlook
from bridge.sql.statements import FEW_MESSAGES, FINISH_AND_CLAIM, MOST_OCTETS, READ_FEW

__all__ = [
    "POSTGRES_AWAY",
    "Counts",
    "Due",
    "FailedMessage",
    "NotArchivable",
    "Outlook",
    "PgmqQueue",
    "QueueMissing",
    "pgmq_queue",
]

# Enough to say how long a backlog takes; a million is counted in a second, which whoever looks at it has to wait.
MOST_COUNTED = 100_000
MOST_LOOKED_INTO = 5_000
TOO_LARGE = f"it is larger than {MOST_OCTETS // 1024} KiB"


class NotArchivable(BridgeError):
    """This role may not move messages of the queue to its archive, so none of them may be started."""


class PgmqQueue(Archive, Browsing, Acts):
    """One pgmq queue, reached through Django's connection. Get it from `pgmq_queue`, which keeps what it learns."""

    def read(self, *, limit: int, lease: int, ids: list[int] | None = None) -> list[Delivery]:
        """Lease up to `limit` visible messages for `lease` seconds, of those named by `ids` if given.

        Those of a higher priority come first, and of the same, the older ones.
        """
        is_few = limit == FEW_MESSAGES and ids is None
        rows = self._all(READ_FEW, lease=lease) if is_few else self._all("read", limit=limit, lease=lease, ids=ids)
        return [
            Delivery(self.name, Token(msg_id, vt), read_ct, kind, History.parse(loaded(history)), kept)
            for msg_id, vt, read_ct, kind, history, priority, kept in sorted(rows, key=lambda row: (-row[5], row[0]))
        ]

    def ahead(self, *, limit: int, depth: int, octets: int = 0) -> list[Due]:
        """The first `limit` of the `depth` messages that are due longest, in the order of `priority` and time.

        With the bodies of those that have at most `octets`. Nothing is leased.
        """
        rows = self._all("ahead", limit=limit, depth=depth, octets=octets)
        return [
            Due(Token(msg_id, vt), priority, enqueued_at, bool(untried), text)
            for msg_id, vt, priority, enqueued_at, untried, text in rows
        ]

    def candidate(self, *, most_attempts: int, tried: Iterable[int]) -> tuple[int, int] | None:
        """The visible message with the most attempts left, if possible none that was `tried`, and its attempts so far.

        Nothing is leased.
        """
        rows = self._all("candidate", most_attempts=most_attempts, tried=list(tried))
        return (rows[0][0], rows[0][1]) if rows else None

    def standing(self, msg_id: int) -> tuple[int, bool] | None:
        """How many attempts of a message were counted, and whether one of them runs; `None`: it is not queued."""
        rows = self._all("standing", msg_id=msg_id)
        return (rows[0][0], rows[0][1]) if rows else None

    def refuse(self, endings: list[tuple[Token, Ending]]) -> set[int]:
        """Archive messages that nobody has taken, each with its outcome; returns which.

        Call it in the transaction of the rows that belong to it.
        """
        if not endings:
            return set()
        ids, vts = [token.msg_id for token, _ in endings], [token.vt for token, _ in endings]
        patches = [json.dumps(ending.patch()) for _, ending in endings]
        held = [msg_id for (msg_id,) in self._all("refuse", msg_ids=ids, vts=vts, endings=patches)]
        return {msg_id for (msg_id,) in self._all("archive_all", msg_ids=held)} if held else set()

    def postpone(self, delays: list[tuple[Token, float]]) -> set[int]:
        """Hide messages that nobody has taken, each for so many seconds; returns which."""
        if not delays:
            return set()
        ids, vts = [token.msg_id for token, _ in delays], [token.vt for token, _ in delays]
        seconds = [delay for _, delay in delays]
        return {msg_id for (msg_id,) in self._all("postpone", msg_ids=ids, vts=vts, delays=seconds)}

    def load(self, token: Token) -> Message | None:
        """The message with its body, as long as the token opens it. One that is too large has an `Unreadable` body."""
        row = self._one("load", token)
        return self._message(row) if row else None

    def load_unread(self, token: Token) -> Message | None:
        """The message without its body, whatever that is: nothing of it leaves Postgres."""
        row = self._one("load_unread", token)
        return self._message(row) if row else None

    def load_archived(self, msg_id: int) -> Message | None:
        """An archived message with its body; one that is too large has an `Unreadable` body."""
        rows = self._all("load_archived", msg_id=msg_id, body=True)
        return self._message(rows[0]) if rows else None

    def note_own_try(self, token: Token, *, tries: int) -> bool:
        """Note that the bridge itself sets to work on the message for the `tries`-th time."""
        return bool(self._one("note_own_try", token, tries=tries))

    def holds(self, token: Token) -> datetime | None:
        """Lock the message if the token still opens it; returns when it was sent."""
        row = self._one("holds", token)
        return row[0] if row else None

    def claim(self, token: Token, *, lease: int, attempts: int, trace_id: str, worker: str = "") -> Message | None:
        """Start attempt number `attempts` under a lease of `lease` seconds; `worker` names the process that does it.

        Raises `QueueHeld`, and the message was handed back as if it had not been read; and `NotArchivable`, and nothing
        has happened, when this role could not write the outcome afterwards.
        """
        row = self._one("claim", token, lease=lease, attempts=attempts, trace_id=trace_id, worker=worker or None)
        if row is not None:
            return replace(self._message(row), begun=time.monotonic())
        ((was_ours, may_archive),) = self._all("hand_back", msg_id=token.msg_id, vt=token.vt)
        if was_ours:
            raise QueueHeld(f"{self.name} {token.msg_id} was handed back, the queue is held")
        if not may_archive:
            raise NotArchivable(f"{self.name}: no outcome could be written, as rights on its tables are lacking")
        return None

    def take_together(self, tokens: Iterable[Token]) -> tuple[dict[int, Message], datetime | None]:
        """Lock those of these messages that were read once and never begun; and when that was, by Postgres' clock.

        For a transaction that runs them, and ends with `finish_together`. None of a queue that is held.
        """
        held = list(tokens)
        ids, vts = [token.msg_id for token in held], [token.vt for token in held]
        rows = self._all("take_together", msg_ids=ids, vts=vts)
        return {row[0]: self._message(row[:-1]) for row in rows}, rows[0][-1] if rows else None

    def finish_together(self, done: list[Done], *, worker: str) -> int:
        """Archive messages that `take_together` locked as done, in its transaction; returns how many.

        Fewer than were given: the transaction must be rolled back.
        """
        rows = self._all(
            "finish_together",
            msg_ids=[one.token.msg_id for one in done],
            vts=[one.token.vt for one in done],
            trace_ids=[one.trace_id or None for one in done],
            begun=[one.begun for one in done],
            seconds=[_rounded(one.seconds) for one in done],
            worker=worker,
        )
        return len(rows)

    def is_held(self) -> bool:
        """Whether anything holds the queue now, whatever it lets through."""
        return bool(self._all("is_held")[0][0])

    def retry(self, token: Token, *, delay: float, error: LastError, seconds: float | None = None) -> datetime | None:
        """Hide the message for `delay` seconds; returns when it is due. The attempt took `seconds`, if known."""
        row = self._one("retry", token, delay=delay, last_error=_error_json(error), seconds=_rounded(seconds))
        return row[0] if row else None

    def put_back(self, token: Token, *, delay: float, attempts: int) -> bool:
        """Hide the message for `delay` seconds, with no more than `attempts` counted."""
        return bool(self._one("put_back", token, delay=delay, attempts=attempts))

    def finish(
        self,
        held: Delivery | Message,
        outcome: Outcome,
        *,
        reason: Reason | None = None,
        error: LastError | None = None,
        original: int | None = None,
        seconds: float | None = None,
    ) -> bool:
        """Archive the message with its outcome. Call it in the transaction of the rows that belong to the outcome.

        The last attempt took `seconds`, if that is known.
        Raises `NotArchivable` where row security lets pgmq find nothing to archive.
        """
        row = self._ended(
            "finish",
            held,
            outcome=outcome.value,
            reason=reason.value if reason else None,
            last_error=_error_json(error) if error else None,
            original=original,
            seconds=_rounded(seconds),
        )
        return row is not None

    def succeed(
        self, message: Message, *, rows: Statement | None = None, following: Next | None = None
    ) -> tuple[bool, Message | None]:
        """Archive the message as done, write the handler's rows and begin the next message, in one go.

        Returns whether the message was ours, and the next one, if its token opened it and nothing held its queue. Only
        when the transaction that this is called in has ended well, it has begun. Raises as `finish` does.
        """
        values: dict[str, Any] = {
            "outcome": Outcome.SUCCEEDED.value,
            **dict.fromkeys(("reason", "last_error", "original")),
            "seconds": _rounded(message.seconds),
        }
        query = "finish"
        if following is not None:
            query = FINISH_AND_CLAIM
            values |= {"next_msg_id": following.token.msg_id, "next_vt": following.token.vt}
            values |= {"next_lease": following.lease, "next_attempts": following.attempts}
            values |= {"next_trace_id": following.trace_id, "next_worker": following.worker or None}
        row = self._ended(query, message, rows_too=rows, **values)
        if row is None:
            return False, None
        return True, self._message(row[1:]) if following is not None and row[1] is not None else None

    def _ended(self, query: str, held: Delivery | Message, **values: Any) -> tuple[Any, ...] | None:
        """What a query says that archives a message; `None` where that was not ours. Raises `NotArchivable`."""
        row = self._one(query, held.token, trace_id=held.history.trace_id or None, **values)
        if row is not None and not row[0]:
            raise NotArchivable(f"{self.name} {held.msg_id} was not moved to the archive, and pgmq does not say why")
        return row

    def release(self, tokens: Iterable[Token], *, counted: bool = False) -> int:
        """Make messages that were leased and not started visible again; returns how many were still ours.

        With `counted` as ones that were read.
        """
        held = list(tokens)
        ids, vts = [token.msg_id for token in held], [token.vt for token in held]
        return len(self._all("release", msg_ids=ids, vts=vts, counted=counted)) if held else 0

    def unhide(self, *, longest: int) -> int:
        """Make visible what others hide for more than `longest` seconds, our longest lease; returns how many."""
        return len(self._all("unhide", longest=longest))

    def now(self) -> datetime:
        """The database's time, which is the archive's."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            now: datetime = cursor.fetchone()[0]
        return now

    def next_due(self) -> float | None:
        """Seconds until a message turns visible, 0 or less when one is, `None` for an empty queue."""
        return self.outlook().due

    def outlook(self) -> Outlook:
        """When there is something to read, and what keeps it from being read."""
        return Outlook(*self._all("outlook")[0])

    def counts(self, *, most: int = MOST_COUNTED, looked: int = MOST_LOOKED_INTO) -> Counts:
        """What waits for what, counted up to `most` of those that are due and `most` of the others, and then estimated.

        Of the others `looked` are looked into, to tell what they wait for.
        """
        return Counts(*self._all("counts", most=most, looked=looked)[0])

    def is_queued(self, msg_id: int) -> bool:
        return bool(self._all("is_queued", msg_id=msg_id)[0][0])

    def queued_among(self, msg_ids: list[int]) -> set[int]:
        """Which of these messages are in the queue."""
        return {msg_id for (msg_id,) in self._all("queued_among", msg_ids=msg_ids)}

    def send(self, body: Any, *, headers: dict[str, Any] | None = None, delay: int = 0) -> int:
        """Put a message into the queue, visible after `delay` seconds, and return its id; headers need pgmq 1.5."""
        if delay:
            return int(self._all("send_delayed", name=self.name, body=json.dumps(body), delay=delay)[0][0])
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
            body=Unreadable(TOO_LARGE) if body is None else loaded(body),
            history=History.parse(loaded(history)),
        )


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


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(max(seconds, 0.0), 3)


def _error_json(error: LastError) -> str:
    return json.dumps({"type": error.type, "message": error.message})
