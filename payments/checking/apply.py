"""Writes down what the provider said of a payment, with all that follows from it."""

import logging
from datetime import datetime
from functools import partial

from django.utils import timezone

from bridge.batches import one_by_one
from payments.checking.ask import GIVE_UP_AFTER, Observation
from payments.checking.fulfil import flag_deleted, fulfil
from payments.checking.rows import keep, move
from payments.consultations.booking import release
from payments.ledger.book import Book, open_book
from payments.models import Checkout, Payment, Refund
from payments.queue import queue_check
from payments.receipts import judge_receipts
from payments.refunds.outcomes import are_made_good, note_refund, note_refused
from payments.refunds.request import all_goes_back
from payments.states import NOTHING_GIVEN, Attention, Door, EventKind, ProviderStatus, may_follow
from payments.yookassa.objects import ProviderPayment, ProviderRefund

logger = logging.getLogger(__name__)


def apply_observation(observation: Observation, *, door: Door) -> Payment:
    """Write what the provider said, in one transaction with everything that follows from it. Safe to repeat."""
    with open_book(observation.payment_id, door=door) as book:
        checkout, seen = book.checkout, observation.payment
        problem = _mismatch(book, seen) if seen is not None else None
        if seen is not None and problem is not None:
            if book.flag(Attention.MISMATCH, problem):
                logger.error("payment %s is not what YooKassa has: %s", book.payment_id, problem)
            if seen.status != ProviderStatus.WAITING_FOR_CAPTURE:
                # Captured in part, for instance: to capture or cancel it is not the thing to do any more.
                book.settle(Attention.WAITS_FOR_CAPTURE)
        elif seen is not None:
            unnoted = _apply(book, seen, observation)
            book.settle(*(_settled(book) - ({Attention.MISMATCH} if unnoted else set())))
            if unnoted:
                book.flag(Attention.MISMATCH, f"refunds that cannot be noted: {', '.join(unnoted)}")
        elif _is_given_up(checkout, observation):
            move(book, ProviderStatus.REJECTED)
        book.settle(Attention.CHECK_FAILED)
        checkout.checked_at, checkout.checks = observation.seen_at, checkout.checks + 1
        keep(book)
        return book.payment


def _is_given_up(checkout: Checkout, observation: Observation) -> bool:
    return (
        checkout.provider_status == ProviderStatus.UNKNOWN and observation.seen_at - checkout.created_at > GIVE_UP_AFTER
    )


def _mismatch(book: Book, seen: ProviderPayment) -> str | None:
    """What proves that this is not the payment that we asked for, or `None`. The payer's money stands on this."""
    payment, checkout = book.payment, book.checkout
    if payment.user_id != checkout.user_id:
        # Ids are chosen by whoever inserts a row: one that was deleted can come back as somebody else's.
        return f"the row belongs to the customer {payment.user_id}, not to {checkout.user_id} who started it"
    if checkout.external_id is not None and seen.id != checkout.external_id:
        return f"the id is {seen.id}, not {checkout.external_id}"
    if seen.amount != checkout.amount or seen.currency != checkout.currency:
        return f"the amount is {seen.amount} {seen.currency}, not {checkout.amount} {checkout.currency}"
    named = seen.metadata.get("payment_id")
    if named != str(checkout.pk) and (named is not None or checkout.request_body is not None):
        # YooKassa's text, of any length.
        return f"it was made for the payment {(named or 'of nobody')[:64]}"
    if checkout.external_id is None and Checkout.objects.filter(external_id=seen.id).exists():
        return f"the payment {seen.id} belongs to another row"
    contradiction = {checkout.provider_status, seen.status} == {ProviderStatus.SUCCEEDED, ProviderStatus.CANCELED}
    return f"it is {seen.status} after it was {checkout.provider_status}" if contradiction else None


def _apply(book: Book, seen: ProviderPayment, observation: Observation) -> list[str]:
    """Take over what the provider says; returns the ids of refunds that could not be noted."""
    checkout = book.checkout
    unnoted: list[str] = []
    if checkout.external_id is None:
        checkout.external_id = seen.id
        book.note(EventKind.PROVIDER_CREATED, external_id=seen.id)
    if seen.confirmation_token:
        checkout.confirmation_token = seen.confirmation_token
    known = seen.status in ProviderStatus.values and bool(seen.status)
    # A state that we have no word for is still on its way to one that we know.
    status = ProviderStatus(seen.status) if known else ProviderStatus.PENDING
    if status != checkout.provider_status and may_follow(status, ProviderStatus(checkout.provider_status)):
        move(book, status, why=seen.cancellation_reason)
    if status == checkout.provider_status:
        _copy(book, seen)
    if checkout.provider_status == ProviderStatus.WAITING_FOR_CAPTURE:
        book.flag(Attention.WAITS_FOR_CAPTURE, "capture or cancel it in YooKassa's office")
    if checkout.provider_status == ProviderStatus.SUCCEEDED:
        unnoted = _refund(book, seen, observation)
        judge_receipts(book, now=observation.seen_at)
        if checkout.refunded_amount >= checkout.amount:
            release(checkout)
        elif book.payment.was_deleted:
            flag_deleted(book)
        elif not all_goes_back(book):
            fulfil(book, vouched=seen.metadata.get("payment_id") == str(checkout.pk))
    return unnoted


def _settled(book: Book) -> set[Attention]:
    """What is not true any more, now that YooKassa's word was taken over."""
    checkout = book.checkout
    # It is neither another payment nor unknown there.
    over = {Attention.MISMATCH}
    status = checkout.provider_status
    if status != ProviderStatus.WAITING_FOR_CAPTURE:
        over.add(Attention.WAITS_FOR_CAPTURE)
    if status not in (ProviderStatus.UNKNOWN, ProviderStatus.REJECTED):
        over.add(Attention.NOT_CREATED)
    fully_refunded = checkout.refunded_amount >= checkout.amount
    if fully_refunded:
        over |= NOTHING_GIVEN
    if fully_refunded or not book.payment.was_deleted or status == ProviderStatus.CANCELED:
        over.add(Attention.ROW_DELETED)
    if fully_refunded or are_made_good(book.refunds):
        over.add(Attention.REFUND_FAILED)
    return over


def _copy(book: Book, seen: ProviderPayment) -> None:
    """What describes the payment in the state that it is in."""
    checkout = book.checkout
    if seen.receipt_registration and seen.receipt_registration != checkout.receipt_registration:
        state = seen.receipt_registration
        book.note(EventKind.RECEIPT_CHANGED, state=state)
        checkout.receipt_registration = state[:20]
    checkout.test = seen.test
    checkout.method_type, checkout.method_title = seen.method_type[:50], seen.method_title[:255]
    checkout.cancellation_party = seen.cancellation_party[:50]
    checkout.cancellation_reason = seen.cancellation_reason[:100]
    checkout.income_amount = seen.income_amount
    checkout.provider_created_at, checkout.expires_at = seen.created_at, seen.expires_at
    checkout.captured_at = seen.captured_at or checkout.captured_at
    if checkout.captured_at is None and checkout.provider_status == ProviderStatus.SUCCEEDED:
        # Without a day the money would be in no revenue. What the system before us took over gets none: how old it is
        # decides what a machine may give for it.
        checkout.captured_at = None if checkout.request_body is None else _made_at(seen)


def _made_at(seen: ProviderPayment) -> datetime:
    """Nearer to the day of the money than that of a check, which may come days later."""
    now = timezone.now()
    return min(seen.created_at or now, now)


def _refund(book: Book, seen: ProviderPayment, observation: Observation) -> list[str]:
    checkout = book.checkout
    for refund_id, error in observation.refused.items():
        refund = Refund.objects.select_for_update().filter(pk=refund_id, payment_id=checkout.pk).first()
        if refund is not None:
            note_refused(book, refund, error)
    unnoted = []
    for refund_seen in observation.refunds or ():
        note = partial(_note_refund, book)
        if not one_by_one([refund_seen], note, what="refund of YooKassa"):
            unnoted.append(refund_seen.id)
    counted = max(checkout.refunded_amount, seen.refunded_amount)
    checkout.refunded_amount = min(counted, checkout.amount)
    if observation.unsent:
        # By a message of its own: what was answered is noted now.
        queue_check(checkout.pk, "refund")
    return unnoted


def _note_refund(book: Book, seen: ProviderRefund) -> bool:
    note_refund(book, seen)
    return True
