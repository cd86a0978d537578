"""Payments as rows: what a test finds in the database before something happens to it."""

import uuid
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils import timezone

from bridge.pgmq import pgmq_queue
from payments.ledger.book import open_book
from payments.models import Checkout, Payment, PaymentAttention, User
from payments.queue import QUEUE
from payments.states import Attention, Door, PaymentStatus, ProviderStatus, payment_status


def make_customer(email: str = "parent@example.org") -> User:
    user_id = uuid.uuid4()
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO auth.users (id, email) VALUES (%s, %s)", [user_id, f"{user_id}@example.org"])
        # Supabase has copied the new user.
        cursor.execute("UPDATE public.users SET email = %s WHERE id = %s", [email, user_id])
    return User.objects.get(pk=user_id)


def make_payment(**fields: Any) -> Payment:
    """A row as the front end inserts it."""
    values: dict[str, Any] = {"amount": Decimal("4500.00"), "currency": "RUB", "status": PaymentStatus.PENDING}
    values |= fields
    values.setdefault("user", None)
    values["user"] = values["user"] or make_customer()
    return Payment.objects.create(**values)


def make_checkout(
    status: ProviderStatus = ProviderStatus.PENDING, *, external_id: str | None = "", **fields: Any
) -> Checkout:
    """A payment that was started here, with its row in step. Without `external_id` it gets one; `None` stays."""
    external_id = f"2f{uuid.uuid4().hex[:30]}" if external_id == "" else external_id
    shown = PaymentStatus.PENDING if external_id is None else payment_status(status, fully_refunded=False)
    payment = make_payment(external_payment_id=external_id, status=shown)
    values: dict[str, Any] = {"request_body": {}, "captured_at": None}
    if status == ProviderStatus.SUCCEEDED:
        values["captured_at"] = timezone.now()
    checkout = Checkout.objects.create(
        payment=payment,
        user_id=payment.user_id,
        amount=payment.amount,
        external_id=external_id,
        provider_status=ProviderStatus.UNKNOWN if external_id is None else status,
        **(values | fields),
    )
    if checkout.attention:
        PaymentAttention.objects.create(
            payment=payment,
            reason=checkout.attention,
            note=checkout.attention_note,
            since=checkout.attention_since or timezone.now(),
        )
    return checkout


def flag(checkout: Checkout, reason: Attention, note: str = "", *, door: Door = Door.QUEUE) -> bool:
    """Mark a payment for staff; returns whether that is news."""
    with open_book(checkout.pk, door=door) as book:
        return book.flag(reason, note)


def settle(checkout: Checkout, reason: Attention, *, door: Door = Door.QUEUE) -> None:
    """Take a mark away, as what turned out well by itself."""
    with open_book(checkout.pk, door=door) as book:
        book.settle(reason)


def delete_row(checkout: Checkout) -> None:
    """As somebody with rights on Supabase's table does it."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM public.payments WHERE id = %s", [checkout.pk])


def queued_checks() -> list[dict[str, Any]]:
    """The bodies of the payment queue's messages, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT message -> 'payment_id', message -> 'action' FROM pgmq.q_{QUEUE} ORDER BY msg_id")
        return [{"payment_id": payment_id.strip('"'), "action": action.strip('"')} for payment_id, action in cursor]


def purge_checks() -> None:
    """Lose all messages of the payment queue."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.purge_queue(%s)", [pgmq_queue(QUEUE).name])
