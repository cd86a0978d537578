"""Whether a call means a purchase that was begun already: the front end's own row, or a payment that waits."""

import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from payments.models import Checkout, Payment, PaymentEvent
from payments.states import EventKind, PaymentStatus
from sandbox.yookassa import YooKassaServer
from tests.support.payment_calls import Catalogue, Customer, at_once, at_yookassa, tomorrow

pytestmark = pytest.mark.usefixtures("database", "yookassa")


def test_the_front_ends_own_row_becomes_the_payment(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    metadata = catalogue.booking()
    row = customer.inserts_row(metadata)
    answer = customer.create(metadata)
    assert answer.body["payment_id"] == str(row.pk)
    row = Payment.objects.get()
    assert (row.status, row.external_payment_id) == (PaymentStatus.PROCESSING, at_yookassa(yookassa)[0]["id"])
    assert row.payment_method == "yookassa"
    assert customer.verify(row.pk).body["status"] == "processing"
    assert PaymentEvent.objects.get(kind=EventKind.CREATED).data["adopted"] is True


def test_the_order_is_compared_and_not_its_text(customer: Customer, catalogue: Catalogue) -> None:
    start = tomorrow()
    written = {"scheduled_at": start.isoformat(), "type": "appointment", "title": "Консультация"}
    row = customer.inserts_row({**written, "appointment_type_id": str(catalogue.consultation.pk).upper()})
    answer = customer.create(catalogue.booking(start, profile_id=None))
    assert answer.body["payment_id"] == str(row.pk)


def test_the_newest_of_several_rows_is_taken_and_each_only_once(customer: Customer, catalogue: Catalogue) -> None:
    old = customer.inserts_row(catalogue.bundle(), created_at=timezone.now() - timedelta(minutes=5))
    new = customer.inserts_row(catalogue.bundle())
    taken = [customer.create(catalogue.bundle()).body["payment_id"] for _ in range(3)]
    # The third finds no row any more, and the newest payment that waits.
    assert taken == [str(new.pk), str(old.pk), str(old.pk)]


@pytest.mark.parametrize(
    "difference",
    [
        {"amount": Decimal("4500.01")},
        {"currency": "USD"},
        {"status": "completed"},
        {"external_payment_id": "2f-somebodys"},
        {"created_at": Now() - timedelta(minutes=31)},
        {"metadata": {"type": "package", "package_id": str(uuid.uuid4())}},
        {"metadata": {"type": "package"}},
        {"metadata": None},
        {"metadata": ["package"]},
    ],
)
def test_a_row_that_differs_stays_what_it_is(
    customer: Customer, catalogue: Catalogue, difference: dict[str, Any]
) -> None:
    row = customer.inserts_row(**({"metadata": catalogue.bundle()} | difference))
    before = Payment.objects.filter(pk=row.pk).values().get()
    answer = customer.create(catalogue.bundle())
    assert answer.status == 200
    assert answer.body["payment_id"] != str(row.pk)
    assert Payment.objects.filter(pk=row.pk).values().get() == before


def test_somebody_elses_row_is_not_adopted(customer: Customer, catalogue: Catalogue) -> None:
    theirs = Customer().inserts_row(catalogue.bundle())
    assert customer.create(catalogue.bundle()).body["payment_id"] != str(theirs.pk)
    theirs.refresh_from_db()
    assert theirs.status == PaymentStatus.PENDING


def test_clicks_at_once_with_a_row_each_get_a_payment_each(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    rows = {str(customer.inserts_row(catalogue.bundle()).pk) for _ in range(3)}
    answers = at_once(3, lambda: customer.create(catalogue.bundle()))
    assert {answer.body["payment_id"] for answer in answers} == rows
    assert len(at_yookassa(yookassa)) == 3


def test_a_repeated_call_gets_the_payment_that_still_waits_at_yookassa(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    first = customer.create(catalogue.bundle())
    assert customer.create(catalogue.bundle()).body == first.body
    assert [call.method for call in yookassa.requests] == ["POST", "GET"]
    assert Payment.objects.count() == 1


def test_another_order_is_another_payment(customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer) -> None:
    starts = tomorrow(), tomorrow() + timedelta(hours=1)
    ids = {customer.create(catalogue.booking(start)).body["payment_id"] for start in starts}
    child = customer.child()
    ids.add(customer.create(catalogue.booking(starts[0], profile_id=str(child.pk))).body["payment_id"])
    assert len(ids) == len(at_yookassa(yookassa)) == 3


def test_after_a_quarter_of_an_hour_the_same_order_is_a_new_purchase(customer: Customer, catalogue: Catalogue) -> None:
    first = customer.create(catalogue.bundle())
    Checkout.objects.update(created_at=timezone.now() - timedelta(minutes=16))
    assert customer.create(catalogue.bundle()).body["payment_id"] != first.body["payment_id"]


def test_a_payment_that_is_over_is_not_reused(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    first = customer.create(catalogue.bundle()).body["payment_id"]
    yookassa.decline(at_yookassa(yookassa)[0]["id"])
    assert customer.verify(first).body["status"] == "failed"
    second = customer.create(catalogue.bundle())
    assert second.status == 200
    assert second.body["payment_id"] != first
