"""Asks the provider how a payment stands: changes nothing there, and nothing here."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.utils import timezone

from payments.errors import ProviderMismatch
from payments.ledger.refunds import refunds_of
from payments.models import Checkout, Refund
from payments.provider import MOST_PAGES
from payments.receipts import wants_refund_receipts
from payments.refunds.send import Sent
from payments.states import HOLDING_MONEY, RefundStatus
from payments.yookassa.client import YooKassaClient, every_page
from payments.yookassa.errors import Rejected, Unavailable
from payments.yookassa.objects import Page, ProviderPayment, ProviderRefund

# A payment whose creation got no answer is looked for around its time; after this it counts as never made.
GIVE_UP_AFTER = timedelta(hours=1)
CLOCKS_DIFFER = timedelta(minutes=5)
# The last client to send a stored request again may come this long after the first.
_SENT_AGAIN_WITHIN = timedelta(hours=1)
_ON_THEIR_WAY = {*HOLDING_MONEY} - {RefundStatus.SUCCEEDED}


@dataclass(frozen=True, slots=True)
class Observation:
    """What the provider said about one payment. `payment` is `None` when it does not know of one.

    `refunds` is `None` when nobody asked for them, and `refused` holds the refunds that it would not make. `unsent`
    says that there are more, which it did not answer about.
    """

    payment_id: uuid.UUID
    payment: ProviderPayment | None
    refunds: tuple[ProviderRefund, ...] | None = None
    refused: dict[uuid.UUID, Rejected] = field(default_factory=dict)
    unsent: bool = False
    seen_at: datetime = field(default_factory=timezone.now)


def was_checked_since(moment: datetime, *, payment_id: uuid.UUID) -> bool:
    """Whether the provider was asked about a payment after `moment`, so that a message of then has its answer.

    Anybody may fill the queue, and each message would otherwise cost a call of the provider. A refund that waits to be
    sent always wants one: its message may have been made early in a long transaction.
    """
    checked = Checkout.objects.filter(pk=payment_id, checked_at__gt=moment).exists()
    return checked and not Refund.objects.filter(payment_id=payment_id, status=RefundStatus.REQUESTED).exists()


def ask_about(
    client: YooKassaClient, checkout: Checkout, *, sent: Sent, seen_at: datetime, known: ProviderPayment | None = None
) -> Observation:
    """Ask how a payment stands, and how its refunds do where they may have news: `sent` are those of a moment ago.

    `known` is what the provider has just said of the payment.
    """
    if checkout.external_id is None:
        return Observation(checkout.pk, _find(client, checkout), seen_at=seen_at)
    payment = known if known is not None and not sent.any else ask_by_id(client, checkout.external_id)
    refunds = _refunds(client, checkout, payment) if sent.any or _wants_refunds(checkout, payment) else None
    return Observation(checkout.pk, payment, refunds, sent.refused, bool(sent.unanswered), seen_at)


def ask_by_id(client: YooKassaClient, external_id: str) -> ProviderPayment:
    """What the provider has under an id. Raises `ProviderMismatch` where that is nothing, and what the adapter does."""
    try:
        return client.get_payment(external_id)
    except Rejected as error:
        if error.http_status == 404:
            raise ProviderMismatch(
                f"YooKassa does not know the payment {external_id}: is it another shop's?"
            ) from error
        raise


def _find(client: YooKassaClient, checkout: Checkout) -> ProviderPayment | None:
    """Look for a payment whose creation got no answer: the provider lists it with our id in its metadata."""

    def ask(cursor: str | None) -> Page[ProviderPayment]:
        return client.list_payments(
            created_from=checkout.created_at - CLOCKS_DIFFER,
            created_to=checkout.created_at + _SENT_AGAIN_WITHIN,
            cursor=cursor,
        )

    for page in every_page(ask, most=MOST_PAGES, all_of="payments"):
        for payment in page.items:
            if payment.metadata.get("payment_id") == str(checkout.pk):
                return payment
        ours = next((one for one in page.unreadable if one.names == str(checkout.pk)), None)
        if ours is not None:
            # It was made: to give it up as unmade would be wrong.
            raise Unavailable(f"it lists our payment as {ours}", False)
    return None


def _wants_refunds(checkout: Checkout, payment: ProviderPayment) -> bool:
    refunds = refunds_of(checkout.pk)
    known = sum((one.amount for one in refunds if one.status == RefundStatus.SUCCEEDED), Decimal(0))
    if payment.refunded_amount != known or any(one.status in _ON_THEIR_WAY for one in refunds):
        return True
    return wants_refund_receipts(checkout, refunds)


def _refunds(client: YooKassaClient, checkout: Checkout, payment: ProviderPayment) -> tuple[ProviderRefund, ...]:
    def ask(cursor: str | None) -> Page[ProviderRefund]:
        return client.list_refunds(payment_id=payment.id, cursor=cursor)

    found: list[ProviderRefund] = []
    for page in every_page(ask, most=MOST_PAGES):
        # Asked for by the payment; checked all the same, as money is booked by it.
        found.extend(refund for refund in page.items if refund.payment_id == checkout.external_id)
    return tuple(found)
