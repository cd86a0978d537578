"""Customers who buy one consultation through the front end, and what is left of it in the end."""

import itertools
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from payments import tasks
from payments.checking.sync import sync_payment
from payments.models import Appointment, Checkout, Fulfilment, Payment
from payments.states import Door
from sandbox.frontend import Order, Step, Visit, as_the_clock_has_it
from sandbox.yookassa import YooKassaServer
from tests.support.checkouts import make_customer
from tests.support.front_ends import visit_of
from tests.support.payment_calls import Catalogue, Customer, tomorrow

Clock = Any  # freezegun's, which its stubs name differently for each way of freezing.

PAID = (Step.ROW, Step.CREATE, Step.PAID, Step.VERIFY)
# As in production.
WAIT = 90
_hours = itertools.count(24)


@dataclass
class Buyer:
    """`start` is the minute that was picked."""

    customer: Customer
    visit: Visit
    start: datetime

    @property
    def checkout(self) -> Checkout:
        return Checkout.objects.get(pk=uuid.UUID(self.visit.payments[-1]))

    @property
    def rows(self) -> list[Appointment]:
        return list(Appointment.objects.filter(user_id=self.customer.id).order_by("created_at", "pk"))

    def play(self, *steps: Step) -> "Buyer":
        self.visit.play(steps)
        return self

    def only_booking(self) -> Appointment:
        """The one booking in the end, linked to the payment, and nothing that waits or asks for a person."""
        [booked] = self.rows
        checkout = self.checkout
        assert (booked.payment_id, booked.status) == (checkout.pk, "scheduled")
        assert Payment.objects.get(pk=checkout.pk).status == "completed"
        assert Fulfilment.objects.get(pk=checkout.pk).appointment_id == booked.pk
        assert (checkout.give_at, checkout.held_at, checkout.attention) == (None, None, "")
        return booked

    def confirmations(self) -> int:
        """How many mails about a booking Supabase's triggers have queued for this customer."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pgmq.q_email_queue WHERE message ->> 'template' = 'appointment_confirmation'"
                " AND message ->> 'to' = %s",
                [self.customer.user.email],
            )
            return int(cursor.fetchone()[0])


def buyer(catalogue: Catalogue, yookassa: YooKassaServer, start: datetime | None = None, **more: Any) -> Buyer:
    """Somebody new, at the front end; without a `start` for a time that nobody else has."""
    start = start or tomorrow() + timedelta(hours=next(_hours))
    customer = Customer(make_customer(f"{uuid.uuid4().hex}@example.org"))
    return again(customer, catalogue, yookassa, start, **more)


def again(customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer, start: datetime, **more: Any) -> Buyer:
    """The same customer in another tab."""
    order = Order.new_consultation(catalogue.consultation.pk, as_the_clock_has_it(start), "4500.00", **more)
    return Buyer(customer, visit_of(customer, order, yookassa, notify=_notify), start)


def let_wait_pass(clock: Any) -> None:
    """Move a frozen clock past the wait for the front end's own row, with beat at work then."""
    clock.tick(WAIT + 1)
    tasks.give_held()


def now_in_database() -> datetime:
    """The time that the front end's rows get: no test moves it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
        return now


def _notify(payment_id: str) -> None:
    sync_payment(uuid.UUID(payment_id), door=Door.WEBHOOK)
