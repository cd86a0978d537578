"""What is asked of the marks of a payment: each by its payment, its reason, and who has settled it."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from payments.checking.by_staff import clear_attention
from payments.errors import PaymentMissing
from payments.ledger.book import open_loose_leaf
from payments.ledger.marks import (
    is_marked,
    open_marks,
    take_over_marks,
    take_over_marks_of,
    was_dealt_with,
    was_ever_marked,
)
from payments.models import Checkout, PaymentAttention, PaymentEvent
from payments.states import Attention, Door, EventKind, ProviderStatus
from tests.support.checkouts import flag, make_checkout, make_payment, settle

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def checkout() -> Checkout:
    return make_checkout(ProviderStatus.SUCCEEDED)


@pytest.fixture
def other() -> Checkout:
    return make_checkout(ProviderStatus.SUCCEEDED)


def clear(checkout: Checkout) -> None:
    clear_attention(payment_id=checkout.pk, actor_id=7, note="сделано")


def test_a_mark_is_of_one_payment_and_for_one_reason(checkout: Checkout, other: Checkout) -> None:
    flag(checkout, Attention.MISMATCH, "the amount")
    assert is_marked(checkout.pk, Attention.MISMATCH)
    assert not is_marked(checkout.pk, Attention.PAID_TWICE)
    assert not is_marked(other.pk, Attention.MISMATCH)
    assert (was_ever_marked(checkout.pk), was_ever_marked(other.pk)) == (True, False)
    assert ([mark.note for mark in open_marks(checkout.pk)], open_marks(other.pk)) == (["the amount"], [])
    settle(checkout, Attention.MISMATCH)
    assert not is_marked(checkout.pk, Attention.MISMATCH)
    assert was_ever_marked(checkout.pk)


def test_only_a_person_deals_with_a_mark(checkout: Checkout, other: Checkout) -> None:
    flag(checkout, Attention.MISMATCH, "the amount")
    settle(checkout, Attention.MISMATCH)
    assert not was_dealt_with(checkout.pk, Attention.MISMATCH)
    flag(checkout, Attention.MISMATCH, "the amount")
    assert not was_dealt_with(checkout.pk, Attention.MISMATCH)
    clear(checkout)
    assert was_dealt_with(checkout.pk, Attention.PAID_TWICE, Attention.MISMATCH)
    assert not was_dealt_with(checkout.pk, Attention.PAID_TWICE)
    assert not was_dealt_with(other.pk, Attention.MISMATCH)


def test_what_a_person_has_dealt_with_is_the_same_reason_note_and_payment(checkout: Checkout, other: Checkout) -> None:
    flag(checkout, Attention.MISMATCH, "the amount")
    clear(checkout)
    assert not flag(checkout, Attention.MISMATCH, "the amount")
    assert open_marks(checkout.pk) == []
    assert flag(checkout, Attention.MISMATCH, "the currency")
    assert flag(checkout, Attention.RECEIPT_FAILED, "the amount")
    assert flag(other, Attention.MISMATCH, "the amount")


def test_of_what_was_not_given_any_answer_was_an_answer_to_all(checkout: Checkout) -> None:
    flag(checkout, Attention.SLOT_TAKEN, "somebody else has it")
    clear(checkout)
    for reason in (Attention.NOT_FULFILLED, Attention.SLOT_PASSED, Attention.SLOT_TAKEN):
        assert not flag(checkout, reason, "another note"), reason


def test_what_happens_anew_is_news_whatever_a_person_did_before(checkout: Checkout) -> None:
    for _ in range(2):
        assert flag(checkout, Attention.REFUND_FAILED, "the same words")
        clear(checkout)


@pytest.mark.parametrize(
    ("reason", "is_kept"), [(Attention.NOT_FULFILLED, False), (Attention.SLOT_TAKEN, False), (Attention.MISMATCH, True)]
)
def test_no_machine_tries_again_what_a_person_has_given(checkout: Checkout, reason: Attention, is_kept: bool) -> None:
    now = timezone.now()
    Checkout.objects.filter(pk=checkout.pk).update(held_at=now, give_at=now + timedelta(hours=1))
    flag(checkout, reason, "why")
    clear(checkout)
    checkout.refresh_from_db()
    assert (checkout.held_at is not None, checkout.give_at is not None) == (is_kept, is_kept)


def test_a_mark_without_a_checkout_is_cleared_and_clearing_it_twice_is_no_error() -> None:
    row, unmarked = make_payment(), make_payment()
    with open_loose_leaf(row.pk, door=Door.QUEUE) as leaf:
        leaf.flag(Attention.MISMATCH, "who claims this?")
    for _ in range(2):
        clear_attention(payment_id=row.pk, actor_id=7, note="сделано")
        assert (open_marks(row.pk), was_dealt_with(row.pk, Attention.MISMATCH)) == ([], True)
    with pytest.raises(PaymentMissing):
        clear_attention(payment_id=unmarked.pk, actor_id=7, note="сделано")


def mark_bare(checkout: Checkout, reason: Attention) -> None:
    """As a process of the version before does, which knows of no rows."""
    since = timezone.now() - timedelta(hours=1)
    Checkout.objects.filter(pk=checkout.pk).update(attention=reason, attention_note="old", attention_since=since)


def test_a_bare_mark_gets_one_row_when_its_payment_is_taken_in_hand(checkout: Checkout, other: Checkout) -> None:
    make_checkout(ProviderStatus.SUCCEEDED)
    flag(checkout, Attention.REFUND_FAILED, "settled since")
    settle(checkout, Attention.REFUND_FAILED)
    flag(other, Attention.CHECK_FAILED, "something else")
    for marked in (checkout, other):
        mark_bare(marked, Attention.REFUND_FAILED)
        marked.refresh_from_db()
    for _ in range(2):
        take_over_marks_of(checkout.pk)
        (mark,) = open_marks(checkout.pk)
        assert (mark.reason, mark.note, mark.since) == (Attention.REFUND_FAILED, "old", checkout.attention_since)
        assert not is_marked(other.pk, Attention.REFUND_FAILED)
    for _ in range(2):
        take_over_marks()
        rows = PaymentAttention.objects.filter(reason=Attention.REFUND_FAILED, settled_at=None).order_by("pk")
        assert [mark.payment_id for mark in rows] == [checkout.pk, other.pk]


@pytest.mark.parametrize("otherwise", ["", "payment", "reason", "kind", "still marked", "older", "settled already"])
def test_a_mark_is_over_that_was_taken_away_without_its_row(
    otherwise: str, checkout: Checkout, other: Checkout
) -> None:
    flag(checkout, Attention.REFUND_FAILED, "new")
    if otherwise != "still marked":
        Checkout.objects.filter(pk=checkout.pk).update(attention="", attention_note="", attention_since=None)
    reason = Attention.MISMATCH if otherwise == "reason" else Attention.REFUND_FAILED
    cleared = PaymentEvent.objects.create(
        payment_id=other.pk if otherwise == "payment" else checkout.pk,
        kind=EventKind.ATTENTION if otherwise == "kind" else EventKind.ATTENTION_CLEARED,
        door=Door.STAFF,
        data={"reason": reason.value},
        actor_id=7,
    )
    if otherwise == "older":
        PaymentAttention.objects.update(since=cleared.created_at + timedelta(seconds=1))
    over: dict[str, Any] = {"settled_at": None, "settled_by_id": None}
    if otherwise == "settled already":
        over = {"settled_at": cleared.created_at + timedelta(seconds=1), "settled_by_id": 9}
        PaymentAttention.objects.update(**over)
    elif not otherwise:
        over = {"settled_at": cleared.created_at, "settled_by_id": 7}
    take_over_marks()
    assert PaymentAttention.objects.values(*over).get(payment_id=checkout.pk) == over
