"""Takes over payments that the system before us started, once the provider vouches for whose they are."""

import uuid
from datetime import timedelta
from decimal import Decimal

from django.db import IntegrityError, transaction

from payments.checking.ask import CLOCKS_DIFFER, ask_by_id
from payments.checking.turns import remember_refusal, take_turn_of_claims
from payments.errors import InvalidOrder, NotTheirs, PaymentMissing, ProviderMismatch, UnclearClaim
from payments.models import Checkout, Payment
from payments.orders import Order, parse_order
from payments.states import ProviderStatus
from payments.yookassa.client import YooKassaClient
from payments.yookassa.objects import ProviderPayment

# How long after its row the system before us started a payment.
STARTED_WITHIN = timedelta(hours=1)
# In place of NaN. Nobody pays a kopeck, so it differs from whatever was paid.
_NO_AMOUNT = Decimal("0.01")
_TAKEN = (ProviderStatus.WAITING_FOR_CAPTURE, ProviderStatus.SUCCEEDED)


def started_row(payment_id: uuid.UUID) -> Payment:
    """The row of a payment that the system before us started, as it says itself. Raises `PaymentMissing`."""
    row = Payment.objects.filter(pk=payment_id).first()
    if row is None:
        raise PaymentMissing(f"there is no payment {payment_id}")
    if not row.external_payment_id:
        raise PaymentMissing(f"the payment {payment_id} was never started at YooKassa")
    return row


def take_over(client: YooKassaClient, row: Payment) -> tuple[Checkout, ProviderPayment]:
    """Make a checkout for a payment that the system before us started; returns what the provider said of it, too.

    Its row may carry anybody's id, so the provider is asked first: the id of a payment must not be taken from its row.
    One that names no row there belongs to the only row with its id that is as old as it is. That it is not this row's
    is remembered for a minute. The caller has the payment's turn.
    """
    take_turn_of_claims(row.user_id)
    try:
        return _take_over(client, row, row.external_payment_id or "")
    except ProviderMismatch as error:
        # What no money proves is the affair of whoever wrote the row, and no error of ours.
        refusal = error if isinstance(error, UnclearClaim) else NotTheirs(str(error))
        remember_refusal(row.pk, refusal)
        raise refusal from error


def _take_over(client: YooKassaClient, row: Payment, external_id: str) -> tuple[Checkout, ProviderPayment]:
    theirs = ask_by_id(client, external_id)
    named = theirs.metadata.get("payment_id")
    if named is None:
        _check_only_claim(row, theirs)
    elif named != str(row.pk):
        raise ProviderMismatch(f"{external_id} was made for the payment {named}")
    try:
        with transaction.atomic():
            return _adopt_foreign(row, external_id), theirs
    except IntegrityError as error:
        existing = Checkout.objects.filter(pk=row.pk).first()
        if existing is not None:
            return existing, theirs
        raise ProviderMismatch(f"{external_id} is the payment of another row") from error


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
    if not -CLOCKS_DIFFER <= theirs.created_at - row.created_at <= STARTED_WITHIN:
        raise refuse(f"{theirs.id} was made at {theirs.created_at}, the payment at {row.created_at}")


def _adopt_foreign(row: Payment, external_id: str) -> Checkout:
    """Its order is only what its row says, so no proof."""
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
