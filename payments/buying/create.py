"""Starts a payment: everything is written down before the provider is asked, so that no answer can get lost."""

import logging
import uuid
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from payments.buying.adoption import Purchase, find_open_checkout, find_row
from payments.buying.order_checks import check_order, check_price
from payments.buying.request_body import payment_request
from payments.checking.creation import record_created, record_refused, record_unanswered
from payments.checking.schedule import STEPS
from payments.checking.sync import sync_payment
from payments.contacts import receipt_contact
from payments.errors import (
    OrderFault,
    OrderRefused,
    PaymentFinished,
    PaymentMissing,
    PaymentNotStored,
    ProviderMismatch,
    UnknownCustomer,
)
from payments.foreign import ForeignRefusal, foreign_write
from payments.ledger.book import record_event
from payments.ledger.locks import lock_customer
from payments.models import Checkout, Payment, User
from payments.orders import parse_order, storable_metadata
from payments.provider import provider
from payments.receipts import TaxRules
from payments.states import Attention, Door, EventKind, ProviderStatus
from payments.yookassa.client import YooKassaClient
from payments.yookassa.errors import Rejected, Unavailable

logger = logging.getLogger(__name__)

METHOD = "yookassa"
# The second of two clicks. Payers need longer than that for a form.
DOUBLE_CLICK = timedelta(seconds=5)
STILL_PAYABLE = (ProviderStatus.UNKNOWN, ProviderStatus.PENDING)
HOLDING_PAYERS_MONEY = (ProviderStatus.WAITING_FOR_CAPTURE, ProviderStatus.SUCCEEDED)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who pays. `email` is the one that the token vouches for; it may be empty."""

    id: uuid.UUID
    email: str


@dataclass(frozen=True, slots=True)
class Started:
    """A payment that waits for its payer, and the token of the form that takes the money."""

    payment_id: uuid.UUID
    confirmation_token: str


def create_payment(*, caller: Caller, amount: Decimal, currency: str, metadata: object) -> Started:
    """Start a payment, or return the one that was started for the same order a moment ago.

    Raises errors of `payments.errors` and of the adapter. After `Unavailable` the same call finishes what was begun.
    """
    stored, order = storable_metadata(metadata), parse_order(metadata)
    client = provider()
    purchase = Purchase(caller.id, order, amount, currency)
    while True:
        checkout, is_new = _begin(purchase, caller, stored)
        if is_new or not checkout.confirmation_token:
            return Started(checkout.pk, _ask_for_token(client, checkout))
        if not _check_whether_dead(checkout):
            return Started(checkout.pk, checkout.confirmation_token)


def check_whether_over(payment_id: uuid.UUID) -> bool:
    """Bring a payment up to date and tell whether its form takes no money any more, or none that would reach its row.

    Asks the provider, where we do not know it: the browser learns of a decline before we do. Raises what
    `create_payment` does.
    """
    checkout = Checkout.objects.filter(
        pk=payment_id, payment__user_id=F("user_id"), provider_status__in=STILL_PAYABLE
    ).first()
    return checkout is None or _check_whether_dead(checkout)


def _check_whether_dead(checkout: Checkout) -> bool:
    """Check an open payment at the provider and tell whether its form is over: the browser learns that before we do.

    Raises `PaymentFinished` for one that was paid, so that nobody pays twice. Where the provider does not answer, the
    second click of a double click gets the form all the same.
    """
    try:
        sync_payment(checkout.pk, door=Door.API, at_once=True)
    except Unavailable:
        if timezone.now() - checkout.created_at < DOUBLE_CLICK:
            return False
        raise
    except PaymentMissing as error:
        raise PaymentFinished from error
    checkout.refresh_from_db()
    if checkout.attention == Attention.MISMATCH:
        raise ProviderMismatch(payment=checkout.pk)
    if checkout.provider_status in HOLDING_PAYERS_MONEY:
        raise PaymentFinished
    return checkout.provider_status not in STILL_PAYABLE


def _begin(purchase: Purchase, caller: Caller, metadata: dict[str, Any]) -> tuple[Checkout, bool]:
    """Return the payment for a purchase, and whether it is a new one."""
    with transaction.atomic():
        # A double click is two requests at once: the second one finds what the first one began.
        lock_customer(caller.id)
        customer = User.objects.filter(pk=caller.id).first()
        if customer is None:
            raise UnknownCustomer
        check_price(purchase.order, purchase.amount)
        check_order(purchase.order, caller.id)
        row = find_row(purchase)
        existing = find_open_checkout(purchase) if row is None else None
        if existing is not None:
            return existing, False
        return _write(purchase, row, _request_parts(customer, caller), metadata), True


def _request_parts(customer: User, caller: Caller) -> dict[str, Any]:
    contact = receipt_contact(emails=(customer.email, caller.email), phone=customer.phone)
    if contact is None:
        raise OrderRefused(OrderFault.RECEIPT_CONTACT_MISSING, "receipt")
    return {"contact": contact, "taxes": TaxRules(settings.YUKASSA_VAT_CODE, settings.YUKASSA_TAX_SYSTEM_CODE)}


def _write(purchase: Purchase, row: Payment | None, parts: dict[str, Any], metadata: dict[str, Any]) -> Checkout:
    adopted = row is not None
    row = _insert(purchase, metadata) if row is None else _name_method(row)
    order = purchase.order
    checkout = Checkout.objects.create(
        payment=row,
        user_id=purchase.user_id,
        amount=purchase.amount,
        currency=purchase.currency,
        request_body=payment_request(
            payment_id=row.pk,
            user_id=purchase.user_id,
            kind=order.kind,
            amount=purchase.amount,
            currency=purchase.currency,
            **parts,
        ),
        # Should this process die before the provider answers.
        next_check_at=timezone.now() + STEPS[0],
        **order.columns(),
    )
    record_event(
        row.pk, EventKind.CREATED, door=Door.API, amount=str(purchase.amount), order=order.kind.value, adopted=adopted
    )
    return checkout


def _insert(purchase: Purchase, metadata: dict[str, Any]) -> Payment:
    try:
        with foreign_write():
            row = Payment.objects.create(
                user_id=purchase.user_id,
                amount=purchase.amount,
                currency=purchase.currency,
                payment_method=METHOD,
                metadata=metadata,
            )
    except ForeignRefusal as refusal:
        logger.error("no payment can be started, the database refuses its row: %s", refusal)
        raise PaymentNotStored from refusal
    # A trigger may swallow a row without an error.
    if not Payment.objects.filter(pk=row.pk).exists():
        logger.error("no payment can be started, a trigger of Supabase's swallows its row")
        raise PaymentNotStored
    return row


def _name_method(row: Payment) -> Payment:
    """Complete an adopted row. Nothing depends on it, so a trigger that refuses it keeps nobody from paying."""
    if row.payment_method is None:
        try:
            with foreign_write():
                row.payment_method = METHOD
                row.save(update_fields=["payment_method", "updated_at"])
        except ForeignRefusal as refusal:
            row.payment_method = None
            logger.warning("payment %s: the database refuses its method: %s", row.pk, refusal)
    return row


def _ask_for_token(client: YooKassaClient, checkout: Checkout) -> str:
    """Send the stored request. Sent twice, it is the same payment: the key is its id."""
    try:
        created = client.create_payment(checkout.request_body or {}, key=str(checkout.pk))
    except Rejected as error:
        record_refused(checkout.pk, error, door=Door.API)
        raise
    except Unavailable as error:
        _note_unanswered(checkout, error)
        raise
    row = record_created(checkout.pk, created, door=Door.API)
    if row.was_deleted:
        # Meanwhile. Without the token nobody pays for what has no row.
        raise PaymentFinished
    checkout.refresh_from_db(fields=["external_id", "confirmation_token"])
    if checkout.external_id != created.id:
        raise ProviderMismatch(payment=checkout.pk)
    if not checkout.confirmation_token:
        raise PaymentFinished
    return checkout.confirmation_token


def _note_unanswered(checkout: Checkout, error: Unavailable) -> None:
    try:
        record_unanswered(checkout.pk, str(error), door=Door.API)
    except DatabaseError as away:
        # The check that was planned together with the checkout comes all the same.
        logger.warning("payment %s: nobody answered, which could not be noted: %s", checkout.pk, type(away).__name__)
