"""The page of one payment: what is wrong, what it was for, and what happened to it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from balansity.sandbox.yookassa import FaultKind, YooKassaServer
from payments.models import (
    Appointment,
    AppointmentType,
    Fulfilment,
    Payment,
    PaymentEvent,
    ProviderNotification,
    Refund,
)
from payments.services.timeline import record_event
from payments.states import Attention, Door, EventKind, OrderKind, PaymentStatus, ProviderStatus, RefundStatus
from tests.checkouts import make_checkout, make_payment, queued_checks
from tests.databases import ClonedDatabase
from tests.payment_deliveries import shop_at_yookassa, start_payment
from tests.payment_pages import CHECK, LOOK, page_of, staff_with, text

pytestmark = pytest.mark.usefixtures("database")

MOST_QUERIES = 16


@pytest.fixture
def support() -> Client:
    return staff_with(*LOOK, CHECK)


@pytest.fixture
def shop(database: ClonedDatabase, settings: Settings) -> Iterator[YooKassaServer]:
    with shop_at_yookassa(settings) as server:
        yield server


def test_a_declined_payment_says_why_by_whom_and_what_next(support: Client) -> None:
    checkout = make_checkout(
        ProviderStatus.CANCELED, cancellation_reason="insufficient_funds", cancellation_party="payment_network"
    )
    shown = text(support.get(page_of(checkout.pk)))
    assert "На карте или счёте не хватает денег. Отказал: банк или другой участник платежа." in shown
    assert "Попросите клиента пополнить счёт или оплатить другой картой." in shown


def test_a_mark_says_what_to_do_and_shows_the_note(support: Client) -> None:
    checkout = make_checkout(
        ProviderStatus.SUCCEEDED,
        attention=Attention.SLOT_TAKEN,
        attention_note="somebody else has the time <b>",
        attention_since=datetime(2026, 11, 23, 9, 0, tzinfo=UTC),
    )
    response = support.get(page_of(checkout.pk))
    shown = text(response)
    assert "Требует внимания с 23.11.2026 12:00: оплачено, но время занято" in shown
    assert "Договоритесь о другом времени" in shown
    assert "somebody else has the time &lt;b&gt;" in response.content.decode()


@pytest.mark.parametrize("mark", Attention)
def test_there_is_something_to_do_about_every_mark(support: Client, mark: Attention) -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED, attention=mark, attention_since=timezone.now())
    assert str(mark.label) in text(support.get(page_of(checkout.pk)))


def test_a_payment_that_went_well_has_nothing_at_the_top(support: Client) -> None:
    assert support.get(page_of(make_checkout(ProviderStatus.SUCCEEDED).pk)).context["troubles"] == []


def test_a_status_that_somebody_wrote_is_told_apart_from_the_truth(support: Client) -> None:
    unproven = make_payment(status=PaymentStatus.COMPLETED)
    assert "стоит «оплачен», но в ЮKassa платёж ещё не проверяли" in text(support.get(page_of(unproven.pk)))
    forged = make_checkout(ProviderStatus.PENDING)
    Payment.objects.filter(pk=forged.pk).update(status=PaymentStatus.COMPLETED)
    assert "кто-то записал «оплачен», а по данным ЮKassa — «ждёт оплаты»" in text(support.get(page_of(forged.pk)))


def test_the_page_shows_what_was_bought_and_what_is_left(support: Client) -> None:
    kind = AppointmentType.objects.create(name="Семейная сессия", duration_minutes=90, price=Decimal(4500))
    start = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
    checkout = make_checkout(
        ProviderStatus.SUCCEEDED,
        kind=OrderKind.APPOINTMENT,
        appointment_type_id=kind.pk,
        scheduled_at=start,
        receipt_registration="pending",
        test=True,
    )
    booked = Appointment.objects.create(
        user_id=checkout.user_id, appointment_type=kind, scheduled_at=start, payment_id=checkout.pk
    )
    Fulfilment.objects.create(
        payment_id=checkout.pk, kind=OrderKind.APPOINTMENT, how=Fulfilment.How.MADE, appointment_id=booked.pk
    )
    Refund.objects.create(
        payment_id=checkout.pk,
        amount=Decimal("1000.50"),
        status=RefundStatus.REQUESTED,
        reason="Просьба клиента",
        request_body={},
    )
    shown = text(support.get(page_of(checkout.pk)))
    for piece in (
        *("ТЕСТ", "Консультация: Семейная сессия, 01.12.2026 15:00"),
        *("консультация «Семейная сессия» 01.12.2026 15:00: запланирована", "Можно вернуть: 3 499,50 ₽"),
        *("регистрируется в налоговой", "1 000,50 ₽", "Просьба клиента", "отправляется в ЮKassa"),
    ):
        assert piece in shown


def test_a_refund_that_failed_says_why_and_what_next(support: Client) -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    Refund.objects.create(
        payment_id=checkout.pk,
        amount=Decimal(100),
        status=RefundStatus.CANCELED,
        external_id="r-1",
        cancellation_reason="insufficient_funds",
    )
    shown = text(support.get(page_of(checkout.pk)))
    assert "На нашем счёте в ЮKassa не хватает денег на возврат. Пополните баланс" in shown


def test_the_timeline_speaks_of_every_kind_of_event(support: Client) -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    actor = int(support.session["_auth_user_id"])
    told: dict[EventKind, dict[str, Any]] = {
        EventKind.CREATED: {"amount": "4500.00", "order": "appointment", "adopted": True},
        EventKind.PROVIDER_CREATED: {"external_id": "2f8e0001"},
        EventKind.PROVIDER_REFUSED: {"code": "forbidden", "error": "YooKassa refused: 403"},
        EventKind.PROVIDER_AWAY: {"error": "timeout"},
        EventKind.NOTIFIED: {"event": "payment.succeeded", "object": "2f8e0001", "notification": 7},
        EventKind.CHECKED: {"status": "completed"},
        EventKind.STATUS_CHANGED: {"old": "", "new": "canceled", "reason": "card_expired"},
        EventKind.STATUS_CORRECTED: {"status": {"found": "completed", "right": "pending"}},
        EventKind.FULFILLED: {"what": "package", "how": "made", "id": str(uuid4())},
        EventKind.ATTENTION: {"reason": "slot_taken", "note": "somebody <else>"},
        EventKind.ATTENTION_CLEARED: {"reason": "slot_taken", "note": "записали на среду"},
        EventKind.REFUND_REQUESTED: {"refund": str(uuid4()), "amount": "1500.00"},
        EventKind.REFUND_CHANGED: {"status": "rejected", "amount": "1500.00", "reason": ""},
        EventKind.RECEIPT_CHANGED: {"state": "canceled"},
    }
    assert set(told) == set(EventKind)
    for kind, data in told.items():
        record_event(checkout.pk, kind, door=Door.STAFF, actor_id=actor, **data)
    response = support.get(page_of(checkout.pk))
    shown = text(response).split("Хронология")[1]
    for kind in EventKind:
        assert str(kind.label) in shown
    for piece in (
        *(
            "сумма: 4 500,00 ₽",
            "за что: консультация",
            "взята строка сайта: да",
            "ещё не создан → отменён",
            "причина: card_expired",
            "код: forbidden",
        ),
        *("статус: было «оплачен», снова стало «не начат»", "что: пакет", "как: создано нами"),
        *("причина: оплачено, но время занято", "примечание: записали на среду", "сумма: 1 500,00 ₽"),
        *("статус: отклонено ЮKassa", "состояние: не зарегистрирован", "support", "сотрудник"),
    ):
        assert piece in shown
    assert "somebody &lt;else&gt;" in response.content.decode()
    assert "{" not in shown


def test_notifications_of_the_payment_are_listed_with_their_fate(support: Client) -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    ProviderNotification.objects.create(
        address="185.71.76.1", trusted=True, event="payment.succeeded", payment_id=checkout.pk, body="{}"
    )
    assert "payment.succeeded ждёт проверки" in text(support.get(page_of(checkout.pk)))


def test_a_long_history_costs_no_more_queries(support: Client) -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            support.get(page_of(checkout.pk))
        return len(captured)

    record_event(checkout.pk, EventKind.CHECKED, door=Door.QUEUE)
    few = queries()
    for _ in range(20):
        record_event(checkout.pk, EventKind.CHECKED, door=Door.QUEUE)
        Refund.objects.create(payment_id=checkout.pk, amount=Decimal(1), request_body={})
    assert queries() == few <= MOST_QUERIES


def test_the_comparison_shows_both_sides_and_writes_nothing(support: Client, shop: YooKassaServer) -> None:
    checkout = start_payment(test=True)
    same = text(support.get(page_of(checkout.pk, "compare")))
    assert "Всё совпадает." in same
    shop.succeed(str(checkout.external_id))
    response = support.get(page_of(checkout.pk, "compare"))
    shown = text(response)
    assert "Статус в ЮKassa ждёт оплаты (pending) оплачен (succeeded)" in shown
    assert "Статус в таблице сайта ждёт оплаты (processing) оплачен (completed)" in shown
    assert response.content.decode().count('class="payment-differs"') == response.context["differences"] >= 2
    checkout.refresh_from_db()
    assert checkout.provider_status == ProviderStatus.PENDING
    assert not PaymentEvent.objects.exists()
    assert all(call.method == "GET" for call in shop.requests[1:])


def test_a_comparison_sends_no_refund_that_waits(support: Client, shop: YooKassaServer) -> None:
    checkout = start_payment()
    shop.succeed(str(checkout.external_id))
    Refund.objects.create(payment_id=checkout.pk, amount=Decimal(100), request_body={"payment_id": "x"})
    support.get(page_of(checkout.pk, "compare"))
    assert Refund.objects.get().status == RefundStatus.REQUESTED
    assert [call.method for call in shop.requests[1:]] == ["GET"]


@pytest.mark.parametrize(
    ("fault", "says"),
    [(FaultKind.SILENT, "ЮKassa сейчас не отвечает"), (FaultKind.HTML_502, "ЮKassa сейчас не отвечает")],
)
def test_a_provider_that_is_away_is_said_so(support: Client, shop: YooKassaServer, fault: FaultKind, says: str) -> None:
    checkout = start_payment()
    shop.fail(fault)
    assert says in text(support.get(page_of(checkout.pk, "compare")))


def test_a_payment_that_yookassa_does_not_know_is_said_so(support: Client, shop: YooKassaServer) -> None:
    checkout, row = make_checkout(ProviderStatus.PENDING), make_payment()
    assert "ЮKassa не знает этот платёж" in text(support.get(page_of(checkout.pk, "compare")))
    assert "В ЮKassa этот платёж не создавали" in text(support.get(page_of(row.pk, "compare")))


def test_a_shop_that_is_not_set_up_is_said_so(support: Client, settings: Settings) -> None:
    settings.YUKASSA_SHOP_ID = ""
    assert "ЮKassa не настроена" in text(support.get(page_of(make_checkout().pk, "compare")))
    assert queued_checks() == []
