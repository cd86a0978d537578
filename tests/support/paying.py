"""Customers who order and pay, without the front end and its API."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils import timezone

from payments.checking.sync import sync_payment
from payments.minutes import minute_of
from payments.models import Appointment, AppointmentType, Checkout, Payment, User
from payments.provider import provider
from payments.states import Door, OrderKind
from sandbox.yookassa import YooKassaServer
from tests.support.checkouts import make_customer

PRICE = Decimal("4500.00")


def in_days(days: float) -> datetime:
    """To the minute, as times are stored."""
    return minute_of(timezone.now() + timedelta(days=days))


def make_type(price: Decimal = PRICE) -> AppointmentType:
    return AppointmentType.objects.create(name="Консультация", duration_minutes=50, price=price)


def start(customer: User | None = None, *, created: bool = True, **order: Any) -> Checkout:
    """Start a payment as the API does; by default for a new consultation in two days."""
    customer = customer or make_customer()
    if not order:
        order = {"appointment_type_id": make_type().pk, "scheduled_at": in_days(2)}
    kind = OrderKind.PACKAGE if "package_id" in order else OrderKind.APPOINTMENT
    payment = Payment.objects.create(user=customer, amount=PRICE, payment_method="yookassa")
    body = {
        "amount": {"value": str(PRICE), "currency": "RUB"},
        "capture": True,
        "confirmation": {"type": "embedded"},
        "metadata": {"payment_id": str(payment.pk)},
    }
    checkout = Checkout.objects.create(
        payment=payment, user_id=customer.pk, amount=PRICE, request_body=body, kind=kind, **order
    )
    if created:
        provider().create_payment(body, key=str(payment.pk))
    return checkout


def pay(yookassa: YooKassaServer, checkout: Checkout) -> Payment:
    """The payer pays, and a door is opened. The first look finds the payment by its metadata."""
    sync_payment(checkout.pk, door=Door.API)
    checkout.refresh_from_db()
    yookassa.succeed(str(checkout.external_id))
    return sync_payment(checkout.pk, door=Door.WEBHOOK)


def book_for_other(checkout: Checkout) -> None:
    assert checkout.appointment_type_id is not None
    assert checkout.scheduled_at is not None
    Appointment.objects.create(
        user=make_customer(), appointment_type_id=checkout.appointment_type_id, scheduled_at=checkout.scheduled_at
    )


def mails() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT message ->> 'template' FROM pgmq.q_email_queue ORDER BY msg_id")
        return [template for (template,) in cursor.fetchall()]
