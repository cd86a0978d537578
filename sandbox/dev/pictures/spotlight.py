"""The payment that has a page of its own among the pictures: its time was taken, and a part of it went back."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from freezegun.api import FrozenDateTimeFactory

from payments.models import Checkout, PaymentEvent, ProviderNotification
from payments.states import Attention, Door, EventKind, NotificationStatus, RefundStatus
from sandbox.dev.pictures.album import SPOTLIGHT
from sandbox.dev.pictures.rows import FAMILY_SESSION, IGOR, buy, external_id, mark, refund

# Its ids follow from it, `SPOTLIGHT` among them.
_NUMBER = 42
# One of YooKassa's own.
_ADDRESS = "185.71.76.10"
_NOTIFIED = {"event": "payment.succeeded", "notification": 1}
_REFUSED = {"amount": "2500.00", "status": "canceled", "reason": "insufficient_funds"}
_REFUNDED = {"amount": "1500.00", "status": "succeeded", "reason": ""}
_CORRECTED = {"status": {"found": "refunded", "right": "completed"}}

# Minutes since the start, what happened, through which door, whether a person did it, details.
_Event = tuple[int, EventKind, Door, bool, dict[str, Any]]


def fill_spotlight(clock: FrozenDateTimeFactory, *, at: datetime, staff: User) -> None:
    """Fill in the payment and what happened since it was started `at`."""
    slot = (at + timedelta(days=3)).replace(hour=9, minute=30)
    paid_at = at + timedelta(minutes=3)
    checkout = buy(
        clock,
        _NUMBER,
        at,
        IGOR,
        FAMILY_SESSION,
        scheduled_at=slot,
        captured_at=paid_at,
        refunded_amount=Decimal(1500),
        checked_at=paid_at + timedelta(minutes=64),
        checks=3,
    )
    clock.move_to(paid_at)
    ProviderNotification.objects.create(
        id=1,
        address=_ADDRESS,
        trusted=True,
        event="payment.succeeded",
        object_id=external_id(_NUMBER),
        payment_id=SPOTLIGHT,
        body="{}",
        status=NotificationStatus.PROCESSED,
        processed_at=paid_at,
    )
    note = f"somebody else has the time {slot.isoformat()}"
    mark(checkout, Attention.SLOT_TAKEN, note, paid_at)
    back_at = paid_at + timedelta(minutes=40)
    first, second = _fill_refunds(clock, checkout, back_at, staff)
    for minutes, kind, door, by_staff, data in _timeline(note, first, second):
        clock.move_to(at + timedelta(minutes=minutes))
        PaymentEvent.objects.create(
            payment_id=SPOTLIGHT, kind=kind, door=door, data=data, actor=staff if by_staff else None
        )


def _fill_refunds(clock: FrozenDateTimeFactory, checkout: Checkout, at: datetime, staff: User) -> tuple[str, str]:
    """One that YooKassa refused, and a smaller one that went through."""
    refused = {"cancellation_party": "yoo_money", "cancellation_reason": "insufficient_funds"}
    first = refund(
        clock,
        checkout,
        _NUMBER,
        at,
        amount=Decimal(2500),
        reason="Не смогли предложить другое время",
        status=RefundStatus.CANCELED,
        requested_by=staff,
        **refused,
    )
    second = refund(
        clock,
        checkout,
        _NUMBER + 1,
        at + timedelta(minutes=20),
        amount=Decimal(1500),
        reason="Скидка за ожидание",
        requested_by=staff,
        receipt_registration="succeeded",
    )
    return str(first.pk), str(second.pk)


def _timeline(note: str, first: str, second: str) -> list[_Event]:
    """What the service notes on such a way, oldest first; the refunds are named by their ids."""
    yookassa = external_id(_NUMBER)
    return [
        (0, EventKind.CREATED, Door.API, False, {"amount": "7500.00", "order": "appointment", "adopted": True}),
        (0, EventKind.PROVIDER_AWAY, Door.API, False, {"error": "YooKassa is unavailable: timeout (outcome unknown)"}),
        (1, EventKind.PROVIDER_CREATED, Door.API, False, {"external_id": yookassa}),
        (1, EventKind.STATUS_CHANGED, Door.API, False, {"old": "", "new": "pending"}),
        (3, EventKind.NOTIFIED, Door.WEBHOOK, False, _NOTIFIED | {"object": yookassa}),
        (3, EventKind.STATUS_CHANGED, Door.WEBHOOK, False, {"old": "pending", "new": "succeeded"}),
        (3, EventKind.ATTENTION, Door.WEBHOOK, False, {"reason": "slot_taken", "note": note}),
        (4, EventKind.RECEIPT_CHANGED, Door.RECONCILIATION, False, {"state": "succeeded"}),
        (43, EventKind.REFUND_REQUESTED, Door.STAFF, True, {"refund": first, "amount": "2500.00"}),
        (44, EventKind.REFUND_CHANGED, Door.QUEUE, False, _REFUSED | {"refund": first}),
        (44, EventKind.ATTENTION, Door.QUEUE, False, {"reason": "refund_failed", "note": "insufficient_funds"}),
        (58, EventKind.ATTENTION_CLEARED, Door.STAFF, True, {"reason": "refund_failed", "note": "Баланс пополнен"}),
        (63, EventKind.REFUND_REQUESTED, Door.STAFF, True, {"refund": second, "amount": "1500.00"}),
        (64, EventKind.REFUND_CHANGED, Door.QUEUE, False, _REFUNDED | {"refund": second}),
        (67, EventKind.STATUS_CORRECTED, Door.RECONCILIATION, False, _CORRECTED),
    ]
