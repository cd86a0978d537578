"""Money going back by the hand of staff: once, with a reason, and never more than there is."""

import re
import threading
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client

from payments.ledger.marks import open_marks
from payments.models import Checkout, Payment, PaymentEvent, Refund, User
from payments.states import Attention, Door, EventKind, OrderKind, PaymentStatus, ProviderStatus, RefundStatus
from sandbox.yookassa import YooKassaServer
from tests.support.checkouts import make_checkout, make_payment, queued_checks
from tests.support.payment_deliveries import start_payment, work_off
from tests.support.payment_pages import CHECK, LOOK, REFUND, REFUNDS, messages_of, page_of, staff_with, text

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def cashier() -> Client:
    return staff_with(*LOOK, REFUND)


def form(amount: str = "4500,00", once: str = "", reason: str = "Клиент заболел") -> dict[str, str]:
    return {"amount": amount, "reason": reason, "once": once or str(uuid4())}


def amounts() -> list[Decimal]:
    return list(Refund.objects.order_by("created_at").values_list("amount", flat=True))


def test_the_page_asks_with_everything_that_matters(cashier: Client) -> None:
    checkout = make_checkout(
        ProviderStatus.SUCCEEDED,
        refunded_amount=Decimal("500.50"),
        kind=OrderKind.APPOINTMENT,
        appointment_type_id=uuid4(),
        scheduled_at=datetime(2026, 12, 1, 12, 0, tzinfo=UTC),
    )
    response = cashier.get(page_of(checkout.pk, "refund"))
    shown = text(response)
    for piece in (
        *("parent@example.org", "Оплачено 4 500,00 ₽", "Можно вернуть 3 999,50 ₽", "Что получил клиент ничего"),
        *("Заказано Консультация, 01.12.2026 15:00", "Консультация или пакет останутся как есть"),
    ):
        assert piece in shown
    assert 'value="3999,50"' in response.content.decode()
    assert (Refund.objects.count(), queued_checks()) == (0, [])


def test_a_refund_is_requested_sent_and_seen_through(cashier: Client, shop: YooKassaServer) -> None:
    checkout = start_payment()
    shop.succeed(str(checkout.external_id))
    Payment.objects.filter(pk=checkout.pk).update(status=PaymentStatus.COMPLETED)
    Checkout.objects.filter(pk=checkout.pk).update(provider_status=ProviderStatus.SUCCEEDED)
    page = cashier.get(page_of(checkout.pk, "refund")).content.decode()
    once = re.search(r'name="once" value="([^"]+)"', page)
    assert once is not None
    response = cashier.post(page_of(checkout.pk, "refund"), form(once=once[1]), follow=True)
    assert messages_of(response)[0].startswith("Возврат 4\N{NO-BREAK SPACE}500,00\N{NO-BREAK SPACE}₽ отправляется")
    refund = Refund.objects.get()
    actor = int(cashier.session["_auth_user_id"])
    assert (str(refund.pk), refund.reason, refund.requested_by_id) == (once[1], "Клиент заболел", actor)
    assert queued_checks() == [{"payment_id": str(checkout.pk), "action": "refund"}]
    event = PaymentEvent.objects.get(kind=EventKind.REFUND_REQUESTED)
    assert (event.door, event.actor_id) == (Door.STAFF, actor)
    assert "Запрошен возврат" in LogEntry.objects.get().get_change_message()

    work_off()
    refund.refresh_from_db()
    assert (refund.status, Payment.objects.get().status) == (RefundStatus.SUCCEEDED, PaymentStatus.REFUNDED)


def test_a_form_that_is_sent_twice_refunds_once(cashier: Client) -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    sent = form("1000,00")
    cashier.post(page_of(checkout.pk, "refund"), sent, follow=True)
    response = cashier.post(page_of(checkout.pk, "refund"), sent, follow=True)
    assert messages_of(response)[0].startswith("Эта форма уже отправлена")
    changed = cashier.post(page_of(checkout.pk, "refund"), {**sent, "amount": "2000"}, follow=True)
    assert messages_of(changed)[0].startswith("Эта форма уже отправлена")
    assert (amounts(), len(queued_checks()), LogEntry.objects.count()) == ([Decimal(1000)], 1, 1)


def test_a_double_click_refunds_once(cashier: Client) -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    sent, clicks, statuses = form("1000,00"), threading.Barrier(4), []

    def click() -> None:
        browser = Client()
        browser.cookies = cashier.cookies
        clicks.wait(timeout=30)
        statuses.append(browser.post(page_of(checkout.pk, "refund"), sent).status_code)
        connection.close()

    threads = [threading.Thread(target=click) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert (statuses, amounts(), len(queued_checks())) == ([302] * 4, [Decimal(1000)], 1)


def test_two_people_never_refund_more_than_was_paid(cashier: Client) -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    colleague = staff_with(*LOOK, REFUND, username="colleague")
    cashier.post(page_of(checkout.pk, "refund"), form("3000"), follow=True)
    response = colleague.post(page_of(checkout.pk, "refund"), form("3000"))
    assert "Сейчас можно вернуть не больше 1 500,00 ₽." in text(response)
    assert amounts() == [Decimal(3000)]
    colleague.post(page_of(checkout.pk, "refund"), form("1 500,00"))
    assert amounts() == [Decimal(3000), Decimal(1500)]
    assert messages_of(cashier.get(page_of(checkout.pk, "refund"), follow=True)) == [
        "По этому платежу возвращать больше нечего."
    ]


# What is no amount, or none that can be refunded.
WRONG = (
    *("0", "-5", "0,001", "1.500", "NaN", "Infinity", "1e3000", "сто", ""),
    *("4500,01", "1_0", "1e1", "١", "+5", "1,500.00"),
)


def test_an_amount_that_cannot_be_is_refused(cashier: Client, subtests: pytest.Subtests) -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    for amount in WRONG:
        with subtests.test(amount):
            response = cashier.post(page_of(checkout.pk, "refund"), form(amount))
            assert response.status_code == 200
            assert response.context["form"].errors["amount"]
            assert (amounts(), queued_checks()) == ([], [])


def test_amounts_may_be_typed_as_people_do(cashier: Client, subtests: pytest.Subtests) -> None:
    for typed, meant in (
        *(("4 500,00", "4500"), ("1500.50", "1500.50"), ("0,01", "0.01")),
        *(("1\u2009500,5", "1500.50"), ("1\u00a0500,00\u00a0₽", "1500")),
    ):
        with subtests.test(typed):
            checkout = make_checkout(ProviderStatus.SUCCEEDED)
            cashier.post(page_of(checkout.pk, "refund"), form(typed))
            assert Refund.objects.get(payment_id=checkout.pk).amount == Decimal(meant)
            assert Refund.objects.count() == Checkout.objects.count()


def test_the_request_names_every_amount_with_its_kopecks(cashier: Client) -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    cashier.post(page_of(checkout.pk, "refund"), form("1500"))
    body = Refund.objects.get().request_body
    assert body is not None
    assert body["amount"] == {"value": "1500.00", "currency": "RUB"}


def test_a_refund_needs_a_reason_and_the_pages_own_key(cashier: Client) -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    for wrong in (form(reason=" "), form(reason="x" * 251), form(once="not-a-uuid")):
        assert cashier.post(page_of(checkout.pk, "refund"), wrong).status_code == 200
    assert amounts() == []


@pytest.mark.parametrize("status", [ProviderStatus.PENDING, ProviderStatus.CANCELED, ProviderStatus.REJECTED])
def test_what_was_not_paid_is_not_refunded(cashier: Client, status: ProviderStatus) -> None:
    checkout = make_checkout(status)
    Payment.objects.filter(pk=checkout.pk).update(status=PaymentStatus.COMPLETED)
    assert "Вернуть…" not in text(cashier.get(page_of(checkout.pk)))
    assert cashier.get(page_of(checkout.pk, "refund")).status_code == 302
    assert "Сейчас можно вернуть не больше 0,00 ₽." in text(cashier.post(page_of(checkout.pk, "refund"), form()))
    assert amounts() == []


def test_what_was_never_started_is_not_refunded_and_the_form_says_why(cashier: Client) -> None:
    shown = text(cashier.post(page_of(make_payment().pk, "refund"), form()))
    assert "В ЮKassa этот платёж не создавали" in shown
    assert (Refund.objects.count(), queued_checks()) == (0, [])


def test_who_may_check_may_not_refund() -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    checker = staff_with(*LOOK, CHECK)
    assert "Вернуть…" not in text(checker.get(page_of(checkout.pk)))
    assert checker.get(page_of(checkout.pk, "refund")).status_code == 403
    assert checker.post(page_of(checkout.pk, "refund"), form()).status_code == 403
    assert amounts() == []


def test_refunds_can_be_looked_through(cashier: Client) -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    cashier.post(page_of(checkout.pk, "refund"), form("1000"))
    refund = Refund.objects.get()
    for query in ("", "?q=parent@", f"?q={refund.pk}", f"?q={checkout.pk}", "?status__exact=requested"):
        assert "1 000,00 ₽" in text(cashier.get(REFUNDS + query))
    page = text(cashier.get(f"{REFUNDS}{refund.pk}/change/"))
    assert "Клиент заболел" in page
    assert str(checkout.pk) in page
    assert cashier.post(f"{REFUNDS}{refund.pk}/change/", {"amount": "1"}).status_code == 403


def without_contact(checkout: Checkout) -> Checkout:
    """A payment of the system before us, of a customer who has neither an address nor a telephone number."""
    Checkout.objects.filter(pk=checkout.pk).update(request_body=None)
    User.objects.filter(pk=checkout.user_id).update(email=None, phone=None)
    return checkout


def test_the_page_says_where_a_part_can_have_no_fiscal_receipt_and_asks_for_a_word(cashier: Client) -> None:
    checkout = without_contact(make_checkout(ProviderStatus.SUCCEEDED))
    address = page_of(checkout.pk, "refund")
    assert "Часть суммы можно вернуть только без кассового чека" in text(cashier.get(address))
    refused = text(cashier.post(address, form("1000,00")))
    assert "нужен кассовый чек, а отправить его некому" in refused
    assert amounts() == []
    assert cashier.post(address, form("1000,00") | {"by_hand": "on"}).status_code == 302
    assert amounts() == [Decimal("1000.00")]
    assert [mark.reason for mark in open_marks(checkout.pk)] == [Attention.REFUND_RECEIPT_MISSING]
    assert "Оформите чек возврата вручную" in text(cashier.get(page_of(checkout.pk)))


def test_the_whole_sum_needs_no_word_about_the_receipt(cashier: Client) -> None:
    checkout = without_contact(make_checkout(ProviderStatus.SUCCEEDED))
    assert cashier.post(page_of(checkout.pk, "refund"), form()).status_code == 302
    assert amounts() == [Decimal("4500.00")]
    assert open_marks(checkout.pk) == []


def test_who_can_get_a_receipt_is_not_asked_about_it(cashier: Client) -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    shown = cashier.get(page_of(checkout.pk, "refund")).content.decode()
    assert "by_hand" not in shown
    assert "без кассового чека" not in shown


def test_the_state_of_a_refunds_receipt_is_shown(cashier: Client) -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    refund = Refund.objects.create(
        payment_id=checkout.pk,
        external_id="2f-refund",
        amount=Decimal(1),
        status=RefundStatus.SUCCEEDED,
        receipt_registration="canceled",
    )
    assert "Кассовый чек: не зарегистрирован" in text(cashier.get(page_of(checkout.pk)))
    assert "не зарегистрирован" in text(cashier.get(f"{REFUNDS}{refund.pk}/change/"))
