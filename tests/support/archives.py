"""Archives as others see them: rows of any kind put there, and a full count that knows nothing of the roll-up."""

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from bridge.message import Outcome, Reason
from bridge.models import FailedMessage, RolledHour, RolledTotal

Key = tuple[str, str, str]

ERROR = {"type": "SMTPRecipientsRefused", "message": "550 5.1.1 <anna@mail.example>: user unknown"}


def put(queue: str, msg_id: int, history: object = None, *, archived_at: str = "now()", headers: bool = True) -> None:
    """Put a message into the archive, past pgmq, as somebody may who writes SQL."""
    carried = {} if history is None else {"bridge" if headers else "_bridge": history}
    column = "headers" if headers else "message"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO pgmq.a_{queue} (msg_id, read_ct, enqueued_at, archived_at, vt, message)"
            f" VALUES (%s, 1, now() - interval '5 seconds', {archived_at}, now(), '{{}}')",
            [msg_id],
        )
        cursor.execute(f"UPDATE pgmq.a_{queue} SET {column} = %s WHERE msg_id = %s", [json.dumps(carried), msg_id])


def failed(reason: Reason = Reason.PERMANENT_ERROR, **more: Any) -> dict[str, Any]:
    return {"outcome": "failed", "reason": reason.value, "last_error": ERROR, "attempts": 3, **more}


def full_count(queue: str) -> Counter[Key]:
    """Hour, outcome and reason of each message of the archive, read one by one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM information_schema.columns WHERE column_name = 'headers'"
            " AND table_schema = 'pgmq' AND table_name = %s",
            [f"a_{queue}"],
        )
        headers = "headers" if cursor.fetchone()[0] else "NULL"
        cursor.execute(f"SELECT archived_at, {headers}, message FROM pgmq.a_{queue}")
        rows = cursor.fetchall()
    counts: Counter[Key] = Counter()
    for archived_at, carried, message in rows:
        above, within = _object(carried).get("bridge"), _object(message).get("_bridge")
        history = above if isinstance(above, dict) else within if isinstance(within, dict) else {}
        outcome = history.get("outcome")
        outcome = outcome if outcome in list(Outcome) else "other"
        reason = history.get("reason") if outcome == Outcome.FAILED else ""
        counts[_hour(archived_at), outcome, reason if reason in list(Reason) else ""] += 1
    return counts


def rolled_up(queue: str) -> Counter[Key]:
    """What the hours of the roll-up have."""
    hours = RolledHour.objects.filter(queue=queue)
    return Counter({(_hour(row.hour), row.outcome, row.reason): row.count for row in hours})


def total(queue: str) -> int:
    return sum(row.count for row in RolledTotal.objects.filter(queue=queue))


def failures_of(queue: str) -> set[int]:
    return set(FailedMessage.objects.filter(queue=queue).values_list("msg_id", flat=True))


def _object(text: str | None) -> dict[str, Any]:
    value = json.loads(text) if text else None
    return value if isinstance(value, dict) else {}


def _hour(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H")
