"""Busy queues with trouble in them: a day of messages, what failed, a mail server that is away, a queue that is paused.

What lies in an archive has the fixed times of the pictures. How long something waits is counted by the database's own
clock, so that is what messages in a queue are put in by.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import connection

from bridge.models import BridgeProcess, OperatorAction, OutsideService, QueueHold
from notifications.models import EmailMessage, Status
from sandbox.dev.pictures.album import MESSAGE
from sandbox.dev.pictures.rows import NOW

MAILS, PAYMENTS, REPORTS = "email_queue", "payment_processing_queue", "report_generation_queue"
# What was done in each of the 24 hours before noon, as a share of the busiest one.
_SHARES = (12, 10, 11, 13, 14, 12, 10, 9, 7, 5, 3, 1, 0, 0, 0, 0, 1, 0, 2, 4, 8, 11, 14, 10)


@dataclass(frozen=True, slots=True)
class _Kind:
    """Messages that ended alike: how many in the busiest hour, and how long they waited and took, in seconds."""

    queue: str
    most: int
    waited: float
    took: float
    outcome: str = "succeeded"
    reason: str = ""


_DAY = (
    _Kind(MAILS, 16, 0.02, 0.31),
    _Kind(MAILS, 1, 0.02, 0.04, "duplicate"),
    _Kind(PAYMENTS, 9, 0.01, 0.24),
    _Kind(REPORTS, 3, 0.05, 1.9),
)


@dataclass(frozen=True, slots=True)
class _Failed:
    """Messages that failed for one cause, `every` so many minutes, the last of them so many minutes ago.

    Attempts come after 1, 2, 4 … seconds.
    """

    queue: str
    count: int
    last: int
    every: int
    reason: str
    error: tuple[str, str]
    body: dict[str, Any]
    attempts: int = 1


def _mail(subject: str, template: str, **variables: Any) -> dict[str, Any]:
    return {"subject": subject, "template": template, "variables": variables}


_FAILED = (
    _Failed(
        MAILS,
        9,
        last=21,
        every=4,
        reason="retries_exhausted",
        error=("DeliveryDeferred", "the mail server refused the recipient: 451 4.7.1 <{to}>: greylisted, try later"),
        body=_mail("Оплата не прошла", "payment_failed", amount=4500, currency="RUB"),
        attempts=6,
    ),
    _Failed(
        MAILS,
        3,
        last=95,
        every=130,
        reason="permanent_error",
        error=("PermanentError", "the mail server refused the recipient: 550 5.1.1 <{to}>: user unknown"),
        body=_mail("Консультация назначена", "appointment_confirmation"),
    ),
    _Failed(
        MAILS,
        2,
        last=240,
        every=2,
        reason="permanent_error",
        error=("PermanentError", "there is no template 'newsletter'"),
        body=_mail("Новости", "newsletter"),
    ),
    _Failed(
        REPORTS,
        1,
        last=310,
        every=1,
        reason="retries_exhausted",
        error=("NotCalculatedYet", "the results of the assessment are not calculated yet"),
        body={"assessment_id": "b0000000-0000-4000-8000-000000000004", "format": "pdf"},
        attempts=4,
    ),
)
_NAMES = ("marina", "pavel", "elena", "timur", "natalya", "oleg", "yulia", "sergey", "vera")
_WAITING = ((MAILS, 46), ("analytics_queue", 57))
_INSERT_ARCHIVED = """
INSERT INTO pgmq.a_{} (msg_id, read_ct, enqueued_at, archived_at, vt, message)
SELECT * FROM unnest(%s::bigint[], %s::int[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::jsonb[])
"""
# Each is 15 seconds younger than the one before it. The oldest waits for twelve minutes, and that a whole one still.
_INSERT_WAITING = """
INSERT INTO pgmq.q_{} (vt, enqueued_at, message)
SELECT now() - age, now() - age, '{{}}'
FROM generate_series(1, %s) AS n, make_interval(secs => greatest(737 - 15 * n, 1)) AS age
"""
_RETRYING = """
INSERT INTO pgmq.q_email_queue (vt, read_ct, message)
SELECT due, 1, jsonb_build_object('_bridge', jsonb_build_object('attempts', 1, 'next_retry_at', due))
FROM (SELECT now() + interval '7 minutes' AS due) AS again
"""
_PROCESSES = (("bridge", "bridge-1"), ("worker", "worker-1"), ("worker", "worker-2"), ("beat", "beat"), ("web", "web"))


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of an archive."""

    msg_id: int
    queued_at: datetime
    ended_at: datetime
    body: dict[str, Any]
    history: dict[str, Any]


def fill_queues(staff: User) -> None:
    with connection.cursor() as cursor:
        # What Supabase's triggers have made of the payments above.
        cursor.execute("SELECT pgmq.purge_queue(queue_name) FROM pgmq.list_queues()")
        for queue in (MAILS, PAYMENTS, REPORTS):
            rows = [*_numbered([*_done(queue), *_refused(queue), *_failed(queue)])]
            cursor.execute(_INSERT_ARCHIVED.format(queue), _columns(rows))
            if queue == MAILS:
                _write_down(rows)
        for queue, count in _WAITING:
            cursor.execute(_INSERT_WAITING.format(queue), [count])
        cursor.execute(_RETRYING)
    for kind, name in _PROCESSES:
        BridgeProcess.objects.create(kind=kind, name=name, started_at=NOW - timedelta(days=3), seen_at=NOW)
    _take_the_mail_server_away()
    _pause(staff)


def _done(queue: str) -> Iterator[_Row]:
    for kind in _DAY:
        if kind.queue != queue:
            continue
        for ago, share in enumerate(reversed(_SHARES), 1):
            number = round(kind.most * share / max(_SHARES))
            for place in range(number):
                at = NOW - timedelta(hours=ago) + timedelta(minutes=60 * place / number, seconds=7)
                # Some wait and take a little longer than others.
                slower = 1 + (place * 7 % 10) / 4
                took = kind.took * slower
                queued_at = at - timedelta(seconds=took + kind.waited * slower)
                yield _Row(0, queued_at, at, {}, _history(kind, at, took))


def _history(kind: _Kind, at: datetime, took: float) -> dict[str, Any]:
    began = (at - timedelta(seconds=took)).isoformat()
    times: dict[str, Any] = {"first_attempt_at": began, "last_attempt_at": began, "finished_at": at.isoformat()}
    if kind.outcome == "duplicate":
        times["last_error"] = {"type": "DuplicateMessage", "message": "the same reminder was sent before"}
    return {"outcome": kind.outcome, "attempts": 1, **times}


def _refused(queue: str) -> Iterator[_Row]:
    if queue == MAILS:
        error = {"type": "Refused", "message": "the recipient is no customer"}
        history = {"outcome": "failed", "reason": "refused", "attempts": 1, "last_error": error}
        yield _Row(0, NOW - timedelta(hours=7, seconds=1), NOW - timedelta(hours=7), {}, history)


def _failed(queue: str) -> Iterator[_Row]:
    for failed in _FAILED:
        if failed.queue == queue:
            for number in range(failed.count):
                minutes = failed.last + failed.every * (failed.count - 1 - number)
                yield _failure(failed, number, NOW - timedelta(minutes=minutes, seconds=13 * number))


def _failure(failed: _Failed, number: int, at: datetime) -> _Row:
    to = f"{_NAMES[number % len(_NAMES)]}.{number + 3}@example.org"
    kind, text = failed.error
    error = {"type": kind, "message": text.format(to=to)}
    # The last attempt has just ended.
    since_last = [2.0**failed.attempts - 2.0**place for place in range(1, failed.attempts + 1)]
    starts = [at - timedelta(seconds=seconds + 0.9) for seconds in since_last]
    tries = [
        {"number": place, "started_at": start.isoformat(), "seconds": round(0.4 + 0.07 * place, 2), "error": error}
        | {"worker": f"worker-{1 + place % 2}:{20 + place}"}
        for place, start in enumerate(starts, 1)
    ]
    body = failed.body | ({"to": to} if failed.queue == MAILS else {})
    history = {
        "outcome": "failed",
        "reason": failed.reason,
        "attempts": failed.attempts,
        "last_error": error,
        "first_attempt_at": starts[0].isoformat(),
        "tries": tries,
        "last_attempt_at": starts[-1].isoformat(),
        "finished_at": at.isoformat(),
        "trace_id": f"{0x5E1F00D4C0FFEE + 977 * number:016x}",
    }
    return _Row(0, starts[0] - timedelta(seconds=1), at, body, history)


def _numbered(rows: Sequence[_Row]) -> Iterator[_Row]:
    """In the order in which they ended; `MESSAGE` is the last of all that failed after six attempts."""
    ordered = sorted(rows, key=lambda row: row.ended_at)
    longest = [place for place, row in enumerate(ordered) if row.history["attempts"] == 6]
    first = MESSAGE - longest[-1] if longest else 1
    for place, row in enumerate(ordered):
        yield replace(row, msg_id=first + place)


def _columns(rows: Sequence[_Row]) -> list[list[Any]]:
    queued, ended = [row.queued_at for row in rows], [row.ended_at for row in rows]
    messages = [json.dumps(row.body | {"_bridge": row.history}, ensure_ascii=False) for row in rows]
    ids, read = [row.msg_id for row in rows], [row.history["attempts"] for row in rows]
    return [ids, read, queued, ended, ended, messages]


def _write_down(rows: Sequence[_Row]) -> None:
    """Rows of the mail log for these messages, but for those of yesterday."""
    statuses = {"succeeded": Status.SENT, "failed": Status.FAILED, "duplicate": Status.DUPLICATE}
    EmailMessage.objects.bulk_create(
        EmailMessage(
            id=row.msg_id,
            queue=MAILS,
            msg_id=row.msg_id,
            enqueued_at=row.queued_at,
            trace_id=row.history.get("trace_id", ""),
            recipient=row.body.get("to", "anna.sokolova@example.org"),
            subject=row.body.get("subject", ""),
            template=row.body.get("template", ""),
            status=statuses[row.history["outcome"]],
            attempts=row.history["attempts"],
            reason=row.history.get("reason", ""),
            error=row.history.get("last_error", {}).get("message", ""),
            error_type=row.history.get("last_error", {}).get("type", ""),
            provider="smtp",
            message_id=f"<{MAILS}.{row.msg_id}@littleotter.example>",
            sent_at=row.ended_at if row.history["outcome"] == "succeeded" else None,
        )
        for row in rows
        if row.ended_at > NOW - timedelta(hours=12)
    )


def _take_the_mail_server_away() -> None:
    since = NOW - timedelta(minutes=13)
    why = "The mail server smtp.example.org, port 587, cannot be reached: timed out"
    OutsideService.objects.create(name="smtp", is_open=True, kind="away", why=why, since=since, probes=260)
    QueueHold.objects.create(queue=MAILS, cause="service:smtp", since=since, by="service:smtp", why=why)


def _pause(staff: User) -> None:
    # Without an end: the database's own clock may be past any.
    since = NOW - timedelta(minutes=25)
    why = "Правим шаблон заключения"
    QueueHold.objects.create(queue=REPORTS, cause="pause", since=since, by=str(staff), why=why)
    OperatorAction.objects.create(
        actor_kind="staff", actor=staff.username, user=staff, action="pause", queue=REPORTS, reason=why
    )
