"""A payment that was begun before the switch ends well after it, in whatever order the page and the news come.

The system before us made a second row beside the one that the page inserts, and put its id into YooKassa's payment. The
page asks about its own row, or about what it was told, and inserts a booking of its own whatever the answer says.
"""

import itertools
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from django.db import connection

from payments.models import Appointment, Checkout, Fulfilment, PackagePurchase, Payment
from payments.queue import QUEUE
from payments.states import Attention, PaymentStatus
from sandbox.yookassa import YooKassaServer
from tests.support.bookings import Clock, let_wait_pass, now_in_database
from tests.support.checkouts import make_customer
from tests.support.payment_calls import Catalogue, Customer, tomorrow
from tests.support.payment_deliveries import create_at_yookassa, work_off

pytestmark = pytest.mark.usefixtures("wait_as_in_production")


@dataclass
class Begun:
    """What stands there when we come: the page's row, the row of the system before us, and YooKassa's payment."""

    customer: Customer
    own: Payment
    theirs: Payment
    external_id: str


def begin(customer: Customer, metadata: dict[str, object], *, named: bool = True) -> Begun:
    own = customer.inserts_row(metadata)
    theirs = customer.inserts_row(metadata)
    made = create_at_yookassa({"payment_id": str(theirs.pk)} if named else {})
    Payment.objects.filter(pk=theirs.pk).update(external_payment_id=made.id, status="processing")
    return Begun(customer, own, theirs, made.id)


def ask(begun: Begun, about: str) -> str:
    ids: dict[str, object] = {"own": begun.own.pk, "theirs": begun.theirs.pk, "external": begun.external_id}
    return str(begun.customer.verify(ids[about]).body.get("status"))


def tell_by_queue(begun: Begun, action: str) -> None:
    """A message that the system before us, or Supabase's cron, left in the queue."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pgmq.send(%s, jsonb_build_object('payment_id', %s::text, 'action', %s::text))",
            [QUEUE, str(begun.theirs.pk), action],
        )
    work_off()


def assert_one_consultation(begun: Begun) -> None:
    [booked] = Appointment.objects.filter(user_id=begun.customer.id)
    assert (booked.payment_id, booked.status) == (begun.theirs.pk, "scheduled")
    assert Payment.objects.get(pk=begun.theirs.pk).status == PaymentStatus.COMPLETED
    assert Fulfilment.objects.get(pk=begun.theirs.pk).appointment_id == booked.pk
    checkout = Checkout.objects.get(pk=begun.theirs.pk)
    assert (checkout.attention, checkout.held_at) == ("", None)


ORDERS = [*itertools.permutations(("told", "asks", "books")), ("asks", "books"), ("told", "books"), ("asks",)]


def play(
    begun: Begun,
    catalogue: Catalogue,
    yookassa: YooKassaServer,
    start: datetime,
    order: Iterable[str],
    about: str,
    clock: Clock,
) -> None:
    """The page asks once while nothing is paid, and then everything comes in this order."""
    assert ask(begun, about) == "processing"
    clock.tick(10)
    yookassa.succeed(begun.external_id)
    for step in order:
        if step == "told":
            tell_by_queue(begun, "verify")
        elif step == "asks":
            assert ask(begun, about) == "completed", order
        else:
            begun.customer.books(catalogue.consultation, start)
        clock.tick(10)
    let_wait_pass(clock)


@pytest.mark.parametrize(("about", "orders"), [("own", ORDERS), ("theirs", ORDERS[::3]), ("external", ORDERS[1::3])])
def test_every_order_ends_in_one_consultation(
    catalogue: Catalogue, yookassa: YooKassaServer, clock: Clock, about: str, orders: list[tuple[str, ...]]
) -> None:
    for number, order in enumerate(orders):
        clock.move_to(now_in_database())
        start = tomorrow() + timedelta(hours=number)
        begun = begin(Customer(make_customer(f"{uuid.uuid4().hex}@example.org")), catalogue.booking(start))
        play(begun, catalogue, yookassa, start, order, about, clock)
        assert_one_consultation(begun)


def test_what_yookassa_names_nobody_for_is_shown_to_staff_and_makes_no_second_booking(
    catalogue: Catalogue, yookassa: YooKassaServer, clock: Clock, customer: Customer
) -> None:
    begun, start = begin(customer, catalogue.booking(), named=False), tomorrow()
    play(begun, catalogue, yookassa, start, ("told", "books", "asks"), "own", clock)
    checkout = Checkout.objects.get(pk=begun.theirs.pk)
    assert (checkout.attention, Payment.objects.get(pk=checkout.pk).status) == (Attention.NOT_FULFILLED, "completed")
    assert [row.payment_id for row in Appointment.objects.filter(user_id=customer.id)] == [None]


@pytest.mark.parametrize("about", ["own", "theirs", "external"])
def test_a_package_is_given_once(
    catalogue: Catalogue, yookassa: YooKassaServer, customer: Customer, about: str
) -> None:
    begun = begin(customer, catalogue.bundle())
    yookassa.succeed(begun.external_id)
    assert ask(begun, about) == "completed"
    tell_by_queue(begun, "update_status")
    assert [row.payment_id for row in PackagePurchase.objects.all()] == [begun.theirs.pk]


@pytest.mark.parametrize("about", ["own", "theirs", "external"])
def test_one_that_was_declined_is_no_more_than_that(
    catalogue: Catalogue, yookassa: YooKassaServer, customer: Customer, about: str
) -> None:
    begun = begin(customer, catalogue.booking())
    yookassa.decline(begun.external_id)
    assert ask(begun, about) == "failed"
    assert not Appointment.objects.exists()


def test_what_yookassa_calls_a_payment_opens_nobody_elses(
    catalogue: Catalogue, yookassa: YooKassaServer, customer: Customer
) -> None:
    begun = begin(customer, catalogue.booking())
    yookassa.succeed(begun.external_id)
    stranger = Customer(make_customer("stranger@example.org"))
    assert stranger.verify(begun.external_id).status == 404
    assert not Appointment.objects.exists()
