"""What needs a person: several reasons at once, the gravest first, each settled by what settles it."""

from datetime import timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest
from django.contrib.auth.models import User as Staff
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils import timezone

from payments.checking.by_staff import clear_attention
from payments.checking.due import flag_unfulfilled
from payments.checking.sync import sync_payment
from payments.ledger.marks import open_marks
from payments.models import Checkout, Payment, PaymentAttention, PaymentEvent, Refund
from payments.queue import queue_check
from payments.refunds.request import request_refund
from payments.states import GRAVITY, Attention, Door, EventKind, OrderKind, ProviderStatus
from payments.tasks import queue_due_checks
from sandbox.yookassa import YooKassaServer
from tests.support.checkouts import flag, make_checkout, make_customer, make_payment, settle
from tests.support.databases import ClonedDatabase
from tests.support.payment_calls import make_catalogue, tomorrow
from tests.support.payment_deliveries import create_at_yookassa, start_payment, work_off
from tests.support.payment_pages import CHECK, LIST, LOOK, messages_of, page_of, staff_with, text

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def support() -> Client:
    return staff_with(*LOOK, CHECK)


def reasons(checkout: Checkout) -> list[str]:
    return [mark.reason for mark in open_marks(checkout.pk)]


def booking(start: Any = None) -> dict[str, Any]:
    kind = make_catalogue().consultation
    return {"kind": OrderKind.APPOINTMENT, "appointment_type_id": kind.pk, "scheduled_at": start or tomorrow()}


def paid_too_late(shop: YooKassaServer) -> Checkout:
    checkout = start_payment(**booking(timezone.now() - timedelta(hours=1)))
    shop.succeed(str(checkout.external_id))
    sync_payment(checkout.pk, door=Door.QUEUE)
    assert reasons(checkout) == [Attention.SLOT_PASSED]
    return checkout


def refund(checkout: Checkout, amount: str | None = None) -> Refund:
    wanted = None if amount is None else Decimal(amount)
    return request_refund(payment_id=checkout.pk, amount=wanted, reason="", actor_id=None, door=Door.STAFF)


def failing_refunds(shop: YooKassaServer) -> Any:
    shop.shop.refund_status = type(shop.shop.refund_status)("canceled")


def succeeding_refunds(shop: YooKassaServer) -> Any:
    shop.shop.refund_status = type(shop.shop.refund_status)("succeeded")


def test_a_reserve_that_was_captured_in_part_is_a_mismatch_and_says_what_to_do(
    shop: YooKassaServer, support: Client
) -> None:
    checkout = start_payment()
    shop.wait_for_capture(str(checkout.external_id))
    sync_payment(checkout.pk, door=Door.QUEUE)
    assert reasons(checkout) == [Attention.WAITS_FOR_CAPTURE]
    shop.shop.capture(str(checkout.external_id), {"amount": {"value": "60.00", "currency": "RUB"}})
    sync_payment(checkout.pk, door=Door.QUEUE)
    assert reasons(checkout) == [Attention.MISMATCH]
    shown = text(support.get(page_of(checkout.pk)))
    assert "Если списана другая сумма" in shown
    assert "60.00 RUB" in shown
    assert "Подтвердите или отмените" not in shown
    assert "деньги удержаны" not in shown.split("Хронология")[0]


def test_a_mismatch_is_told_once_in_the_log_and_settled_when_it_is_none_any_more(
    shop: YooKassaServer, caplog: pytest.LogCaptureFixture
) -> None:
    checkout = start_payment()
    Payment.objects.filter(pk=checkout.pk).update(user=make_customer("other@example.org"))
    for _ in range(3):
        sync_payment(checkout.pk, door=Door.QUEUE)
    assert (reasons(checkout), [r.levelname for r in caplog.records].count("ERROR")) == ([Attention.MISMATCH], 1)
    Payment.objects.filter(pk=checkout.pk).update(user_id=checkout.user_id)
    sync_payment(checkout.pk, door=Door.QUEUE)
    assert reasons(checkout) == []


def test_a_full_refund_settles_what_it_settles(shop: YooKassaServer) -> None:
    checkout = paid_too_late(shop)
    failing_refunds(shop)
    refund(checkout)
    work_off()
    assert reasons(checkout) == [Attention.REFUND_FAILED, Attention.SLOT_PASSED]
    succeeding_refunds(shop)
    refund(checkout, "1000.00")
    work_off()
    assert reasons(checkout) == [Attention.REFUND_FAILED, Attention.SLOT_PASSED]
    refund(checkout)
    work_off()
    assert reasons(checkout) == []
    checkout.refresh_from_db()
    assert (checkout.attention, checkout.attention_note, checkout.attention_since) == ("", "", None)
    settled = PaymentEvent.objects.filter(payment_id=checkout.pk, kind=EventKind.ATTENTION_CLEARED)
    assert sorted(event.data["reason"] for event in settled) == ["refund_failed", "slot_passed"]


def test_a_refund_that_fails_is_seen_beside_the_reason_for_it(shop: YooKassaServer, support: Client) -> None:
    checkout = paid_too_late(shop)
    failing_refunds(shop)
    failed = refund(checkout)
    work_off()
    checkout.refresh_from_db()
    assert checkout.attention == Attention.REFUND_FAILED
    shown = text(support.get(page_of(checkout.pk)))
    assert shown.index("возврат не прошёл") < shown.index("оплачено, но время уже прошло")
    assert str(failed.pk) in shown
    for query in ("any", "refund_failed", "slot_passed"):
        assert page_of(checkout.pk) in support.get(LIST, {"attention": query}).content.decode()
    assert page_of(checkout.pk) not in support.get(LIST, {"attention": "mismatch"}).content.decode()


def test_another_try_that_goes_through_makes_a_failed_part_good(shop: YooKassaServer) -> None:
    checkout = start_payment(**booking())
    shop.succeed(str(checkout.external_id))
    sync_payment(checkout.pk, door=Door.QUEUE)
    failing_refunds(shop)
    refund(checkout, "1000.00")
    work_off()
    succeeding_refunds(shop)
    refund(checkout, "500.00")
    work_off()
    assert reasons(checkout) == [Attention.REFUND_FAILED]
    refund(checkout, "1000.00")
    work_off()
    assert reasons(checkout) == []
    failing_refunds(shop)
    refund(checkout, "10.00")
    work_off()
    assert reasons(checkout) == [Attention.REFUND_FAILED]


def test_a_second_refund_that_fails_is_news_although_the_first_was_dealt_with(shop: YooKassaServer) -> None:
    checkout = paid_too_late(shop)
    failing_refunds(shop)
    for _ in range(2):
        refund(checkout)
        work_off()
        assert Attention.REFUND_FAILED in reasons(checkout)
        clear_attention(payment_id=checkout.pk, actor_id=7, note="позвонили")
        assert reasons(checkout) == []


def test_what_a_person_has_settled_does_not_come_back_with_the_next_check(shop: YooKassaServer) -> None:
    checkout = start_payment(**booking())
    rival = make_checkout(ProviderStatus.SUCCEEDED)
    flag(checkout, Attention.SLOT_TAKEN, f"somebody else has the time {rival.pk}")
    clear_attention(payment_id=checkout.pk, actor_id=7, note="перенесли на среду")
    Checkout.objects.filter(pk=checkout.pk).update(scheduled_at=timezone.now() - timedelta(hours=1))
    shop.succeed(str(checkout.external_id))
    sync_payment(checkout.pk, door=Door.QUEUE)
    # The time has passed meanwhile: the same question, and it was answered.
    assert reasons(checkout) == []
    assert flag_unfulfilled() == 0


def test_of_three_answers_to_one_question_the_newest_stands() -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    for reason in (Attention.NOT_FULFILLED, Attention.SLOT_TAKEN, Attention.SLOT_PASSED):
        flag(checkout, reason, "why")
        assert reasons(checkout) == [reason]


def test_the_checkout_repeats_the_gravest_of_its_marks() -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    for reason in reversed(Attention):
        flag(checkout, reason, f"because of {reason}")
        fresh = Checkout.objects.get(pk=checkout.pk)
        assert (fresh.attention, fresh.attention_note) == (reason, f"because of {reason}")
    for reason in Attention:
        settle(checkout, reason)
        left = sorted((mark.reason for mark in open_marks(checkout.pk)), key=GRAVITY.__getitem__)
        fresh = Checkout.objects.get(pk=checkout.pk)
        assert fresh.attention == (left[0] if left else "")
        assert (fresh.attention_since is None) == (not left)


def test_the_same_reason_is_open_once_and_its_note_is_the_latest() -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    assert flag(checkout, Attention.MISMATCH, "the amount")
    assert not flag(checkout, Attention.MISMATCH, "the amount")
    assert flag(checkout, Attention.MISMATCH, "the currency")
    (mark,) = open_marks(checkout.pk)
    assert mark.note == "the currency"
    assert PaymentEvent.objects.filter(payment_id=checkout.pk, kind=EventKind.ATTENTION).count() == 2
    with pytest.raises(IntegrityError), transaction.atomic():
        PaymentAttention.objects.create(payment_id=checkout.pk, reason=Attention.MISMATCH, since=timezone.now())


def test_one_mark_is_cleared_and_the_others_stay(support: Client) -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    flag(checkout, Attention.SLOT_TAKEN, "")
    flag(checkout, Attention.RECEIPT_FAILED, "")
    page = support.get(page_of(checkout.pk)).content.decode()
    (first, second) = open_marks(checkout.pk)
    assert page.index(f'name="mark" value="{first.pk}"') < page.index(f'name="mark" value="{second.pk}"')
    form = {"note": "Записали на среду", "mark": first.pk}
    assert messages_of(support.post(page_of(checkout.pk, "clear-attention"), form, follow=True)) == ["Отметка снята."]
    assert reasons(checkout) == [Attention.RECEIPT_FAILED]
    first.refresh_from_db()
    assert first.settled_by_id == Staff.objects.get().pk
    assert "требует внимания" in text(support.get(LIST)).lower()


def test_another_mark_does_not_hide_that_nothing_was_given() -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED, captured_at=timezone.now() - timedelta(hours=1))
    flag(checkout, Attention.RECEIPT_FAILED, "the receipt was not registered")
    assert flag_unfulfilled() == 1
    assert reasons(checkout) == [Attention.NOT_FULFILLED, Attention.RECEIPT_FAILED]


def test_a_payment_that_turns_up_after_all_is_not_called_refused(shop: YooKassaServer) -> None:
    checkout = make_checkout(external_id=None, request_body={"stored": True})
    flag(checkout, Attention.NOT_CREATED, "YooKassa refused: 400 invalid_request", door=Door.API)
    Checkout.objects.filter(pk=checkout.pk).update(provider_status=ProviderStatus.REJECTED)
    create_at_yookassa({"payment_id": str(checkout.pk)})
    sync_payment(checkout.pk, door=Door.STAFF)
    assert reasons(checkout) == []


def test_a_check_that_yookassa_answers_with_another_shops_payment_is_a_mismatch(shop: YooKassaServer) -> None:
    checkout = make_checkout(external_id="2f-of-another-shop")
    queue_check(checkout.pk, "update_status")
    work_off()
    assert reasons(checkout) == [Attention.MISMATCH]


def test_money_that_several_older_rows_claim_is_shown_to_staff_once(shop: YooKassaServer, support: Client) -> None:
    created = create_at_yookassa({"shop": "old"})
    shop.succeed(created.id)
    rows = [make_payment(external_payment_id=created.id) for _ in range(3)]
    for row in rows:
        queue_check(row.pk, "update_status")
    work_off()
    (mark,) = PaymentAttention.objects.all()
    assert (mark.payment_id, mark.reason) == (rows[0].pk, Attention.MISMATCH)
    shown = support.get(LIST, {"attention": "any"}).content.decode()
    assert [page_of(row.pk) in shown for row in rows] == [True, False, False]
    assert "Требует внимания" in text(support.get(page_of(rows[0].pk)))
    form = {"note": "Деньги вернули", "mark": mark.pk}
    assert messages_of(support.post(page_of(rows[0].pk, "clear-attention"), form, follow=True)) == ["Отметка снята."]
    assert open_marks(rows[0].pk) == []


def test_a_claim_is_marked_on_the_oldest_row_that_makes_it_and_has_no_payment_of_its_own(shop: YooKassaServer) -> None:
    make_payment(external_payment_id="2f-another")
    known = start_payment()
    created = create_at_yookassa({"shop": "old"})
    shop.succeed(created.id)
    Payment.objects.filter(pk=known.pk).update(external_payment_id=created.id)
    rows = [make_payment(external_payment_id=created.id) for _ in range(2)]
    for row in rows:
        queue_check(row.pk, "update_status")
    work_off()
    assert [mark.payment_id for mark in PaymentAttention.objects.all()] == [rows[0].pk]


def test_rows_that_claim_what_nobody_paid_make_no_work(shop: YooKassaServer) -> None:
    created = create_at_yookassa({"shop": "old"})
    for _ in range(2):
        queue_check(make_payment(external_payment_id=created.id).pk, "update_status")
    work_off()
    assert not PaymentAttention.objects.exists()


def mark_as_before(checkout: Checkout, reason: Attention) -> None:
    """As a process of the version before does that still runs: it knows of no rows."""
    marked = {"attention": reason, "attention_note": "the bank says no", "attention_since": timezone.now()}
    Checkout.objects.filter(pk=checkout.pk).update(**marked)


def test_a_mark_of_a_process_of_the_version_before_is_not_lost() -> None:
    checkout = make_checkout()
    mark_as_before(checkout, Attention.REFUND_FAILED)
    checkout.refresh_from_db()
    settle(checkout, Attention.CHECK_FAILED, door=Door.RECONCILIATION)
    assert reasons(checkout) == [Attention.REFUND_FAILED]
    flag(checkout, Attention.PAID_TWICE, "", door=Door.RECONCILIATION)
    assert reasons(checkout) == [Attention.PAID_TWICE, Attention.REFUND_FAILED]


def test_what_a_process_of_the_version_before_marks_and_takes_away_is_taken_over() -> None:
    marked, cleared = make_checkout(), make_checkout()
    mark_as_before(marked, Attention.REFUND_FAILED)
    flag(cleared, Attention.CHECK_FAILED, "", door=Door.RECONCILIATION)
    flag(cleared, Attention.REFUND_FAILED, "", door=Door.RECONCILIATION)
    Checkout.objects.filter(pk=cleared.pk).update(attention="", attention_note="", attention_since=None)
    data = {"reason": Attention.REFUND_FAILED.value}
    PaymentEvent.objects.create(
        payment_id=cleared.pk, kind=EventKind.ATTENTION_CLEARED, door=Door.RECONCILIATION, data=data
    )
    queue_due_checks()
    assert reasons(marked) == [Attention.REFUND_FAILED]
    assert reasons(cleared) == [Attention.CHECK_FAILED]


def test_the_marks_of_before_are_carried_over(database: ClonedDatabase) -> None:
    since = timezone.now() - timedelta(days=1)
    marked: dict[str, Any] = {"attention_since": since, "attention_note": "why"}
    kept = make_checkout(ProviderStatus.SUCCEEDED, attention=Attention.SLOT_TAKEN, **marked)
    over = make_checkout(ProviderStatus.SUCCEEDED, attention=Attention.REFUND_FAILED, **marked)
    Checkout.objects.filter(pk=over.pk).update(refunded_amount=over.amount)
    by_hand = make_checkout(ProviderStatus.SUCCEEDED)
    events = ((EventKind.ATTENTION, None, {"note": "it differs"}), (EventKind.ATTENTION_CLEARED, 7, {"note": "done"}))
    for kind, actor, data in events:
        PaymentEvent.objects.create(
            payment_id=by_hand.pk, kind=kind, actor_id=actor, door=Door.STAFF, data={"reason": "mismatch", **data}
        )
    PaymentAttention.objects.all().delete()
    unregistered = make_checkout(ProviderStatus.SUCCEEDED, receipt_registration="canceled")
    with connection.cursor() as cursor:
        cursor.execute(import_module("payments.migrations.0006_marks_so_far").FORWARD)
    due = Checkout.objects.filter(next_check_at__isnull=False)
    assert list(due.values_list("pk", flat=True)) == [unregistered.pk]
    (mark,) = open_marks(kept.pk)
    assert (mark.reason, mark.note, mark.since) == (Attention.SLOT_TAKEN, "why", since)
    over.refresh_from_db()
    assert (over.attention, over.attention_since, open_marks(over.pk)) == ("", None, [])
    assert PaymentEvent.objects.filter(payment_id=over.pk, data__reason="refund_failed").exists()
    assert not flag(by_hand, Attention.MISMATCH, "it differs")
    assert flag(by_hand, Attention.MISMATCH, "it differs in another way")
