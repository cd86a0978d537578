"""The book of a payment: what is locked while it is open, what is saved when it is closed, and what an error undoes."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar
from unittest.mock import Mock

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from bridge.rights import RowsHidden
from payments.errors import PaymentMissing
from payments.ledger.book import Book, open_book, open_loose_leaf
from payments.ledger.marks import open_marks
from payments.models import Checkout, Payment, PaymentAttention, PaymentEvent
from payments.states import Attention, Door, EventKind, PaymentStatus, ProviderStatus
from tests.acceptance.waiting import wait_until
from tests.support.checkouts import delete_row, make_checkout, make_payment
from tests.support.overlapping import somebody_waits_for_us

T = TypeVar("T")
ACTOR = 7
pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def checkout() -> Checkout:
    return make_checkout(ProviderStatus.SUCCEEDED)


def book_of(checkout: Checkout, **more: Any) -> Any:
    return open_book(checkout.pk, door=Door.QUEUE, **more)


def lines(checkout: Checkout) -> list[tuple[str, str, int | None, dict[str, Any]]]:
    events = PaymentEvent.objects.filter(payment_id=checkout.pk).order_by("pk")
    return list(events.values_list("kind", "door", "actor_id", "data"))


def elsewhere(act: Callable[[], T]) -> T:
    """What another connection sees meanwhile."""

    def in_thread() -> T:
        try:
            return act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(in_thread).result(timeout=30)


def is_free(model: type[Payment] | type[Checkout], pk: uuid.UUID) -> bool:
    with transaction.atomic():
        return model._default_manager.select_for_update(skip_locked=True).filter(pk=pk).exists()


def test_what_was_changed_is_saved_and_nothing_else(checkout: Checkout) -> None:
    before = Checkout.objects.values().get(pk=checkout.pk)
    with book_of(checkout) as book:
        book.checkout.checks = 5
        # Whoever saved all columns would put the old title back.
        Checkout.objects.filter(pk=checkout.pk).update(method_title="by another statement")
    after = Checkout.objects.values().get(pk=checkout.pk)
    assert after["updated_at"] > before["updated_at"]
    told = {"checks": 5, "method_title": "by another statement", "updated_at": after["updated_at"]}
    assert after == before | told


def test_a_book_that_was_only_read_writes_nothing(checkout: Checkout) -> None:
    with CaptureQueriesContext(connection) as queries, book_of(checkout) as book:
        book.settle(*Attention)
        book.checkout.checks = int(book.checkout.checks)
    # Both locks, and nothing is asked about marks where the checkout repeats none.
    assert [query["sql"].split()[0] for query in queries] == ["BEGIN", "SELECT", "SELECT", "COMMIT"]


def test_an_error_undoes_columns_lines_and_marks(checkout: Checkout) -> None:
    before = Checkout.objects.values().get(pk=checkout.pk)

    def fail(book: Book) -> None:
        book.checkout.checks = 5
        book.note(EventKind.CHECKED)
        book.flag(Attention.MISMATCH, "the amount")
        raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"), book_of(checkout) as book:
        fail(book)
    assert Checkout.objects.values().get(pk=checkout.pk) == before
    assert (lines(checkout), open_marks(checkout.pk)) == ([], [])


def test_both_rows_are_locked_until_the_transaction_ends(checkout: Checkout) -> None:
    with transaction.atomic():
        with book_of(checkout):
            pass
        held = elsewhere(lambda: [is_free(model, checkout.pk) for model in (Payment, Checkout)])
    assert held == [False, False]
    assert [is_free(model, checkout.pk) for model in (Payment, Checkout)] == [True, True]


def test_the_row_of_the_site_is_locked_before_ours(checkout: Checkout) -> None:
    def open_and_close() -> None:
        with book_of(checkout):
            pass

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        Payment.objects.select_for_update().get(pk=checkout.pk)
        later = pool.submit(elsewhere, open_and_close)
        wait_until(somebody_waits_for_us, "the book waits for the row")
        # Whoever held ours by now would wait for us, and we for it.
        assert is_free(Checkout, checkout.pk)
    later.result(timeout=30)


def test_a_line_names_the_door_and_who_came_through_it(checkout: Checkout) -> None:
    with open_book(checkout.pk, door=Door.STAFF, actor=ACTOR) as book:
        book.note(EventKind.REFUND_REQUESTED, amount="1.00")
    assert lines(checkout) == [("refund_requested", "staff", ACTOR, {"amount": "1.00"})]


def test_a_mark_is_no_persons_doing_until_one_takes_it_away(checkout: Checkout) -> None:
    with open_book(checkout.pk, door=Door.STAFF, actor=ACTOR) as book:
        book.flag(Attention.REFUND_FAILED, "why")
        book.settle(Attention.REFUND_FAILED)
        book.flag(Attention.CHECK_FAILED, "why")
        book.clear("done")
    assert [(kind, actor) for kind, _, actor, _ in lines(checkout)] == [
        ("attention", None),
        ("attention_cleared", None),
        ("attention", None),
        ("attention_cleared", ACTOR),
    ]
    settled = PaymentAttention.objects.order_by("pk").values_list("reason", "settled_by_id")
    assert list(settled) == [("refund_failed", None), ("check_failed", ACTOR)]


def test_a_flag_twice_is_one_mark_and_one_line(checkout: Checkout) -> None:
    with book_of(checkout) as book:
        assert book.flag(Attention.MISMATCH, "the amount")
        assert not book.flag(Attention.MISMATCH, "the amount")
    with book_of(checkout) as book:
        assert not book.flag(Attention.MISMATCH, "the amount")
    assert [mark.reason for mark in open_marks(checkout.pk)] == ["mismatch"]
    assert lines(checkout) == [("attention", "queue", None, {"reason": "mismatch", "note": "the amount"})]


def test_a_mark_that_was_made_and_settled_in_one_book_leaves_no_attention(checkout: Checkout) -> None:
    with book_of(checkout) as book:
        book.flag(Attention.MISMATCH, "the amount")
        book.settle(Attention.MISMATCH)
    checkout.refresh_from_db()
    assert (checkout.attention, checkout.attention_since, open_marks(checkout.pk)) == ("", None, [])


def test_a_mark_that_was_undone_is_not_repeated_by_the_checkout(checkout: Checkout) -> None:
    def flag_and_fail(book: Book) -> None:
        book.flag(Attention.PAID_TWICE, "graver")
        raise ValueError

    with book_of(checkout) as book:
        book.flag(Attention.CHECK_FAILED, "stays")
        with pytest.raises(ValueError), transaction.atomic():  # noqa: PT011 # Ours.
            flag_and_fail(book)
    checkout.refresh_from_db()
    assert (checkout.attention, checkout.attention_note) == (Attention.CHECK_FAILED, "stays")


def test_the_oldest_mark_of_the_gravest_reason_keeps_its_time(checkout: Checkout) -> None:
    with book_of(checkout) as book:
        book.flag(Attention.MISMATCH, "the amount")
    hour_ago = timezone.now() - timedelta(hours=1)
    PaymentAttention.objects.update(since=hour_ago)
    with book_of(checkout) as book:
        book.flag(Attention.MISMATCH, "the currency")
    checkout.refresh_from_db()
    assert (checkout.attention_note, checkout.attention_since) == ("the currency", hour_ago)


def test_nobody_opens_the_book_of_what_was_never_started() -> None:
    for payment_id in (make_payment().pk, uuid.uuid4()):
        with pytest.raises(PaymentMissing, match=str(payment_id)), open_book(payment_id, door=Door.API):
            pytest.fail("it was opened")


@pytest.mark.parametrize(
    ("refunded", "status"), [(Decimal("4499.99"), PaymentStatus.COMPLETED), (Decimal(4500), PaymentStatus.REFUNDED)]
)
def test_a_deleted_row_has_a_stand_in_that_says_what_ours_proves(
    checkout: Checkout, refunded: Decimal, status: PaymentStatus
) -> None:
    Checkout.objects.filter(pk=checkout.pk).update(refunded_amount=refunded)
    delete_row(checkout)
    make_checkout()
    with book_of(checkout) as book:
        assert (book.payment.was_deleted, book.payment.status) == (True, status)
        assert (book.payment.pk, book.payment.user_id) == (checkout.pk, checkout.user_id)
    assert not Payment.objects.filter(pk=checkout.pk).exists()


def test_a_row_that_nothing_was_started_for_has_marks_all_the_same() -> None:
    row = make_payment()
    for _ in range(2):
        with open_loose_leaf(row.pk, door=Door.QUEUE) as leaf:
            leaf.flag(Attention.MISMATCH, "who claims this?")
    (mark,) = open_marks(row.pk)
    with open_loose_leaf(row.pk, door=Door.STAFF, actor=ACTOR) as leaf:
        assert leaf.clear("found out", mark_id=mark.pk) == [mark]
    assert open_marks(row.pk) == []
    assert not Checkout.objects.exists()


def hide_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where row security hides rows: nobody can tell a hidden one from a deleted one."""
    why = Mock(side_effect=RowsHidden("row security hides public.payments"))
    monkeypatch.setattr("payments.ledger.book.require_sight", why)


def test_a_row_that_is_not_seen_counts_as_deleted_only_where_all_rows_are_seen(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete_row(checkout)
    with book_of(checkout) as book:
        assert book.payment.was_deleted
    hide_rows(monkeypatch)
    with pytest.raises(RowsHidden), book_of(checkout):
        pytest.fail("the book was opened")
    with book_of(checkout, even_if_hidden=True) as book:
        assert book.payment.was_deleted


def test_a_row_that_is_seen_is_one_whatever_else_is_hidden(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    hide_rows(monkeypatch)
    with book_of(checkout) as book:
        assert not book.payment.was_deleted
