"""The one room: whatever says that a payment may have changed ends here, and only the provider's word counts.

Webhook, `verify`, queue message, reconciliation and staff are doors. Each asks the provider first (`observe_payment`,
outside any transaction) and then applies the answer under the payment's lock. Answers may overtake each other and come
any number of times; the transition table lets a payment only move forward, so they all end in the same state.
"""

import logging
import uuid
from datetime import timedelta
from functools import partial
from typing import Any

from django.utils import timezone

from bridge.batches import one_by_one
from payments.checking.ask import GIVE_UP_AFTER, Observation, observe_payment
from payments.checking.fulfil import flag_deleted, fulfil
from payments.checking.schedule import next_check_after, repeat_check_after
from payments.consultations.booking import release
from payments.foreign import ForeignRefusal, foreign_write
from payments.ledger.book import Book, open_book
from payments.models import Checkout, Payment, Refund
from payments.queue import queue_check
from payments.receipts import has_unsettled_receipt, judge_receipts
from payments.refunds.outcomes import are_made_good, note_refund, note_refused
from payments.refunds.request import goes_back
from payments.states import (
    NOTHING_GIVEN,
    Attention,
    Door,
    EventKind,
    PaymentStatus,
    ProviderStatus,
    RefundStatus,
    may_follow,
    payment_status,
)
from payments.yookassa.errors import Rejected
from payments.yookassa.objects import ProviderPayment, ProviderRefund

logger = logging.getLogger(__name__)

# Which status in Supabase's row comes after which when nobody but us writes it.
_LEADS_TO = {
    PaymentStatus.PENDING: frozenset(PaymentStatus) - {PaymentStatus.PENDING},
    PaymentStatus.PROCESSING: frozenset({PaymentStatus.COMPLETED, PaymentStatus.FAILED, PaymentStatus.REFUNDED}),
    PaymentStatus.COMPLETED: frozenset({PaymentStatus.REFUNDED}),
    PaymentStatus.CANCELLED: frozenset({PaymentStatus.PROCESSING, PaymentStatus.COMPLETED, PaymentStatus.FAILED}),
}


def sync_payment(payment_id: uuid.UUID, *, door: Door) -> Payment:
    """Bring a payment to what the provider says and return its row. Raises what `observe_payment` raises."""
    return apply_observation(observe_payment(payment_id), door=door)


def record_created(payment_id: uuid.UUID, created: ProviderPayment, *, door: Door) -> Payment:
    """Note the provider's answer to the creation of a payment."""
    return apply_observation(Observation(payment_id, created), door=door)


def record_refused(payment_id: uuid.UUID, error: Rejected, *, door: Door) -> Payment:
    """Note that the provider refused to create a payment: nobody can pay it, and a person must know why."""
    with open_book(payment_id, door=door) as book:
        if book.checkout.provider_status == ProviderStatus.UNKNOWN:
            book.note(EventKind.PROVIDER_REFUSED, code=error.code, error=str(error))
            book.flag(Attention.NOT_CREATED, str(error))
            _move(book, ProviderStatus.REJECTED)
            _keep(book)
        return book.payment


def record_unanswered(payment_id: uuid.UUID, why: str, *, door: Door) -> None:
    """Note that the provider did not answer the creation: the payment may exist there, so it is looked for soon."""
    with open_book(payment_id, door=door) as book:
        book.note(EventKind.PROVIDER_AWAY, error=why)
        book.checkout.next_check_at = timezone.now() + timedelta(minutes=1)


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
            _move(book, ProviderStatus.REJECTED)
        book.settle(Attention.CHECK_FAILED)
        checkout.checked_at, checkout.checks = observation.seen_at, checkout.checks + 1
        _keep(book)
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
        _move(book, status, why=seen.cancellation_reason)
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
        elif not goes_back(checkout):
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
    if fully_refunded or are_made_good(checkout):
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
        checkout.captured_at = None if checkout.request_body is None else timezone.now()


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


def _move(book: Book, status: ProviderStatus, *, why: str = "") -> None:
    change = {"old": book.checkout.provider_status, "new": status.value}
    data: dict[str, Any] = change | ({"reason": why} if why else {})
    book.note(EventKind.STATUS_CHANGED, **data)
    book.checkout.provider_status = status


def _keep(book: Book) -> None:
    """Decide when to look again, and let Supabase's row say what ours proves."""
    checkout = book.checkout
    pending_refund = Refund.objects.filter(
        payment_id=checkout.pk, status__in=(RefundStatus.REQUESTED, RefundStatus.PENDING)
    ).exists()
    wait = next_check_after(
        checkout.checks,
        ProviderStatus(checkout.provider_status),
        unsettled=pending_refund or has_unsettled_receipt(checkout),
        age=timezone.now() - checkout.created_at,
    )
    checkout.next_check_at = None if wait is None else timezone.now() + wait
    _write_row(book)


def _write_row(book: Book) -> None:
    """Let Supabase's row say what ours proves. When its triggers refuse that, ours still proves it."""
    payment, checkout = book.payment, book.checkout
    differs = {name: value for name, value in _truth(checkout).items() if getattr(payment, name) != value}
    if payment.was_deleted:
        for name, value in differs.items():
            setattr(payment, name, value)
        return
    before = {name: getattr(payment, name) for name in differs}
    try:
        if differs:
            with foreign_write():
                _note_corrections(book, differs)
                for name, value in differs.items():
                    setattr(payment, name, value)
                payment.save(update_fields=[*differs, "updated_at"])
                if not Payment.objects.filter(pk=payment.pk, **differs).exists():
                    raise ForeignRefusal("a trigger of Supabase's puts the old value back")
    except ForeignRefusal as refusal:
        for name, value in before.items():
            setattr(payment, name, value)
        book.flag(Attention.ROW_REFUSED, f"the database refused {', '.join(differs)}: {refusal}")
        again = timezone.now() + repeat_check_after(timezone.now() - checkout.created_at)
        checkout.next_check_at = min(again, checkout.next_check_at or again)
    else:
        book.settle(Attention.ROW_REFUSED)


def _truth(checkout: Checkout) -> dict[str, Any]:
    truth: dict[str, Any] = {"amount": checkout.amount, "currency": checkout.currency}
    if checkout.provider_status != ProviderStatus.UNKNOWN:
        fully = checkout.refunded_amount >= checkout.amount
        truth["status"] = payment_status(ProviderStatus(checkout.provider_status), fully_refunded=fully)
    if checkout.external_id is not None:
        truth["external_payment_id"] = checkout.external_id
    return truth


def _note_corrections(book: Book, differs: dict[str, Any]) -> None:
    """Tell of what only somebody else can have written: a status, an amount or an id that we never put there."""
    payment = book.payment
    ours = _LEADS_TO.get(PaymentStatus(payment.status), frozenset())
    wrong: dict[str, Any] = {
        name: {"found": str(getattr(payment, name)), "right": str(value)}
        for name, value in differs.items()
        if not (name == "status" and value in ours)
        and not (name == "external_payment_id" and payment.external_payment_id is None)
    }
    if wrong:
        logger.warning("payment %s was changed by somebody else, corrected: %s", payment.pk, ", ".join(wrong))
        book.note(EventKind.STATUS_CORRECTED, **wrong)
