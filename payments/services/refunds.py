"""Money back: asked for here under a lock, sent to the provider by a worker, seen through by the checks."""

import copy
import uuid
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from bridge.pgmq import pgmq_queue
from notifications.outbox import queue_email
from payments.apps import QUEUE
from payments.errors import RefundRefused
from payments.models import Checkout, Payment, Refund, User
from payments.services.attention import flag
from payments.services.locks import lock_payment
from payments.services.timeline import record_event
from payments.states import (
    HOLDING_MONEY,
    REFUND_TRANSITIONS,
    Attention,
    Door,
    EventKind,
    ProviderStatus,
    RefundStatus,
)
from payments.yookassa.errors import Rejected
from payments.yookassa.objects import ProviderRefund

CENT = Decimal("0.01")
SUBJECT = "Возврат оформлен"
_DESCRIPTION = "Возврат "


def remaining_amount(checkout: Checkout) -> Decimal:
    """What can still be refunded: paid, less what went back and what is on its way. Exact only under the lock."""
    if checkout.provider_status != ProviderStatus.SUCCEEDED:
        return Decimal(0)
    held = Refund.objects.filter(payment_id=checkout.pk, status__in=HOLDING_MONEY).aggregate(sum=Sum("amount"))["sum"]
    # The provider's own count may be ahead of the rows: a refund made in its office is found by the next check.
    return checkout.amount - max(held or Decimal(0), checkout.refunded_amount)


def request_refund(
    *,
    payment_id: uuid.UUID,
    amount: Decimal | None,
    reason: str,
    actor_id: int | None,
    door: Door,
    refund_id: uuid.UUID | None = None,
) -> Refund:
    """Note a refund and queue it; `amount` None means all that remains. Nothing is sent to the provider here.

    With a `refund_id` it happens once: the same request again returns the refund that the first one made.
    Raises `RefundRefused` for what cannot be refunded and `PaymentMissing`.
    """
    with transaction.atomic():
        _, checkout = lock_payment(payment_id)
        made = None if refund_id is None else Refund.objects.filter(pk=refund_id).first()
        if made is not None:
            if made.payment_id != payment_id or amount not in (None, made.amount):
                raise RefundRefused("this request was made already, for another payment or amount")
            return made
        if checkout.provider_status != ProviderStatus.SUCCEEDED or checkout.external_id is None:
            raise RefundRefused("only a payment that YooKassa reports as paid can be refunded")
        remaining = remaining_amount(checkout)
        wanted = remaining if amount is None else amount
        if remaining <= 0:
            raise RefundRefused("nothing is left to refund: everything went back or is on its way")
        if wanted < CENT or wanted != wanted.quantize(CENT):
            raise RefundRefused("the amount must be at least 0.01, with two decimals at most")
        # Every amount with its kopecks: it goes into the request, the receipt and the timeline as text.
        wanted = wanted.quantize(CENT)
        if wanted > remaining:
            raise RefundRefused(f"at most {remaining} {checkout.currency} can still be refunded, not {wanted}")
        refund = Refund(
            id=refund_id or uuid.uuid4(),
            payment_id=payment_id,
            amount=wanted,
            currency=checkout.currency,
            reason=reason,
            requested_by_id=actor_id,
        )
        refund.request_body = _request_body(checkout, refund)
        refund.save(force_insert=True)
        record_event(
            payment_id,
            EventKind.REFUND_REQUESTED,
            door=door,
            actor_id=actor_id,
            refund=str(refund.pk),
            amount=str(wanted),
        )
        queue_processing(payment_id, "refund")
        return refund


def queue_processing(payment_id: uuid.UUID, action: str, **more: Any) -> int:
    """Put a message into the payment queue, in the caller's transaction; returns its id."""
    body = {"payment_id": str(payment_id), "action": action, "created_at": timezone.now().isoformat(), **more}
    return pgmq_queue(QUEUE).send(body)


def note_refused(refund: Refund, checkout: Checkout, error: Rejected, *, door: Door) -> None:
    """The provider refused to make a refund: its amount is free again, and a person must know."""
    if RefundStatus.REJECTED not in REFUND_TRANSITIONS[RefundStatus(refund.status)]:
        return
    refund.status, refund.finished_at = RefundStatus.REJECTED, timezone.now()
    refund.error = f"{error}. {error.description}".strip()
    refund.save(update_fields=["status", "error", "finished_at", "updated_at"])
    _tell(refund, checkout, door=door)


def note_refund(payment: Payment, checkout: Checkout, seen: ProviderRefund, *, door: Door) -> Refund:
    """Bring our row of a refund to what the provider says; a refund that was made elsewhere gets one."""
    refund = _match(checkout, seen)
    if refund is None:
        refund = Refund(
            payment=payment,
            external_id=seen.id,
            amount=seen.amount,
            currency=seen.currency,
            status=RefundStatus.PENDING,
        )
        refund.save(force_insert=True)
    status = RefundStatus(seen.status) if seen.status in RefundStatus.values else RefundStatus.PENDING
    changed = status in REFUND_TRANSITIONS[RefundStatus(refund.status)]
    refund.external_id = seen.id
    if changed:
        refund.status, refund.error = status, ""
        # YooKassa's words, of any length.
        refund.cancellation_party = seen.cancellation_party[:50]
        refund.cancellation_reason = seen.cancellation_reason[:100]
        refund.finished_at = timezone.now() if status in (RefundStatus.SUCCEEDED, RefundStatus.CANCELED) else None
    refund.save()
    if changed:
        _tell(refund, checkout, door=door)
        made_at = seen.created_at or timezone.now()
        if status == RefundStatus.SUCCEEDED and made_at >= checkout.created_at:
            _mail(payment, refund)
    return refund


def _match(checkout: Checkout, seen: ProviderRefund) -> Refund | None:
    rows = Refund.objects.select_for_update().filter(payment_id=checkout.pk)
    known = rows.filter(external_id=seen.id).first()
    if known is not None:
        return known
    try:
        ours = uuid.UUID(seen.description.removeprefix(_DESCRIPTION))
    except ValueError:
        return None
    return rows.filter(pk=ours, external_id__isnull=True, amount=seen.amount).first()


def _tell(refund: Refund, checkout: Checkout, *, door: Door) -> None:
    record_event(
        checkout.payment_id,
        EventKind.REFUND_CHANGED,
        door=door,
        refund=str(refund.pk),
        amount=str(refund.amount),
        status=str(refund.status),
        reason=refund.cancellation_reason,
    )
    if refund.status in (RefundStatus.CANCELED, RefundStatus.REJECTED):
        why = refund.cancellation_reason or refund.error
        flag(checkout, Attention.REFUND_FAILED, f"the refund of {refund.amount} did not go through: {why}", door=door)


def _mail(payment: Payment, refund: Refund) -> None:
    email = User.objects.filter(pk=payment.user_id).values_list("email", flat=True).first()
    if email:
        queue_email(
            to=email,
            subject=SUBJECT,
            template="payment_refunded",
            variables={"payment_id": str(payment.pk), "amount": str(refund.amount), "currency": refund.currency},
        )


def _request_body(checkout: Checkout, refund: Refund) -> dict[str, Any]:
    """What is sent, and stored first. The description carries our id: by it a lost answer is found again.

    The receipt of the payment had one item; the refund's has the same with its own amount (54-FZ).
    """
    amount = {"value": str(refund.amount), "currency": refund.currency}
    body: dict[str, Any] = {
        "payment_id": checkout.external_id,
        "amount": amount,
        "description": f"{_DESCRIPTION}{refund.pk}",
    }
    receipt = copy.deepcopy((checkout.request_body or {}).get("receipt"))
    if receipt:
        for item in receipt["items"]:
            item["amount"], item["quantity"] = amount, "1.00"
        body["receipt"] = receipt
    return body
