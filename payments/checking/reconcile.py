"""Compares the provider's recent payments and refunds with ours, and queues a check of each that differs.

For what no notification told us. The check decides, as for every other door. What has no payment here to check gets a
mark, so that a person sees it: money that names an order of ours must not end as a line in a log.
"""

import logging
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import TypeVar

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from bridge.batches import one_by_one
from payments.checking.lost_money import note_second, take_in
from payments.ledger.deleted_rows import without_row
from payments.ledger.marks import is_marked, was_dealt_with
from payments.models import Checkout, Payment, Refund
from payments.provider import provider
from payments.queue import queue_check
from payments.states import (
    REFUND_TRANSITIONS,
    Attention,
    ProviderStatus,
    RefundStatus,
    may_follow,
    payment_status,
)
from payments.yookassa.client import every_page
from payments.yookassa.objects import Page, ProviderPayment, ProviderRefund, Unreadable

logger = logging.getLogger(__name__)

T = TypeVar("T")

MOST_PAGES = 100
MOST_NAMED = 10
_CONTRADICTION = {ProviderStatus.SUCCEEDED, ProviderStatus.CANCELED}


@dataclass(frozen=True, slots=True)
class Lost:
    """Paid at the provider for an order of ours, and no row of the site's has it."""

    id: str
    amount: Decimal
    currency: str
    names: str

    def __str__(self) -> str:
        return f"{self.id} ({self.amount} {self.currency} for the payment {self.names})"


@dataclass
class Comparison:
    """What a comparison found: payments of ours to check, and money at the provider that has no payment here.

    `news` are those of the lost that no mark told of before. `foreign` are ids of what may belong to another system of
    the shop.
    """

    to_check: set[uuid.UUID] = field(default_factory=set)
    lost: list[Lost] = field(default_factory=list)
    news: list[Lost] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def add_lost(self, theirs: ProviderPayment, names: uuid.UUID, *, is_news: bool) -> None:
        lost = Lost(theirs.id, theirs.amount, theirs.currency, str(names))
        self.lost.append(lost)
        if is_news:
            self.news.append(lost)


def compare_recent(*, hours: int) -> Comparison:
    """Compare what was created at the provider within the last `hours`, and queue the checks.

    Raises what the adapter raises, with nothing queued, and `ProviderNotConfigured`.
    """
    client, since = provider(), timezone.now() - timedelta(hours=hours)
    found = Comparison()
    for payments in _pages(lambda cursor: client.list_payments(created_from=since, cursor=cursor), found):
        _compare_payments(payments, found)
    for refunds in _pages(lambda cursor: client.list_refunds(created_from=since, cursor=cursor), found):
        _compare_refunds(refunds, found)
    with transaction.atomic():
        for payment_id in sorted(found.to_check):
            queue_check(payment_id, "update_status")
    _tell(found)
    return found


def _pages(ask: Callable[[str | None], Page[T]], found: Comparison) -> Iterator[tuple[T, ...]]:
    for number, page in enumerate(every_page(ask, most=MOST_PAGES), start=1):
        _check_unreadable(page.unreadable, found)
        yield page.items
        if number == MOST_PAGES and page.next_cursor is not None:
            logger.error("YooKassa's list has more than %s pages; the rest was not compared", MOST_PAGES)


def _check_unreadable(items: Sequence[Unreadable], found: Comparison) -> None:
    """One of ours that cannot be read has a check: that fails, and then a person sees it. Once is enough."""
    ids = [item.id for item in items if item.id]
    ours = Checkout.objects.filter(external_id__in=ids).values_list("pk", flat=True)
    found.to_check.update(pk for pk in ours if not is_marked(pk, Attention.CHECK_FAILED))


def _compare_payments(theirs: Sequence[ProviderPayment], found: Comparison) -> None:
    names = {payment.id: _our_id(payment) for payment in theirs}
    ours = Checkout.objects.filter(Q(external_id__in=names) | Q(pk__in=[name for name in names.values() if name]))
    by_id = {checkout.pk: checkout for checkout in ours}
    by_external_id = {checkout.external_id: checkout for checkout in by_id.values() if checkout.external_id}
    older = _older_rows([payment.id for payment in theirs if payment.id not in by_external_id])
    deleted = set(without_row().filter(pk__in=by_id).values_list("pk", flat=True))
    for payment in theirs:
        name = names[payment.id]
        named = by_id.get(name) if name else None
        if payment.id in by_external_id:
            checkout = by_external_id[payment.id]
            if _differs(payment, checkout):
                found.to_check.add(checkout.pk)
            if checkout.pk in deleted and _holds_money(payment):
                _note_deleted(payment, checkout, found)
        elif named is not None and named.external_id is None:
            # The answer to its creation never reached us.
            found.to_check.add(named.pk)
        elif payment.id in older:
            if older[payment.id].status != _status_of_row(payment):
                found.to_check.add(older[payment.id].pk)
        elif named is not None:
            _note_second(payment, named, found)
        elif _holds_money(payment):
            _note_without_payment(payment, name, found)


def _holds_money(payment: ProviderPayment) -> bool:
    return payment.status == ProviderStatus.SUCCEEDED and payment.refunded_amount < payment.amount


def _note_deleted(theirs: ProviderPayment, ours: Checkout, found: Comparison) -> None:
    """Its check marks it; what a person has seen or settled needs no check any more."""
    if was_dealt_with(ours.pk, Attention.ROW_DELETED):
        return
    is_known = is_marked(ours.pk, Attention.ROW_DELETED)
    found.add_lost(theirs, ours.pk, is_news=not is_known)
    if not is_known:
        found.to_check.add(ours.pk)


def _note_second(theirs: ProviderPayment, ours: Checkout, found: Comparison) -> None:
    """Another payment than the one we know, for the same order: the customer has paid twice, or nearly did."""
    holds_money = _holds_money(theirs)
    told = one_by_one([ours.pk], lambda pk: note_second(theirs, pk, holds_money=holds_money), what="payment")
    if holds_money and not was_dealt_with(ours.pk, Attention.PAID_TWICE):
        found.add_lost(theirs, ours.pk, is_news=bool(told))


def _note_without_payment(theirs: ProviderPayment, name: uuid.UUID | None, found: Comparison) -> None:
    """Take in money that names a payment of ours which nobody here knows: then it is checked and shown like any."""
    if name is None:
        # Payments of ours are named by a UUID: another system may have a number of its own under that key.
        found.foreign.append(theirs.id)
        return
    found.add_lost(theirs, name, is_news=True)
    if one_by_one([name], lambda pk: take_in(theirs, pk), what="payment"):
        found.to_check.add(name)


def _differs(theirs: ProviderPayment, ours: Checkout) -> bool:
    if theirs.refunded_amount != ours.refunded_amount:
        return True
    new, old = _status(theirs), ProviderStatus(ours.provider_status)
    # A list may be older than what we know, so a step back is no difference.
    return may_follow(new, old) or {new, old} == _CONTRADICTION


def _compare_refunds(theirs: Sequence[ProviderRefund], found: Comparison) -> None:
    ours = dict(Refund.objects.filter(external_id__in=[r.id for r in theirs]).values_list("external_id", "status"))
    changed = [refund for refund in theirs if _has_moved(refund, ours.get(refund.id))]
    external_ids = [refund.payment_id for refund in changed]
    checkouts = Checkout.objects.filter(external_id__in=external_ids).values_list("external_id", "pk")
    payments = {row.external_payment_id: row.pk for row in _older_rows(external_ids).values()} | dict(checkouts)
    for refund in changed:
        if refund.payment_id in payments:
            found.to_check.add(payments[refund.payment_id])
        else:
            found.foreign.append(refund.id)


def _has_moved(theirs: ProviderRefund, ours: str | None) -> bool:
    if ours is None:
        # Made in the provider's own office, or by us without an answer. One that is not through changes no amount yet.
        return theirs.status == RefundStatus.SUCCEEDED
    return theirs.status in REFUND_TRANSITIONS[RefundStatus(ours)]


def _older_rows(external_ids: Sequence[str]) -> dict[str, Payment]:
    """Supabase's rows with these ids that the system before us started; of several with one id, the first."""
    rows = Payment.objects.filter(external_payment_id__in=external_ids, checkout__isnull=True).order_by("-created_at")
    return {row.external_payment_id: row for row in rows if row.external_payment_id}


def _status_of_row(payment: ProviderPayment) -> str:
    return payment_status(_status(payment), fully_refunded=payment.refunded_amount >= payment.amount)


def _status(payment: ProviderPayment) -> ProviderStatus:
    """A state that we have no word for is on its way to one that we know."""
    known = payment.status and payment.status in ProviderStatus.values
    return ProviderStatus(payment.status) if known else ProviderStatus.PENDING


def _our_id(payment: ProviderPayment) -> uuid.UUID | None:
    try:
        return uuid.UUID(payment.metadata.get("payment_id", ""))
    except ValueError:
        return None


def _tell(found: Comparison) -> None:
    if found.to_check:
        logger.info("%s payments differ from YooKassa's and are checked", len(found.to_check))
    if found.news:
        # Each once: from now on the mark tells it.
        logger.error(
            "%s paid payments at YooKassa are for an order that has no row of its own here: %s",
            len(found.news),
            ", ".join(map(str, found.news[:MOST_NAMED])),
        )
    if found.foreign:
        logger.info(
            "%s payments or refunds at YooKassa are none of ours: %s",
            len(found.foreign),
            ", ".join(found.foreign[:MOST_NAMED]),
        )
