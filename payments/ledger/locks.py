"""The order in which rows of a payment are locked, so that two doors never wait for each other in a circle."""

import uuid

from django.db import connection

from bridge.rights import RowsHidden
from payments.errors import PaymentMissing
from payments.ledger.deleted_rows import rows_are_hidden, stand_in
from payments.models import Checkout, Payment

# The first half of the advisory locks' keys: only ours, so that nobody else's numbers collide with them.
_CUSTOMER, _SLOT = 7_262_021, 7_262_022


def lock_payment(payment_id: uuid.UUID) -> tuple[Payment, Checkout]:
    """Lock a payment, first Supabase's row, then ours, until the transaction ends.

    The row may have been deleted, the money may not: then the payment is a stand-in that `was_deleted`. Raises
    `PaymentMissing` for what was never started here, and `RowsHidden` where nobody can tell a deleted row.
    """
    payment = Payment.objects.select_for_update().filter(pk=payment_id).first()
    checkout = Checkout.objects.select_for_update().filter(pk=payment_id).first()
    if checkout is None:
        raise PaymentMissing(f"nothing was ever started at YooKassa for the payment {payment_id}")
    if payment is None and rows_are_hidden():
        raise RowsHidden("row security hides public.payments: give the role of DATABASE_URL the attribute BYPASSRLS")
    return payment or stand_in(checkout), checkout


def lock_customer(user_id: uuid.UUID) -> None:
    """Let one request at a time start payments for a customer: a double click is two requests at once."""
    _lock(_CUSTOMER, str(user_id))


def lock_slot(slot: str) -> None:
    """Let one transaction at a time give away a time: counting and inserting is not one statement."""
    _lock(_SLOT, slot)


def _lock(kind: int, name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [kind, name])
