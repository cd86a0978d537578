"""Asks the provider how a payment stands. All HTTP of the one room is here, outside any transaction."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.utils import timezone

from payments.errors import InvalidOrder, PaymentMissing, ProviderMismatch, UnclearClaim
from payments.models import Checkout, Payment, Refund
from payments.orders import Order, parse_order
from payments.provider import MOST_PAGES, provider
from payments.receipts import wants_refund_receipts
from payments.refunds.send import send_refunds
from payments.states import HOLDING_MONEY, ProviderStatus, RefundStatus
from payments.yookassa.client import YooKassaClient, every_page
from payments.yookassa.errors import Rejected, Unavailable
from payments.yookassa.objects import Page, ProviderPayment, ProviderRefund

# A payment whose creation got no answer is looked for around its time; after this it counts as never made.
GIVE_UP_AFTER = timedelta(hours=1)
_CLOCKS_DIFFER = timedelta(minutes=5)
# How long after its row the system before us started a payment.
STARTED_WITHIN = timedelta(hours=1)
# The last client to send a stored request again may come this long after the first.
_SENT_AGAIN_WITHIN = timedelta(hours=1)
# In place of NaN. Nobody pays a kopeck, so it differs from whatever was paid.
_NO_AMOUNT = Decimal("0.01")
_TAKEN = (ProviderStatus.WAITING_FOR_CAPTURE, ProviderStatus.SUCCEEDED)


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


def observe_payment(payment_id: uuid.UUID) -> Observation:
    """Ask the provider about a payment, sending the refunds that staff asked for on the way.

    Raises `PaymentMissing` for a payment that was never started, `ProviderMismatch` when the provider does not know
    the id that we have of it, `Unavailable` or `Rejected` from the adapter, and `ProviderNotConfigured`.
    """
    client, seen_at = provider(), timezone.now()
    checkout = Checkout.objects.filter(pk=payment_id).first() or _take_over(client, payment_id)
    sent = send_refunds(client, checkout)
    if checkout.external_id is None:
        return Observation(payment_id, _find(client, checkout), seen_at=seen_at)
    payment = _get(client, checkout.external_id)
    refunds = _refunds(client, checkout, payment) if sent.any or _wants_refunds(checkout, payment) else None
    return Observation(payment_id, payment, refunds, sent.refused, bool(sent.unanswered), seen_at)


def _take_over(client: YooKassaClient, payment_id: uuid.UUID) -> Checkout:
    """Make a checkout for a payment that the system before us started.

    Its row may carry anybody's id, so the provider is asked first: the id of a payment must not be taken from its row.
    One that names no row there belongs to the only row with its id that is as old as it is.
    """
    row = Payment.objects.filter(pk=payment_id).first()
    if row is None:
        raise PaymentMissing(f"there is no payment {payment_id}")
    if not row.external_payment_id:
        raise PaymentMissing(f"the payment {payment_id} was never started at YooKassa")
    theirs = _get(client, row.external_payment_id)
    named = theirs.metadata.get("payment_id")
    if named is None:
        _check_only_claim(row, theirs)
    elif named != str(payment_id):
        raise ProviderMismatch(f"{row.external_payment_id} was made for the payment {named}")
    try:
        with transaction.atomic():
            return _adopt_foreign(row, row.external_payment_id)
    except IntegrityError as error:
        existing = Checkout.objects.filter(pk=payment_id).first()
        if existing is not None:
            return existing
        raise ProviderMismatch(f"{row.external_payment_id} is the payment of another row") from error


def _check_only_claim(row: Payment, theirs: ProviderPayment) -> None:
    """Whoever inserts a row chooses its `external_payment_id`: an old payment must not prove a new row."""
    # What was paid is somebody's; without money there is nothing for a person to find out.
    refuse = UnclearClaim if theirs.status in _TAKEN else ProviderMismatch
    if Payment.objects.filter(external_payment_id=theirs.id).exclude(pk=row.pk).exists():
        raise refuse(f"several payments carry the id {theirs.id}, and YooKassa names none of them")
    if row.created_at is None:
        raise refuse(f"{theirs.id} was made at {theirs.created_at}, and the payment has no time")
    # The row was there first; the customer chose a way to pay in between.
    if theirs.created_at is None:
        raise refuse(f"YooKassa does not say when it made {theirs.id}")
    if not -_CLOCKS_DIFFER <= theirs.created_at - row.created_at <= STARTED_WITHIN:
        raise refuse(f"{theirs.id} was made at {theirs.created_at}, the payment at {row.created_at}")


def _get(client: YooKassaClient, external_id: str) -> ProviderPayment:
    try:
        return client.get_payment(external_id)
    except Rejected as error:
        if error.http_status == 404:
            raise ProviderMismatch(
                f"YooKassa does not know the payment {external_id}: is it another shop's?"
            ) from error
        raise


def _adopt_foreign(row: Payment, external_id: str) -> Checkout:
    """Take over a payment that the system before us started. Its order is only what its row says, so no proof."""
    try:
        order: Order | None = parse_order(row.metadata)
    except InvalidOrder:
        order = None
    return Checkout.objects.create(
        payment=row,
        user_id=row.user_id,
        # Any text may stand there, and no number; what the provider says is compared with this and decides.
        amount=row.amount or _NO_AMOUNT,
        currency=row.currency[:3],
        external_id=external_id[:64],
        provider_status=ProviderStatus.PENDING,
        **(order.columns() if order else {}),
    )


def _find(client: YooKassaClient, checkout: Checkout) -> ProviderPayment | None:
    """Look for a payment whose creation got no answer: the provider lists it with our id in its metadata."""

    def ask(cursor: str | None) -> Page[ProviderPayment]:
        return client.list_payments(
            created_from=checkout.created_at - _CLOCKS_DIFFER,
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
    rows = Refund.objects.filter(payment_id=checkout.pk, status__in=HOLDING_MONEY).values_list("status", "amount")
    if wants_refund_receipts(checkout):
        return True
    known = sum((amount for status, amount in rows if status == RefundStatus.SUCCEEDED), Decimal(0))
    return payment.refunded_amount != known or any(status != RefundStatus.SUCCEEDED for status, _ in rows)


def _refunds(client: YooKassaClient, checkout: Checkout, payment: ProviderPayment) -> tuple[ProviderRefund, ...]:
    def ask(cursor: str | None) -> Page[ProviderRefund]:
        return client.list_refunds(payment_id=payment.id, cursor=cursor)

    found: list[ProviderRefund] = []
    for page in every_page(ask, most=MOST_PAGES):
        # Asked for by the payment; checked all the same, as money is booked by it.
        found.extend(refund for refund in page.items if refund.payment_id == checkout.external_id)
    return tuple(found)
