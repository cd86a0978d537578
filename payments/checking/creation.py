"""Notes what came of the request to create a payment: an answer, a refusal, or nothing."""

import uuid
from datetime import timedelta

from django.utils import timezone

from payments.checking.apply import apply_observation
from payments.checking.ask import Observation
from payments.checking.rows import keep, move
from payments.ledger.book import open_book
from payments.models import Payment
from payments.states import Attention, Door, EventKind, ProviderStatus
from payments.yookassa.errors import Rejected
from payments.yookassa.objects import ProviderPayment


def record_created(payment_id: uuid.UUID, created: ProviderPayment, *, door: Door) -> Payment:
    """Note the provider's answer to the creation of a payment."""
    return apply_observation(Observation(payment_id, created), door=door)


def record_refused(payment_id: uuid.UUID, error: Rejected, *, door: Door) -> Payment:
    """Note that the provider refused to create a payment: nobody can pay it, and a person must know why."""
    with open_book(payment_id, door=door) as book:
        if book.checkout.provider_status == ProviderStatus.UNKNOWN:
            book.note(EventKind.PROVIDER_REFUSED, code=error.code, error=str(error))
            book.flag(Attention.NOT_CREATED, str(error))
            move(book, ProviderStatus.REJECTED)
            keep(book)
        return book.payment


def record_unanswered(payment_id: uuid.UUID, why: str, *, door: Door) -> None:
    """Note that the provider did not answer the creation: the payment may exist there, so it is looked for soon."""
    with open_book(payment_id, door=door) as book:
        book.note(EventKind.PROVIDER_AWAY, error=why)
        book.checkout.next_check_at = timezone.now() + timedelta(minutes=1)
