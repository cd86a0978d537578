"""Takes a notification in: its row, its line in the timeline and its check, in one short transaction.

In SQL and not with models: this is all that the webhook does, and building objects took longer than the database.
"""

import uuid
from datetime import timedelta
from typing import Any

from django.db import ProgrammingError, connection
from django.utils import timezone
from psycopg2.errors import InvalidSchemaName, UndefinedFunction, UndefinedTable

from bridge.pgmq import QueueMissing
from bridge.seldom import HourlyCount
from bridge.sql.prepared import Part, execute
from bridge.trace import current_trace_id
from payments.models import ProviderNotification
from payments.queue import QUEUE
from payments.states import Door, EventKind, NotificationStatus
from payments.webhook.journal import ALREADY_KNOWN, UnknownPayment, find_payment, is_old_news
from payments.webhook.notice import Notice

STRANGER = "the sender is not one of YooKassa's addresses"
# For each process that serves the web, of notifications about nothing of ours.
MOST_UNKNOWN_AN_HOUR = 200
# Staff look at what came lately; what names a payment of ours is kept.
STRANGERS_STAY = timedelta(days=30)
BATCH = 1000

_unknown = HourlyCount()

_STORE = """
INSERT INTO payments_providernotification
    (received_at, address, trusted, event, object_id, payment_id, body, status, error, processed_at, trace_id)
VALUES (%(now)s, %(address)s, %(trusted)s, %(event)s, %(object_id)s, %(payment_id)s, %(body)s, %(status)s,
        %(error)s, %(processed_at)s, %(trace_id)s)
"""
# One statement is one transaction and one round trip; the bridge's own `send` would make it five of them. So this is
# the only place outside the bridge that calls pgmq. Its plan is kept: that is most of what it costs Postgres.
_STORE_AND_QUEUE = Part("""
WITH numbered AS (
    SELECT nextval(pg_get_serial_sequence('payments_providernotification', 'id')) AS id
), queued AS (
    SELECT id, pgmq.send(%(queue)s::text, jsonb_build_object(
        'payment_id', %(payment_id)s::uuid::text, 'action', 'verify',
        'notification_id', id, 'created_at', %(now)s::timestamptz)) AS msg_id
    FROM numbered
), stored AS (
    INSERT INTO payments_providernotification
        (id, msg_id, received_at, address, trusted, event, object_id, payment_id, body, status, error, trace_id)
    SELECT id, msg_id, %(now)s::timestamptz, %(address)s::inet, %(trusted)s::boolean, %(event)s::text,
           %(object_id)s::text, %(payment_id)s::uuid, %(body)s::text, %(status)s::text, %(error)s::text,
           %(trace_id)s::text
    FROM queued
    RETURNING id
)
INSERT INTO payments_paymentevent (payment_id, kind, door, data, trace_id, created_at)
SELECT %(payment_id)s::uuid, %(kind)s::text, %(door)s::text,
       jsonb_build_object('event', %(event)s::text, 'object', %(object_id)s::text, 'notification', id),
       %(trace_id)s::text, %(now)s::timestamptz
FROM stored
""")


def store_notification(notice: Notice, *, address: str, body: str) -> str:
    """Store a notification from the provider's addresses and queue its check, both or neither.

    Returns why there is no check where none is needed: an empty text says that one is queued. Such a row is `ignored`.
    Raises `QueueMissing`.
    """
    try:
        named = find_payment(notice)
    except UnknownPayment as error:
        # Every shop of YooKassa's can have its notifications sent to us. What belongs to ours the comparison finds.
        if _unknown.next() <= MOST_UNKNOWN_AN_HOUR:
            _store(notice, NotificationStatus.IGNORED, address=address, body=body, error=str(error))
        return str(error)
    payment_id = named.payment_id
    if is_old_news(notice, named):
        why, ignored = ALREADY_KNOWN, NotificationStatus.IGNORED
        _store(notice, ignored, address=address, body=body, error=why, payment_id=payment_id)
        return why
    _store(notice, NotificationStatus.STORED, address=address, body=body, payment_id=payment_id)
    return ""


def store_refused(notice: Notice, *, address: str, body: str) -> None:
    """Keep a stranger's notification for staff to look at. Nothing of it is acted on, not even looked up."""
    _store(notice, NotificationStatus.REFUSED, address=address, body=body, error=STRANGER)


def forget_strangers() -> int:
    """Delete old notifications that name no payment of ours, in short transactions; returns how many."""
    old = ProviderNotification.objects.filter(
        payment__isnull=True,
        status__in=(NotificationStatus.REFUSED, NotificationStatus.IGNORED),
        received_at__lt=timezone.now() - STRANGERS_STAY,
    )
    forgotten = 0
    while batch := list(old.order_by("received_at").values_list("pk", flat=True)[:BATCH]):
        forgotten += ProviderNotification.objects.filter(pk__in=batch).delete()[0]
    return forgotten


def _store(
    notice: Notice,
    status: NotificationStatus,
    *,
    address: str,
    body: str,
    error: str = "",
    payment_id: uuid.UUID | None = None,
) -> None:
    now = timezone.now()
    values: dict[str, Any] = {
        "now": now,
        "address": address,
        "trusted": status != NotificationStatus.REFUSED,
        "event": notice.event,
        "object_id": notice.object_id,
        "payment_id": payment_id,
        "body": body,
        "status": status.value,
        "error": error,
        "processed_at": now if status == NotificationStatus.IGNORED else None,
        "trace_id": current_trace_id(),
        "queue": QUEUE,
        "kind": EventKind.NOTIFIED.value,
        "door": Door.WEBHOOK.value,
    }
    with connection.cursor() as cursor:
        try:
            if status == NotificationStatus.STORED:
                execute(cursor, [_STORE_AND_QUEUE], values)
            else:
                cursor.execute(_STORE, values)
        except ProgrammingError as refused:
            if isinstance(refused.__cause__, UndefinedTable | InvalidSchemaName | UndefinedFunction):
                raise QueueMissing(f"there is no queue {QUEUE}", queue=QUEUE) from refused
            raise
