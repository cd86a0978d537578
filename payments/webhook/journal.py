"""The journal of notifications: whose payment each names, and how the check that it asks for ended."""

import uuid
from dataclasses import dataclass

from django.db import connection, transaction
from django.utils import timezone

from bridge.pgmq import pgmq_queue
from bridge.sql.prepared import Part, execute
from payments.errors import PaymentError
from payments.ledger.book import record_event
from payments.models import Payment, ProviderNotification, Refund
from payments.queue import QUEUE, queue_check
from payments.states import Door, EventKind, NotificationStatus, ProviderStatus, RefundStatus
from payments.webhook.notice import Notice

MOST_ERROR_CHARACTERS = 1000
# Why nothing is done about a notification, as the journal has it; the admin says the same in Russian.
ALREADY_KNOWN = "what it tells was known already"
OTHER_OBJECT = "it is about neither a payment nor a refund"
NOT_OURS = "it names no payment that was started here"
ANOTHER_ID = "which has another id at YooKassa"

# What a payment's state at the provider, once we saw it there, makes of a notification: old news. States never go back.
_OLD_NEWS = {
    "payment.waiting_for_capture": (
        ProviderStatus.WAITING_FOR_CAPTURE,
        ProviderStatus.SUCCEEDED,
        ProviderStatus.CANCELED,
    ),
    "payment.succeeded": (ProviderStatus.SUCCEEDED,),
    "payment.canceled": (ProviderStatus.CANCELED,),
}
_FIND = Part(
    "SELECT payment_id, external_id, provider_status FROM payments_checkout"
    " WHERE external_id = %(external_id)s::text OR payment_id = %(payment_id)s::uuid"
)


class UnknownPayment(PaymentError):
    """A notification that names no payment which could be checked; the text says why."""

    code = "unknown_payment"


class NotReplayable(PaymentError):
    """This notification cannot be processed again; the text says why."""

    code = "not_replayable"


@dataclass(frozen=True, slots=True)
class Named:
    """The payment that a notification names, and how it stands; no status for one from before our time."""

    payment_id: uuid.UUID
    status: ProviderStatus | None


def find_payment(notice: Notice) -> Named:
    """The payment that a notification is about. Raises `UnknownPayment`.

    The provider's id decides, which only its API gave us. What the metadata name is used where we have no such id
    yet, as a notification may overtake the answer to the creation of its payment.
    """
    external_id = notice.external_payment_id
    if not external_id:
        raise UnknownPayment(OTHER_OBJECT)
    with connection.cursor() as cursor:
        # By hand, as all that the webhook waits for: two unique indexes, three columns, no objects.
        execute(cursor, [_FIND], {"external_id": external_id, "payment_id": notice.payment_id})
        ours = cursor.fetchall()
    for payment_id, known_as, status in ours:
        if known_as == external_id:
            return Named(payment_id, ProviderStatus(status))
    for payment_id, known_as, status in ours:
        if known_as is not None:
            raise UnknownPayment(f"it names the payment {payment_id}, {ANOTHER_ID}")
        return Named(payment_id, ProviderStatus(status))
    # Started by the system before us, which left its id in Supabase's row. The check proves what that is worth.
    older = Payment.objects.filter(external_payment_id=external_id).order_by("created_at")
    found = older.values_list("pk", flat=True).first()
    if found is None:
        raise UnknownPayment(NOT_OURS)
    return Named(found, None)


def is_old_news(notice: Notice, named: Named) -> bool:
    """Whether we know from the provider already what the notification tells."""
    if notice.event == "refund.succeeded":
        known = Refund.objects.filter(external_id=notice.object_id, payment_id=named.payment_id)
        return known.filter(status=RefundStatus.SUCCEEDED).exists()
    return named.status in _OLD_NEWS.get(notice.event, ())


def has_news(*, notification_id: int | None, payment_id: uuid.UUID) -> bool:
    """Whether the message of a notification still asks for a check: of many copies of one, the first answers all.

    A message without a notification does, and so does one that misnames it: anybody may have sent that.
    """
    if notification_id is None:
        return True
    row = ProviderNotification.objects.filter(pk=notification_id, payment_id=payment_id).first()
    if row is None:
        return True
    notice = Notice.parse(row.body)
    try:
        return not is_old_news(notice, find_payment(notice))
    except UnknownPayment:
        return True


def is_own_message(msg_id: int, *, notification_id: int | None) -> bool:
    """Whether this is the message that was queued for the notification it names: anybody may have sent another."""
    own = ProviderNotification.objects.filter(pk__in=[notification_id], msg_id=msg_id)
    return own.filter(status=NotificationStatus.STORED).exists()


def settle_notification(*, notification_id: int, payment_id: uuid.UUID) -> None:
    """Note that the payment was checked. Call it in the transaction of the check's outcome."""
    # Both ids come from a message that anybody may have sent: they must belong together.
    rows = ProviderNotification.objects.filter(pk=notification_id, payment_id=payment_id)
    rows.filter(status__in=(NotificationStatus.STORED, NotificationStatus.FAILED)).update(
        status=NotificationStatus.PROCESSED, error="", processed_at=timezone.now()
    )


def fail_notification(*, notification_id: int, payment_id: uuid.UUID, error: str) -> None:
    """Note that the check failed for good. Call it in the transaction of the check's outcome."""
    rows = ProviderNotification.objects.filter(pk=notification_id, payment_id=payment_id)
    rows.filter(status=NotificationStatus.STORED).update(
        status=NotificationStatus.FAILED, error=error[:MOST_ERROR_CHARACTERS], processed_at=timezone.now()
    )


def replay_notification(*, notification_id: int, actor_id: int) -> int:
    """Queue the check of a stored notification again, whoever sent it; returns the id of the message.

    The payment is looked for anew, as it may have been unknown then. Raises `NotReplayable` and `UnknownPayment`.
    """
    with transaction.atomic():
        row = ProviderNotification.objects.select_for_update().filter(pk=notification_id).first()
        if row is None:
            raise NotReplayable(f"there is no notification {notification_id}")
        if (
            row.msg_id is not None
            and row.status == NotificationStatus.STORED
            and pgmq_queue(QUEUE).is_queued(row.msg_id)
        ):
            raise NotReplayable(f"its check is queued already, as message {row.msg_id}")
        notice = Notice.parse(row.body)
        row.payment_id = find_payment(notice).payment_id
        record_event(
            row.payment_id,
            EventKind.NOTIFIED,
            door=Door.STAFF,
            actor_id=actor_id,
            event=notice.event,
            object=notice.object_id,
            notification=row.pk,
        )
        return queue_again(row)


def queue_again(row: ProviderNotification) -> int:
    """Queue a check of a locked notification's payment, whatever is known of it; returns the id of the message."""
    row.status, row.error, row.processed_at = NotificationStatus.STORED, "", None
    row.save(update_fields=["payment", "status", "error", "processed_at"])
    return _queue_check(row, "update_status")


def _queue_check(row: ProviderNotification, action: str) -> int:
    assert row.payment_id is not None  # noqa: S101 # The callers found the payment.
    row.msg_id = queue_check(row.payment_id, action, notification_id=row.pk)
    row.save(update_fields=["msg_id"])
    return row.msg_id
