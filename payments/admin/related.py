"""The tables below a payment's fields: its refunds, and the notifications that named it."""

from dataclasses import dataclass

from django.utils.safestring import SafeString

from payments.admin.badges import notification_badge, refund_badge
from payments.admin.reasons import reason_text
from payments.advice import RECEIPTS, REFUND_NOT_TAKEN, refund_advice, told_with_party
from payments.models import Payment, ProviderNotification, Refund
from payments.states import RefundStatus
from staff.formats import moment, money

MOST_NOTIFICATIONS = 20


@dataclass(frozen=True, slots=True)
class RefundLine:
    """`problem` says why a refund did not go through and what next; empty for the others."""

    pk: str
    status: SafeString
    amount: str
    reason: str
    by: str
    requested: str
    finished: str
    problem: str
    error: str
    receipt: str


@dataclass(frozen=True, slots=True)
class NotificationLine:
    pk: int
    received: str
    event: str
    status: SafeString
    why: str


def refunds_of(payment: Payment) -> list[RefundLine]:
    rows = Refund.objects.filter(payment_id=payment.pk).select_related("requested_by").order_by("-created_at")
    return [_refund(row) for row in rows]


def notifications_of(payment: Payment) -> list[NotificationLine]:
    rows = ProviderNotification.objects.filter(payment_id=payment.pk).defer("body").order_by("-received_at", "-pk")
    return [
        NotificationLine(
            row.pk,
            moment(row.received_at),
            row.event,
            notification_badge(row),
            reason_text(row),
        )
        for row in rows[:MOST_NOTIFICATIONS]
    ]


def _refund(row: Refund) -> RefundLine:
    return RefundLine(
        pk=str(row.pk),
        status=refund_badge(row),
        amount=money(row.amount, row.currency),
        reason=row.reason,
        by=row.requested_by.get_username() if row.requested_by is not None else "",
        requested=moment(row.created_at),
        finished=moment(row.finished_at),
        problem=refund_problem(row),
        error=row.error,
        receipt=refund_receipt_text(row),
    )


def refund_receipt_text(row: Refund) -> str:
    """How the receipt of a refund stands; empty where there is none."""
    if row.status != RefundStatus.SUCCEEDED or not row.receipt_registration:
        return ""
    return str(RECEIPTS.get(row.receipt_registration, row.receipt_registration))


def refund_problem(row: Refund) -> str:
    """Why a refund did not go through, who refused it, and what staff can do; empty for the others."""
    if row.status == RefundStatus.REJECTED:
        return str(REFUND_NOT_TAKEN)
    if row.status != RefundStatus.CANCELED:
        return ""
    advice = refund_advice(row.cancellation_reason)
    return f"{told_with_party(advice.what, row.cancellation_party)} {advice.next_step}"
