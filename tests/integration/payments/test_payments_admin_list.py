"""The list of payments as staff see it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from payments.models import AppointmentType, Checkout, Payment, ProviderNotification, Refund, User
from payments.states import Attention, OrderKind, PaymentStatus, ProviderStatus, RefundStatus
from tests.support.checkouts import make_checkout, make_payment
from tests.support.payment_pages import LIST, LOOK, NOTIFICATIONS, REFUNDS, looked_up, page_of, staff_with, text

pytestmark = pytest.mark.usefixtures("database")

MOST_QUERIES = 10
# What is searched for is looked up in each table that may know it, beforehand.
MOST_LOOK_UPS = 7
NBSP = "\N{NO-BREAK SPACE}"


@pytest.fixture
def support() -> Client:
    return staff_with(*LOOK)


def found(client: Client, query: str) -> set[UUID]:
    return {payment.pk for payment in looked_up(client, LIST + query).queryset}


def make_old(payment_id: UUID, age: timedelta = timedelta(hours=1)) -> None:
    Payment.objects.filter(pk=payment_id).update(created_at=timezone.now() - age)


def marked(**fields: Any) -> Checkout:
    return make_checkout(
        ProviderStatus.SUCCEEDED, attention=Attention.SLOT_TAKEN, attention_since=timezone.now(), **fields
    )


def test_every_filter_and_every_name_has_its_page(support: Client) -> None:
    """Below, what they find is looked up and not drawn."""
    marked(test=True, kind=OrderKind.PACKAGE, package_id=uuid4())
    make_payment()
    filters = ("attention=slot_taken", "attention=mismatch", "attention=nonsense", "test=yes", "test=no")
    kinds = tuple(f"kind={kind}" for kind in OrderKind)
    statuses = tuple(f"status={status}" for status in PaymentStatus)
    for query in (*filters, *kinds, *statuses, "stuck=yes", "q=ba4f0383"):
        assert 'id="changelist"' in support.get(f"{LIST}?{query}").content.decode(), query


def test_a_line_says_what_was_paid_by_whom_for_what_and_how(support: Client) -> None:
    kind = AppointmentType.objects.create(name="Семейная сессия", duration_minutes=90, price=Decimal(4500))
    checkout = make_checkout(
        ProviderStatus.SUCCEEDED,
        kind=OrderKind.APPOINTMENT,
        appointment_type_id=kind.pk,
        scheduled_at=datetime(2026, 11, 25, 11, 30, tzinfo=UTC),
        method_type="bank_card",
        method_title="Bank card *4477",
        refunded_amount=Decimal(1000),
        test=True,
        attention=Attention.SLOT_TAKEN,
        attention_since=timezone.now(),
    )
    Payment.objects.filter(pk=checkout.pk).update(created_at=datetime(2026, 11, 23, 6, 5, tzinfo=UTC))
    response = support.get(LIST)
    shown = text(response)
    for piece in (
        *("оплачен", "ТЕСТ", "внимание", "4 500,00 ₽", "возвращено 1 000,00 ₽", "parent@example.org"),
        *("Семейная сессия", "25.11.2026 14:30", "банковская карта *4477", "23.11.2026 09:05"),
    ):
        assert piece in shown
    assert f"4{NBSP}500,00{NBSP}₽" in response.content.decode()


def test_the_badge_shows_what_the_provider_said_and_not_what_somebody_wrote(support: Client) -> None:
    checkout = make_checkout(ProviderStatus.PENDING)
    Payment.objects.filter(pk=checkout.pk).update(status=PaymentStatus.COMPLETED)
    assert "ждёт оплаты" in support.get(LIST).content.decode().split('id="result_list"')[1]
    assert found(support, "?status=processing") == {checkout.pk}
    assert found(support, "?status=completed") == set()


def test_a_status_that_was_never_checked_looks_unproven(support: Client) -> None:
    make_payment(status=PaymentStatus.COMPLETED)
    response = support.get(LIST)
    assert "оплачен не подтверждён" in text(response)
    assert "staff-good" not in response.content.decode()
    make_checkout(ProviderStatus.SUCCEEDED)
    html = support.get(LIST).content.decode()
    assert (html.count("staff-good"), html.count("staff-unproven")) == (1, 1)


def test_every_status_finds_its_payments_and_no_others(support: Client) -> None:
    shown = {
        PaymentStatus.PENDING: {make_checkout(external_id=None).pk, make_payment().pk},
        PaymentStatus.PROCESSING: {
            make_checkout(ProviderStatus.PENDING).pk,
            make_checkout(ProviderStatus.WAITING_FOR_CAPTURE).pk,
        },
        PaymentStatus.COMPLETED: {
            make_checkout(ProviderStatus.SUCCEEDED).pk,
            make_checkout(ProviderStatus.SUCCEEDED, refunded_amount=Decimal(100)).pk,
            make_payment(status=PaymentStatus.COMPLETED).pk,
        },
        PaymentStatus.FAILED: {make_checkout(ProviderStatus.CANCELED).pk},
        PaymentStatus.CANCELLED: {make_checkout(ProviderStatus.REJECTED).pk},
        PaymentStatus.REFUNDED: {make_checkout(ProviderStatus.SUCCEEDED, refunded_amount=Decimal(4500)).pk},
    }
    assert {status: found(support, f"?status={status}") for status in PaymentStatus} == shown


def test_staff_find_what_needs_them(support: Client) -> None:
    calm, wanted = make_checkout(ProviderStatus.SUCCEEDED), marked()
    assert found(support, "?attention=any") == found(support, "?attention=slot_taken") == {wanted.pk}
    assert found(support, "?attention=mismatch") == set()
    assert found(support, "?attention=nonsense") == {calm.pk, wanted.pk}


def test_what_waits_for_more_than_a_quarter_of_an_hour_is_stuck(support: Client) -> None:
    stuck = [
        make_checkout(ProviderStatus.PENDING),
        make_checkout(ProviderStatus.WAITING_FOR_CAPTURE),
        make_checkout(external_id=None),
        make_payment(),
    ]
    ended = [make_checkout(ProviderStatus.SUCCEEDED), make_checkout(ProviderStatus.CANCELED)]
    for row in (*stuck, *ended):
        make_old(row.pk)
    make_checkout(ProviderStatus.PENDING)
    make_payment()
    assert found(support, "?stuck=yes") == {row.pk for row in stuck}


def test_test_payments_and_kinds_can_be_told_apart(support: Client) -> None:
    real = make_checkout(ProviderStatus.SUCCEEDED, kind=OrderKind.PACKAGE, package_id=uuid4())
    test = make_checkout(ProviderStatus.SUCCEEDED, test=True, kind=OrderKind.APPOINTMENT, appointment_type_id=uuid4())
    row = make_payment(metadata={"type": "appointment"})
    assert found(support, "?test=yes") == {test.pk}
    assert found(support, "?test=no") == {real.pk, row.pk}
    assert found(support, "?kind=package") == {real.pk}
    assert found(support, "?kind=appointment") == {test.pk, row.pk}


def test_a_payment_is_found_by_every_name_it_has(support: Client) -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED, external_id="2f8e0001-000f-5000-9000-1b68e7b15f3f")
    User.objects.filter(pk=checkout.user_id).update(email="anna.sokolova@example.org")
    refund = Refund.objects.create(
        payment_id=checkout.pk, amount=Decimal(100), status=RefundStatus.SUCCEEDED, external_id="2f8e-refund"
    )
    make_checkout()
    names = (checkout.pk, checkout.external_id, "sokolova@", refund.pk, "2f8e-refund", checkout.user_id)
    assert [found(support, f"?q={name}") for name in names] == [{checkout.pk}] * len(names)


def test_the_order_number_that_the_client_sees_finds_the_payment(support: Client, subtests: pytest.Subtests) -> None:
    row = make_payment(pk=UUID("ba4f0383-ffff-4fff-bfff-ffffffffffff"))
    make_payment(pk=UUID("ba4f0384-0000-4000-8000-000000000000"))
    refund = Refund.objects.create(payment_id=row.pk, amount=Decimal(1), request_body={})
    told = ProviderNotification.objects.create(address="185.71.76.1", trusted=True, payment_id=row.pk, body="{}")
    spellings = ("ba4f0383", "BA4F0383", "№ ba4f0383", "№ba4f0383", "Заказ № ba4f0383", " ba4f0383… ", "ba4f0383...")
    for written, (address, pk) in product(spellings, ((LIST, row.pk), (REFUNDS, refund.pk), (NOTIFICATIONS, told.pk))):
        with subtests.test(address, written=written):
            assert [one.pk for one in looked_up(support, address, {"q": written}).queryset] == [pk]


def test_an_address_that_looks_like_an_order_number_is_found_as_well(support: Client) -> None:
    checkout = make_checkout()
    User.objects.filter(pk=checkout.user_id).update(email="12345678@example.org")
    assert found(support, "?q=12345678") == {checkout.pk}


def test_an_address_breaks_after_its_at_sign_and_dots_only(support: Client) -> None:
    checkout = make_checkout()
    User.objects.filter(pk=checkout.user_id).update(email="anna.<i>@demo.example")
    assert "anna.<wbr>&lt;i&gt;@<wbr>demo.<wbr>example" in support.get(LIST).content.decode()


def test_any_text_can_be_searched_for(support: Client, subtests: pytest.Subtests) -> None:
    make_checkout()
    texts = ("%01", "'", "%25", "x" * 3000, "123e4567", "{%7D", "№ 7", "%F0%9F%A6%A6", "1 2 3")
    for words, address in product(texts, (LIST, REFUNDS, NOTIFICATIONS)):
        with subtests.test(address, words=words[:20]):
            assert support.get(f"{address}?q={words}").status_code == 200


def test_the_list_costs_the_same_number_of_queries_however_long_it_is(support: Client) -> None:
    make_checkout(ProviderStatus.SUCCEEDED)
    few = queries_by_page(support)
    for _ in range(5):
        marked(test=True)
        make_payment()
    assert queries_by_page(support) == few
    for query, count in few.items():
        assert count <= MOST_QUERIES + (MOST_LOOK_UPS if "q=" in query else 0)


def queries_by_page(client: Client) -> dict[str, int]:
    counts = {}
    for query in ("", "?status=completed", "?attention=any", "?stuck=yes", "?q=parent", f"?q={UUID(int=7)}"):
        with CaptureQueriesContext(connection) as queries:
            assert client.get(LIST + query).status_code == 200
        counts[query] = len(queries)
    return counts


def test_nothing_can_be_added_deleted_or_edited(support: Client) -> None:
    checkout = make_checkout()
    assert support.get(f"{LIST}add/").status_code == 403
    assert support.post(f"{LIST}{checkout.pk}/delete/").status_code == 403
    assert support.post(page_of(checkout.pk), {"amount": "1"}).status_code == 403
    support.post(LIST, {"action": "delete_selected", "_selected_action": [str(checkout.pk)], "post": "yes"})
    assert Payment.objects.get().amount == Decimal("4500.00")


def test_who_may_not_look_sees_nothing() -> None:
    checkout, nobody = make_checkout(), staff_with()
    for address in (LIST, page_of(checkout.pk), REFUNDS, NOTIFICATIONS, f"{LIST}revenue/"):
        assert Client().get(address).status_code == 302
        assert nobody.get(address).status_code == 403
    for action in ("refund", "compare"):
        assert nobody.get(page_of(checkout.pk, action)).status_code == 403


def test_pages_load_nothing_from_elsewhere_and_need_no_inline_code(support: Client) -> None:
    checkout = marked()
    for address in (LIST, page_of(checkout.pk), f"{LIST}revenue/"):
        html = support.get(address).content.decode()
        for foreign in ('src="http', 'href="http', 'src="//', 'href="//', " style=", " onclick="):
            assert foreign not in html
