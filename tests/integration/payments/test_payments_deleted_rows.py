"""Paid, and the row was deleted, alone or with the account: the money is seen, counted, and can go back."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import Mock
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from bridge.rights import RowsHidden, require_sight
from payments import tasks
from payments.admin.revenue import revenue_by_day, total
from payments.checking.by_staff import clear_attention
from payments.checking.reconcile import Lost, compare_recent
from payments.checking.sync import sync_payment
from payments.ledger.deleted_rows import without_row
from payments.ledger.marks import open_marks
from payments.models import Appointment, Checkout, Fulfilment, Payment, PaymentEvent, Refund, User
from payments.provider import provider
from payments.queue import queue_check
from payments.states import Attention, Door, EventKind, OrderKind, ProviderStatus, RefundStatus
from sandbox.yookassa import YooKassaServer
from tests.support.checkouts import delete_row, make_checkout, queued_checks
from tests.support.databases import ClonedDatabase
from tests.support.payment_calls import make_catalogue, tomorrow
from tests.support.payment_deliveries import create_at_yookassa, start_payment, work_off
from tests.support.payment_pages import (
    CHECK,
    LIST,
    LOOK,
    NOTIFICATIONS,
    REFUND,
    REFUNDS,
    messages_of,
    page_of,
    staff_with,
    text,
)
from tests.support.yookassa_shop import receipt, refund_body
from wording.russian import MOSCOW

DELETED = f"{LIST}deleted/"


@pytest.fixture
def staff(database: ClonedDatabase) -> Client:
    return staff_with(*LOOK, CHECK, REFUND)


def delete_account(checkout: Checkout) -> None:
    delete_row(checkout)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM public.users WHERE id = %s", [checkout.user_id])
        cursor.execute("DELETE FROM auth.users WHERE id = %s", [checkout.user_id])


def paid_and_deleted(shop: YooKassaServer, **fields: Any) -> Checkout:
    """The row goes while the payer is at the form; the notification comes after that."""
    checkout = start_payment(**fields)
    delete_row(checkout)
    shop.succeed(str(checkout.external_id))
    sync_payment(checkout.pk, door=Door.QUEUE)
    checkout.refresh_from_db()
    return checkout


def reasons(checkout: Checkout) -> list[str]:
    return [mark.reason for mark in open_marks(checkout.pk)]


def checks_of(checkout: Checkout) -> list[dict[str, str]]:
    return [{"payment_id": str(checkout.pk), "action": "update_status"}]


def test_what_is_paid_after_its_row_was_deleted_is_noted_and_marked(shop: YooKassaServer) -> None:
    checkout = paid_and_deleted(shop)
    assert (checkout.provider_status, checkout.attention) == (ProviderStatus.SUCCEEDED, Attention.ROW_DELETED)
    assert "nothing was given" in checkout.attention_note
    assert not Fulfilment.objects.exists()
    assert not Payment.objects.filter(pk=checkout.pk).exists()


def test_a_comparison_calls_it_lost_with_its_amount_and_makes_no_message_over_and_over(
    shop: YooKassaServer, caplog: pytest.LogCaptureFixture
) -> None:
    checkout = start_payment()
    delete_row(checkout)
    shop.succeed(str(checkout.external_id))
    expected = [Lost(str(checkout.external_id), Decimal(4500), "RUB", str(checkout.pk))]
    assert compare_recent(hours=3).lost == expected
    assert "4500.00 RUB" in caplog.text
    assert queued_checks() == checks_of(checkout)
    work_off()
    assert (queued_checks(), reasons(checkout)) == ([], [Attention.ROW_DELETED])
    for _ in range(2):
        assert compare_recent(hours=3).lost == expected
        assert queued_checks() == []
    clear_attention(payment_id=checkout.pk, actor_id=7, note="вернули переводом")
    found = compare_recent(hours=3)
    assert (found.lost, queued_checks(), reasons(checkout)) == ([], [], [])


@pytest.mark.parametrize("given", [True, False])
def test_a_row_that_is_deleted_long_after_the_payment_is_found_by_beat(
    shop: YooKassaServer, given: bool, caplog: pytest.LogCaptureFixture
) -> None:
    fields: dict[str, Any] = {}
    if given:
        kind = make_catalogue().consultation
        fields = {
            "kind": OrderKind.APPOINTMENT,
            "appointment_type_id": kind.pk,
            "scheduled_at": tomorrow(),
        }
    checkout = start_payment(**fields)
    shop.succeed(str(checkout.external_id))
    sync_payment(checkout.pk, door=Door.QUEUE)
    assert Fulfilment.objects.exists() == given
    Appointment.objects.all().delete()
    delete_account(checkout)
    tasks.flag_unfulfilled()
    (mark,) = [mark for mark in open_marks(checkout.pk) if mark.reason == Attention.ROW_DELETED]
    assert ("appointment had been given" if given else "nothing was given") in mark.note
    assert [record.levelno for record in caplog.records].count(logging.ERROR) == 1
    caplog.clear()
    tasks.flag_unfulfilled()
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_nobody_need_look_at_what_was_never_paid(shop: YooKassaServer) -> None:
    checkout = start_payment()
    delete_row(checkout)
    shop.expire(str(checkout.external_id))
    tasks.compare_recent(hours=3)
    work_off()
    tasks.flag_unfulfilled()
    checkout.refresh_from_db()
    assert (checkout.provider_status, checkout.attention) == (ProviderStatus.CANCELED, "")


def test_a_row_that_is_there_again_is_given_what_was_paid_for(shop: YooKassaServer) -> None:
    kind = make_catalogue().consultation
    order = {"kind": OrderKind.APPOINTMENT, "appointment_type_id": kind.pk, "scheduled_at": tomorrow()}
    checkout = paid_and_deleted(shop, **order)
    Payment.objects.create(id=checkout.pk, user_id=checkout.user_id, amount=checkout.amount)
    sync_payment(checkout.pk, door=Door.STAFF)
    assert reasons(checkout) == []
    assert Fulfilment.objects.filter(pk=checkout.pk).exists()
    assert Payment.objects.get(pk=checkout.pk).external_payment_id == checkout.external_id


def test_it_can_be_refunded_in_parts_and_in_full_and_counts_in_the_revenue(shop: YooKassaServer, staff: Client) -> None:
    checkout = paid_and_deleted(shop)
    Checkout.objects.filter(pk=checkout.pk).update(test=False)
    today: date = timezone.localdate(timezone=MOSCOW)
    for amount in ("1500,00", "3000,00"):
        page = staff.get(page_of(checkout.pk, "refund"))
        assert "parent@example.org" in text(page)
        form = {"amount": amount, "reason": "Клиент удалил учётную запись", "once": str(uuid4())}
        assert "отправляется" in messages_of(staff.post(page_of(checkout.pk, "refund"), form, follow=True))[0]
        work_off()
        Checkout.objects.filter(pk=checkout.pk).update(test=False)
    checkout.refresh_from_db()
    assert (checkout.refunded_amount, checkout.attention) == (Decimal(4500), "")
    assert set(Refund.objects.values_list("status", flat=True)) == {RefundStatus.SUCCEEDED}
    sums = total(revenue_by_day(today - timedelta(days=1), today))
    assert (sums.paid, sums.refunded, sums.refunds) == (Decimal(4500), Decimal(4500), 2)


def test_a_refund_in_yookassas_office_is_noted_as_well(shop: YooKassaServer) -> None:
    checkout = paid_and_deleted(shop)
    delete_account(checkout)
    provider().create_refund(refund_body(str(checkout.external_id), "4500.00"), key="office-1")
    compare_recent(hours=3)
    work_off()
    checkout.refresh_from_db()
    assert (checkout.refunded_amount, checkout.attention) == (Decimal(4500), "")
    assert compare_recent(hours=3).lost == []


def test_staff_find_it_from_the_list_without_searching(shop: YooKassaServer, staff: Client) -> None:
    checkout = paid_and_deleted(shop)
    shown = text(staff.get(LIST))
    for piece in ("Платежи, запись о которых удалена", str(checkout.pk)[:8], "4 500,00 ₽", "parent@example.org"):
        assert piece in shown
    clear_attention(payment_id=checkout.pk, actor_id=7, note="вернули переводом")
    assert str(checkout.pk)[:8] not in text(staff.get(LIST))
    assert str(checkout.pk)[:8] in text(staff.get(DELETED))


@pytest.mark.parametrize("by", ["order number", "what the payer reads", "id", "YooKassa's id", "client", "address"])
def test_a_search_finds_it(staff: Client, by: str) -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    other = make_checkout(ProviderStatus.SUCCEEDED)
    for one in (checkout, other):
        delete_row(one)
    User.objects.filter(pk=other.user_id).update(email="other@example.org")
    term = {
        "order number": str(checkout.pk)[:8],
        "what the payer reads": f"Заказ № {str(checkout.pk)[:8]}",
        "id": str(checkout.pk),
        "YooKassa's id": str(checkout.external_id),
        "client": str(checkout.user_id),
        "address": "parent@",
    }[by]
    for page in (LIST, DELETED):
        shown = staff.get(page, {"q": term}).content.decode()
        assert page_of(checkout.pk) in shown
        assert page_of(other.pk) not in shown


def test_an_address_that_only_the_receipt_has_is_shown_and_found(staff: Client) -> None:
    body = {"receipt": receipt("4500.00")}
    checkout = make_checkout(ProviderStatus.SUCCEEDED, request_body=body)
    delete_account(checkout)
    assert "anna@example.org" in text(staff.get(LIST, {"q": "anna@"}))
    assert "anna@example.org" in text(staff.get(page_of(checkout.pk)))


def test_a_refund_whose_id_is_searched_for_leads_to_it(staff: Client) -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    refund = Refund.objects.create(
        payment_id=checkout.pk, external_id="2f-refund", amount=Decimal(1), status=RefundStatus.SUCCEEDED
    )
    delete_account(checkout)
    for term in ("2f-refund", str(refund.pk)):
        assert page_of(checkout.pk) in staff.get(LIST, {"q": term}).content.decode()
    for query in ({}, {"q": str(checkout.pk)[:8]}):
        assert f"{REFUNDS}{refund.pk}/change/" in staff.get(REFUNDS, query).content.decode()
    assert str(checkout.user_id) in text(staff.get(f"{REFUNDS}{refund.pk}/change/"))
    assert staff.get(NOTIFICATIONS, {"q": str(checkout.pk)[:8]}).status_code == 200


@pytest.mark.parametrize("account", [True, False])
def test_its_page_shows_everything_and_every_button_works(shop: YooKassaServer, staff: Client, account: bool) -> None:
    checkout = paid_and_deleted(shop)
    if not account:
        delete_account(checkout)
    shown = text(staff.get(page_of(checkout.pk)))
    for piece in (
        *("оплачено, а запись о платеже удалена", "записи нет: её удалили", "4 500,00 ₽", "Вернуть…"),
        *(str(checkout.external_id), "parent@example.org" if account else str(checkout.user_id)),
    ):
        assert piece in shown
    assert "оплачен" in messages_of(staff.post(page_of(checkout.pk, "check"), follow=True))[0]
    assert text(staff.get(page_of(checkout.pk, "compare"))).count("4 500,00 ₽") == 2
    assert staff.get(page_of(checkout.pk, "history")).status_code == 200
    (mark,) = open_marks(checkout.pk)
    form = {"note": "вернули переводом", "mark": mark.pk}
    assert messages_of(staff.post(page_of(checkout.pk, "clear-attention"), form, follow=True)) == ["Отметка снята."]
    assert "Запись об этом платеже удалена" in text(staff.get(page_of(checkout.pk)))
    event = PaymentEvent.objects.get(kind=EventKind.ATTENTION_CLEARED, payment_id=checkout.pk)
    assert event.data["note"] == "вернули переводом"


def test_who_may_not_look_sees_none_of_it(shop: YooKassaServer) -> None:
    checkout = paid_and_deleted(shop)
    stranger, viewer = staff_with("view_refund", username="a"), staff_with(*LOOK, username="b")
    assert stranger.get(DELETED).status_code == 403
    assert stranger.get(page_of(checkout.pk)).status_code == 403
    assert viewer.get(page_of(checkout.pk, "refund")).status_code == 403
    for action in ("check", "refund", "clear-attention"):
        assert viewer.post(page_of(checkout.pk, action), {"note": "x"}).status_code == 403


def test_an_id_of_nothing_has_no_page(staff: Client) -> None:
    assert staff.get(page_of(uuid4(), "refund"))["Location"] == LIST
    assert staff.get(f"{LIST}nonsense/change/").status_code == 302


def test_where_row_security_hides_rows_none_counts_as_deleted(database: ClonedDatabase) -> None:
    checkout, _ = make_checkout(ProviderStatus.SUCCEEDED), make_checkout(ProviderStatus.SUCCEEDED)
    delete_row(checkout)
    assert list(without_row()) == [checkout]
    with hidden_payments():
        assert list(without_row()) == []


def test_a_row_that_is_only_hidden_is_not_taken_for_deleted(
    shop: YooKassaServer, staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = make_hidden(shop)
    with hidden_payments(), pytest.raises(RowsHidden) as hidden:
        require_sight("public.payments")
    for module in ("deleted_rows", "book"):
        monkeypatch.setattr(f"payments.ledger.{module}.require_sight", Mock(side_effect=hidden.value))
    tasks.flag_unfulfilled()
    assert compare_recent(hours=3).lost == []
    with pytest.raises(RowsHidden, match="BYPASSRLS"):
        sync_payment(checkout.pk, door=Door.QUEUE)
    assert open_marks(checkout.pk) == []
    assert str(checkout.pk)[:8] not in text(staff.get(DELETED))
    queue_check(checkout.pk, "update_status")
    with pytest.raises(RowsHidden):
        work_off_to_the_end()
    (mark,) = open_marks(checkout.pk)
    assert (mark.reason, "BYPASSRLS" in mark.note) == (Attention.CHECK_FAILED, True)


@contextmanager
def hidden_payments() -> Iterator[None]:
    """As a role whom row security of Supabase's table concerns."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE authenticated")
        yield


def work_off_to_the_end() -> None:
    while work_off():
        # Until no attempt is left.
        continue


def make_hidden(shop: YooKassaServer) -> Checkout:
    created = create_at_yookassa({"payment_id": str(uuid4())})
    shop.succeed(created.id)
    return Checkout.objects.create(
        pk=uuid4(),
        user_id=uuid4(),
        amount=Decimal(4500),
        external_id=created.id,
        provider_status=ProviderStatus.SUCCEEDED,
        captured_at=timezone.now() - timedelta(hours=1),
    )
