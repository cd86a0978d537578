"""Tells a customer how their payment stands. What the front end wrote into its row is no answer."""

import uuid
from dataclasses import dataclass

from payments.buying.adoption import find_started, is_started
from payments.checking.sync import sync_payment
from payments.consultations.booking import expect_own_row
from payments.errors import AskedLately, PaymentMissing, PaymentNotFound, ProviderMismatch, ProviderNotConfigured
from payments.models import Payment
from payments.selectors import payments_of, proven_status
from payments.states import Door, PaymentStatus
from payments.yookassa.errors import YooKassaError

# What a row without a payment at the provider may say about itself: nothing can be gained by it.
_HARMLESS = frozenset({PaymentStatus.FAILED, PaymentStatus.CANCELLED})
_FINAL = frozenset({PaymentStatus.COMPLETED, PaymentStatus.REFUNDED, *_HARMLESS})


@dataclass(frozen=True, slots=True)
class Verified:
    status: PaymentStatus
    payment: Payment


def verify_payment(*, payment_id: uuid.UUID, user_id: uuid.UUID) -> Verified:
    """Ask the provider and return what it says, or said a moment ago; a payment that is over is answered from here.

    A row that nothing was started under is answered by the payment that was started for the same purchase, if there is
    one: the front end asks about the row that it inserted itself. Raises `PaymentNotFound` for what is not this
    customer's, and what asking the provider raises.
    """
    row = _row(payment_id, user_id)
    started = row if is_started(row) else find_started(row)
    if started is None:
        # Nothing was started for it yet.
        return Verified(PaymentStatus(row.status) if row.status in _HARMLESS else PaymentStatus.PENDING, row)
    verified = _verify(started, user_id)
    if verified.status == PaymentStatus.COMPLETED:
        # Whatever we answer, the front end inserts its own consultation next.
        expect_own_row(started.pk)
    return verified if started is row else Verified(verified.status, row)


def _verify(row: Payment, user_id: uuid.UUID) -> Verified:
    known = proven_status(row)
    # A row that somebody wrote something else into is put right on the way.
    if known in _FINAL and row.status == known:
        return Verified(known, row)
    try:
        sync_payment(row.pk, door=Door.API)
    except PaymentMissing:
        return Verified(PaymentStatus.PENDING, row)
    except AskedLately:
        # What it said then. Whoever asks again in a few seconds gets a new answer.
        return Verified(known or PaymentStatus.PENDING, row)
    except (ProviderMismatch, YooKassaError, ProviderNotConfigured):
        if known in _FINAL:
            return Verified(known, row)
        raise
    row = _row(row.pk, user_id)
    return Verified(proven_status(row) or PaymentStatus.PENDING, row)


def _row(payment_id: uuid.UUID, user_id: uuid.UUID) -> Payment:
    row = payments_of(user_id).filter(pk=payment_id).first() or _row_by_providers_id(payment_id, user_id)
    if row is None:
        raise PaymentNotFound
    return row


def _row_by_providers_id(external_id: uuid.UUID, user_id: uuid.UUID) -> Payment | None:
    """Pages that the system before us served may have been told YooKassa's id. What the row says of itself proves
    nothing, here as elsewhere: YooKassa is asked whose payment it is.
    """
    rows = payments_of(user_id).filter(external_payment_id=str(external_id))
    return rows.filter(checkout__external_id=str(external_id)).first() or rows.order_by("created_at").first()
