"""Which payment answers for a row that nothing was started under: one of the same purchase, and nobody else's."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from payments.buying.adoption import find_started
from payments.buying.create import check_whether_over
from payments.checking.sync import sync_payment
from payments.models import Checkout, Payment, Profile
from payments.states import Door
from sandbox.yookassa import YooKassaServer
from tests.support.payment_calls import Catalogue, Customer
from tests.support.payment_deliveries import create_at_yookassa, paid

pytestmark = pytest.mark.usefixtures("database", "yookassa")

LATER = timedelta(minutes=31)


def ours(customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer) -> Payment:
    """A package that was paid here."""
    checkout = paid(yookassa, customer.create(catalogue.bundle()))
    return sync_payment(checkout.pk, door=Door.WEBHOOK)


def older(customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer) -> Payment:
    """One that was started by the system before us, which nobody has looked at since."""
    row = customer.inserts_row(catalogue.bundle())
    made = create_at_yookassa({"payment_id": str(row.pk)})
    yookassa.succeed(made.id)
    Payment.objects.filter(pk=row.pk).update(external_payment_id=made.id)
    return row


STARTED = pytest.mark.parametrize("start", [ours, older])
Start = Callable[[Customer, Catalogue, YooKassaServer], Payment]


@STARTED
def test_the_payment_of_the_same_purchase_answers(
    start: Start, customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    started = start(customer, catalogue, yookassa)
    row = customer.inserts_row(catalogue.bundle())
    assert find_started(row) == started
    assert customer.verify(row.pk).body["status"] == "completed"


@STARTED
def test_a_payment_of_anything_else_is_no_answer(
    start: Start, customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    start(customer, catalogue, yookassa)
    rows = {
        "somebody else's": Customer().inserts_row(catalogue.bundle()),
        "another order": customer.inserts_row(catalogue.booking()),
        "no order": customer.inserts_row({"type": "package"}),
        "another amount": customer.inserts_row(catalogue.bundle(), Decimal("9000.00")),
        "of another hour": customer.inserts_row(catalogue.bundle(), created_at=timezone.now() - LATER),
        "of no time": customer.inserts_row(catalogue.bundle(), created_at=None),
    }
    found = {name: find_started(Payment.objects.get(pk=row.pk)) for name, row in rows.items()}
    assert found == dict.fromkeys(rows)
    assert customer.verify(rows["another order"].pk).body["status"] == "pending"


def test_a_row_that_nothing_was_started_under_answers_for_no_other(customer: Customer, catalogue: Catalogue) -> None:
    rows = [customer.inserts_row(catalogue.bundle()) for _ in range(2)]
    assert [find_started(row) for row in rows] == [None, None]


def test_the_nearest_of_several_answers(customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer) -> None:
    first, second = (older(customer, catalogue, yookassa) for _ in range(2))
    Payment.objects.filter(pk=first.pk).update(created_at=timezone.now() - timedelta(minutes=10))
    row = customer.inserts_row(catalogue.bundle(), created_at=timezone.now() - timedelta(minutes=9))
    assert find_started(Payment.objects.get(pk=row.pk)) == first
    assert find_started(customer.inserts_row(catalogue.bundle())) == second


def test_a_form_is_over_by_its_own_payment_and_not_by_another(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    open_one = customer.create(catalogue.booking()).body["payment_id"]
    declined = customer.create(catalogue.bundle()).body["payment_id"]
    yookassa.decline(str(Checkout.objects.get(pk=declined).external_id))
    sync_payment(Checkout.objects.get(pk=declined).pk, door=Door.WEBHOOK)
    asked = len(yookassa.requests)
    assert check_whether_over(Checkout.objects.get(pk=declined).pk)
    # That was known, so nobody is asked.
    assert len(yookassa.requests) == asked
    assert not check_whether_over(Checkout.objects.get(pk=open_one).pk)
    # What is paid into it would not reach a row of somebody else's.
    Payment.objects.filter(pk=open_one).update(user=Customer().user)
    assert check_whether_over(Checkout.objects.get(pk=open_one).pk)


def test_a_row_for_another_child_is_another_purchase(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    children: list[Profile] = [customer.child(), customer.child()]
    bookings = [catalogue.booking(profile_id=str(child.pk)) for child in children]
    checkout = paid(yookassa, customer.create(bookings[0]))
    rows = [customer.inserts_row(booking) for booking in bookings]
    assert [found and found.pk for found in map(find_started, rows)] == [checkout.pk, None]
