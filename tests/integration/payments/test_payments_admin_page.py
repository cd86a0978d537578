"""The page of one payment: what is wrong, what it was for, and what happened to it."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from payments.buying.request_body import payment_request
from payments.contacts import ReceiptContact
from payments.ledger.book import record_event
from payments.models import (
    Appointment,
    AppointmentType,
    Fulfilment,
    Payment,
    ProviderNotification,
    Refund,
)
from payments.receipts import TaxRules
from payments.states import (
    Attention,
    Door,
    EventKind,
    NotificationStatus,
    OrderKind,
    PaymentStatus,
    ProviderStatus,
    RefundStatus,
)
from payments.webhook.journal import ALREADY_KNOWN, ANOTHER_ID
from payments.webhook.store import STRANGER
from tests.support.checkouts import make_checkout, make_payment
from tests.support.payment_pages import CHECK, LOOK, NOTIFICATIONS, REFUNDS, page_of, staff_with, text
from wording.russian import order_number

pytestmark = pytest.mark.usefixtures("database")

MOST_QUERIES = 16


@pytest.fixture
def support() -> Client:
    return staff_with(*LOOK, CHECK)


def test_the_page_calls_the_order_as_its_client_does(support: Client) -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    request = payment_request(
        payment_id=checkout.pk,
        user_id=checkout.user_id,
        kind=OrderKind.APPOINTMENT,
        amount=checkout.amount,
        currency="RUB",
        contact=ReceiptContact(email="parent@example.org"),
        taxes=TaxRules(1, None),
    )
    number = order_number(checkout.pk)
    assert request["description"] == f"Заказ № {number}"
    assert f"Заказ №: {number}" in text(support.get(page_of(checkout.pk)))


def test_a_declined_payment_says_why_by_whom_and_what_next(support: Client) -> None:
    checkout = make_checkout(
        ProviderStatus.CANCELED, cancellation_reason="insufficient_funds", cancellation_party="payment_network"
    )
    shown = text(support.get(page_of(checkout.pk)))
    assert "На карте или счёте не хватает денег. Отказал: банк или другой участник платежа." in shown
    assert "Попросите клиента пополнить счёт или оплатить другой картой." in shown


@pytest.mark.parametrize(
    ("status", "registration", "says"),
    [
        (ProviderStatus.CANCELED, "canceled", "не нужен: деньги не списаны"),
        (ProviderStatus.PENDING, "pending", "будет после оплаты"),
    ],
)
def test_what_was_not_paid_asks_for_no_receipt(
    support: Client, status: ProviderStatus, registration: str, says: str
) -> None:
    shown = text(support.get(page_of(make_checkout(status, receipt_registration=registration).pk)))
    assert f"Кассовый чек: {says}" in shown
    assert "чек коррекции" not in shown
    assert "не зарегистрирован" not in shown


def test_a_paid_payment_without_its_receipt_says_what_to_do(support: Client) -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED, receipt_registration="canceled")
    shown = text(support.get(page_of(checkout.pk)))
    step = "Отправьте чек ещё раз из кабинета ЮKassa или оформите чек коррекции."
    assert f"Кассовый чек не зарегистрирован. {step}" in shown
    assert shown.count("оформите чек коррекции") == 1


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
    assert "Технические сведения: <code>somebody else has the time &lt;b&gt;</code>" in response.content.decode()


def test_there_is_something_to_do_about_every_mark(support: Client, subtests: pytest.Subtests) -> None:
    for mark in Attention:
        with subtests.test(mark):
            checkout = make_checkout(ProviderStatus.SUCCEEDED, attention=mark, attention_since=timezone.now())
            assert str(mark.label) in text(support.get(page_of(checkout.pk)))


def test_a_payment_that_went_well_has_nothing_at_the_top(support: Client) -> None:
    assert support.get(page_of(make_checkout(ProviderStatus.SUCCEEDED).pk)).context["troubles"] == []


def test_a_status_that_somebody_wrote_is_told_apart_from_the_truth(support: Client) -> None:
    unproven = make_payment(status=PaymentStatus.COMPLETED, external_payment_id="2f8e-of-before")
    shown = text(support.get(page_of(unproven.pk)))
    assert "стоит «оплачен», но в ЮKassa платёж ещё не проверяли" in shown
    assert "Проверить сейчас" in shown
    forged = make_checkout(ProviderStatus.PENDING)
    Payment.objects.filter(pk=forged.pk).update(status=PaymentStatus.COMPLETED)
    assert "кто-то записал «оплачен», а по данным ЮKassa — «ждёт оплаты»" in text(support.get(page_of(forged.pk)))


def test_a_payment_that_yookassa_never_had_advises_no_check(support: Client) -> None:
    shown = text(support.get(page_of(make_payment(status=PaymentStatus.COMPLETED).pk)))
    assert "В таблице сайта стоит «оплачен», но в ЮKassa такой платёж не создавали." in shown
    assert "Оплаты нет: не выдавайте по нему ничего." in shown
    assert "Проверить сейчас" not in shown
    assert "Сравнить с ЮKassa" not in shown


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
        cancellation_party="yoo_money",
    )
    says = "На нашем счёте в ЮKassa не хватает денег на возврат. Отказал: ЮKassa. Пополните баланс"
    shown = text(support.get(page_of(checkout.pk)))
    assert says in shown
    assert "не прошёл" in shown
    page = text(support.get(f"{REFUNDS}{Refund.objects.get().pk}/change/"))
    assert says in page
    assert "Номер возврата" in page


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
        EventKind.HELD: {"until": timezone.now().isoformat()},
        EventKind.MERGED: {"kept": str(uuid4()), "removed": [str(uuid4())]},
        EventKind.FULFILLED: {"id": str(uuid4()), "how": "made", "what": "package"},
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
            "использована запись, созданная сайтом",
            "ещё не создан → отменён",
            "причина: Истёк срок действия карты (card_expired)",
            "код: forbidden",
        ),
        *("статус: было «оплачен», снова стало «не начат»", "что: пакет как: создано нами номер: "),
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
    assert "платёж оплачен ждёт проверки" in text(support.get(page_of(checkout.pk)))


@pytest.mark.parametrize(
    ("why", "says"),
    [
        (ALREADY_KNOWN, "об этом уже было известно"),
        (STRANGER, "адрес отправителя не принадлежит ЮKassa"),
    ],
)
def test_a_notification_says_why_nothing_was_done(support: Client, why: str, says: str) -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    told = ProviderNotification.objects.create(
        address="185.71.76.1",
        trusted=True,
        event="payment.succeeded",
        payment_id=checkout.pk,
        body="{}",
        status=NotificationStatus.IGNORED,
        error=why,
    )
    assert f"ничего не требуется {says}" in text(support.get(page_of(checkout.pk)))
    page = text(support.get(f"{NOTIFICATIONS}{told.pk}/change/"))
    assert f"Почему: {says}" in page
    assert "Технические сведения:" not in page
    ProviderNotification.objects.update(status=NotificationStatus.FAILED, error="the worker died")
    assert "проверка не удалась проверка платежа не удалась" in text(support.get(page_of(checkout.pk)))
    response = support.get(f"{NOTIFICATIONS}{told.pk}/change/")
    assert "Почему: проверка платежа не удалась" in text(response)
    assert "<code>the worker died</code>" in response.content.decode()


@pytest.mark.parametrize(
    ("why", "says"),
    [
        (f"it names the payment 7, {ANOTHER_ID}", "в нём назван наш платёж, у которого в ЮKassa другой номер"),
        ("as a version before us put it", "другая причина, см. технические сведения"),
    ],
)
def test_what_the_journal_says_beyond_our_words_is_a_technical_detail(support: Client, why: str, says: str) -> None:
    told = ProviderNotification.objects.create(
        address="185.71.76.1", trusted=True, event="x", body="{}", status=NotificationStatus.IGNORED, error=why
    )
    page = support.get(f"{NOTIFICATIONS}{told.pk}/change/")
    assert f"Почему: {says}" in text(page)
    assert f"<code>{why}</code>" in page.content.decode()


def test_a_long_history_costs_no_more_queries(support: Client) -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            support.get(page_of(checkout.pk))
        return len(captured)

    record_event(checkout.pk, EventKind.CHECKED, door=Door.QUEUE)
    # The first page of a process asks once for what Django then remembers.
    queries()
    few = queries()
    for _ in range(5):
        record_event(checkout.pk, EventKind.CHECKED, door=Door.QUEUE)
        Refund.objects.create(payment_id=checkout.pk, amount=Decimal(1), request_body={})
    assert queries() == few <= MOST_QUERIES
