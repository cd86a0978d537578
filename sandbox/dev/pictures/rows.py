"""Rows of a payment as the service leaves them, with ids and times that are the same each time."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from freezegun.api import FrozenDateTimeFactory

from payments.models import Checkout, Payment, PaymentAttention, Refund
from payments.states import Attention, OrderKind, ProviderStatus, RefundStatus, payment_status

# A Tuesday noon in Moscow.
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
# Of the sandbox's families.
ANNA, IGOR, LEYLA, ALEKSANDRA = (UUID(f"a0000000-0000-4000-8000-00000000000{n}") for n in range(1, 5))
_FIRST_TALK, _TALK, _FAMILY_SESSION = (UUID(f"e0000000-0000-4000-8000-00000000000{n}") for n in range(1, 4))
_FOUR_TALKS = UUID("f0000000-0000-4000-8000-000000000001")


@dataclass(frozen=True, slots=True)
class Goods:
    """What is paid for; `kind` says whether `id` is a kind of consultation or a package."""

    id: UUID
    price: Decimal
    kind: OrderKind = OrderKind.APPOINTMENT


TALK, FIRST_TALK = Goods(_TALK, Decimal(4500)), Goods(_FIRST_TALK, Decimal(5000))
FAMILY_SESSION = Goods(_FAMILY_SESSION, Decimal(7500))
FOUR_TALKS = Goods(_FOUR_TALKS, Decimal(16000), OrderKind.PACKAGE)


def buy(
    clock: FrozenDateTimeFactory,
    number: int,
    at: datetime,
    user_id: UUID,
    goods: Goods,
    status: ProviderStatus = ProviderStatus.SUCCEEDED,
    **fields: Any,
) -> Checkout:
    """A payment that was started `at`, as it stands now. Its ids follow from `number`."""
    clock.move_to(at)
    paid = status == ProviderStatus.SUCCEEDED
    refunded = fields.get("refunded_amount", Decimal(0))
    payment = Payment.objects.create(
        id=payment_id(number),
        user_id=user_id,
        amount=goods.price,
        status=payment_status(status, fully_refunded=refunded == goods.price),
        external_payment_id=external_id(number),
        metadata=_metadata(goods),
    )
    is_package = goods.kind == OrderKind.PACKAGE
    values: dict[str, Any] = {
        "package_id": goods.id if is_package else None,
        "appointment_type_id": None if is_package else goods.id,
        "scheduled_at": None if is_package else _slot(at, number),
        "request_body": {},
        "captured_at": at + timedelta(minutes=2) if paid else None,
        "income_amount": goods.price * Decimal("0.965") if paid else None,
        "receipt_registration": "succeeded" if paid else "",
    }
    if status in (ProviderStatus.SUCCEEDED, ProviderStatus.CANCELED):
        values |= {"method_type": "bank_card", "method_title": f"Bank card *{4000 + 37 * number % 6000}"}
    return Checkout.objects.create(
        payment=payment,
        user_id=user_id,
        amount=goods.price,
        kind=goods.kind,
        external_id=external_id(number),
        provider_status=status,
        **values | fields,
    )


def mark(checkout: Checkout, reason: Attention, note: str, since: datetime) -> None:
    """Say that a person must look at the payment."""
    PaymentAttention.objects.create(payment_id=checkout.pk, reason=reason, note=note, since=since)
    checkout.attention, checkout.attention_note, checkout.attention_since = reason, note, since
    checkout.save(update_fields=["attention", "attention_note", "attention_since"])


def refund(clock: FrozenDateTimeFactory, checkout: Checkout, number: int, at: datetime, **fields: Any) -> Refund:
    """A refund that was asked for `at` and went through a minute later, unless `fields` say otherwise."""
    clock.move_to(at)
    values: dict[str, Any] = {
        "id": UUID(f"e1000000-0000-4000-8000-{number:012d}"),
        "external_id": f"2fe1{number:04d}-0015-5000-8000-1b68e7b15f3f",
        "status": RefundStatus.SUCCEEDED,
        "request_body": {},
        "finished_at": at + timedelta(minutes=1),
    }
    return Refund.objects.create(payment_id=checkout.pk, **values | fields)


def payment_id(number: int) -> UUID:
    return UUID(f"d1000000-0000-4000-8000-{number:012d}")


def external_id(number: int) -> str:
    return f"2fd1{number:04d}-000f-5000-9000-1b68e7b15f3f"


def _metadata(goods: Goods) -> dict[str, str | None]:
    """As the front end writes it, which tells its payers by that what they paid for."""
    if goods.kind == OrderKind.PACKAGE:
        return {"type": "package", "package_id": str(goods.id)}
    return {"type": "appointment", "package_id": None, "appointment_type_id": str(goods.id)}


def _slot(at: datetime, number: int) -> datetime:
    """Some full hour of a working day soon after `at`."""
    return at.replace(hour=7 + number % 9, minute=0) + timedelta(days=2 + number % 3)
