"""A payment and a refund as the stand-in keeps them, and as YooKassa would show them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sandbox.yookassa.confirmation import Confirmation
from sandbox.yookassa.methods import shown_method

# What reaches the shop: an acquirer's usual share is kept.
_COMMISSION = Decimal("0.035")
_KOPECK = Decimal("0.01")

# Why a payment ends without money, and who decided so.
REASONS = {
    "3d_secure_failed": "payment_network",
    "call_issuer": "payment_network",
    "canceled_by_merchant": "merchant",
    "card_expired": "payment_network",
    "country_forbidden": "yoo_money",
    "deal_expired": "yoo_money",
    "expired_on_capture": "yoo_money",
    "expired_on_confirmation": "yoo_money",
    "fraud_suspected": "yoo_money",
    "general_decline": "payment_network",
    "identification_required": "yoo_money",
    "insufficient_funds": "payment_network",
    "internal_timeout": "yoo_money",
    "invalid_card_number": "payment_network",
    "invalid_csc": "payment_network",
    "issuer_unavailable": "payment_network",
    "loan_declined": "payment_network",
    "payment_method_limit_exceeded": "payment_network",
    "payment_method_restricted": "payment_network",
    "permission_revoked": "payment_network",
    "unsupported_mobile_operator": "yoo_money",
}


class Status(StrEnum):
    PENDING = "pending"
    WAITING_FOR_CAPTURE = "waiting_for_capture"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"


class Registration(StrEnum):
    """How the tax office stands to a receipt: it takes its time, and may refuse."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"


@dataclass(slots=True)
class Payment:
    """Changed only by `Shop`, under its lock. `held` is what refunds took or are about to take."""

    id: str
    account_id: str
    amount: Decimal
    description: str
    metadata: Mapping[str, str | None]
    capture: bool
    confirmation: Confirmation
    confirmation_token: str
    confirmation_url: str
    customer_id: str
    receipt: bool
    created_at: datetime
    pay_until: datetime
    status: Status = Status.PENDING
    method: str = ""
    method_used: bool = False
    captured_at: datetime | None = None
    capture_until: datetime | None = None
    party: str = ""
    reason: str = ""
    held: Decimal = Decimal(0)
    refunded: Decimal = Decimal(0)
    registration: Registration = Registration.PENDING
    register_at: datetime | None = None

    @property
    def remaining(self) -> Decimal:
        return self.amount - self.held if self.status is Status.SUCCEEDED else Decimal(0)

    def to_json(self) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "id": self.id,
            "status": self.status.value,
            "amount": money(self.amount),
            "description": self.description or None,
            "recipient": {"account_id": self.account_id, "gateway_id": "1"},
            "created_at": moment(self.created_at),
            "test": True,
            "paid": self.status in (Status.SUCCEEDED, Status.WAITING_FOR_CAPTURE),
            "refundable": self.remaining > 0,
            "metadata": dict(self.metadata),
        }
        if self.status is Status.PENDING:
            shown["confirmation"] = self.confirmation.to_json(token=self.confirmation_token, url=self.confirmation_url)
        if self.method:
            shown["payment_method"] = shown_method(self.method, payment_id=self.id, used=self.method_used)
        if self.customer_id:
            shown["merchant_customer_id"] = self.customer_id
        if self.status is Status.SUCCEEDED:
            income = (self.amount * (1 - _COMMISSION)).quantize(_KOPECK)
            shown |= {"income_amount": money(income), "refunded_amount": money(self.refunded)}
        if self.captured_at:
            shown["captured_at"] = moment(self.captured_at)
        if self.status is Status.WAITING_FOR_CAPTURE and self.capture_until:
            shown["expires_at"] = moment(self.capture_until)
        if self.reason:
            shown["cancellation_details"] = {"party": self.party, "reason": self.reason}
        if self.receipt:
            shown["receipt_registration"] = _receipt_state(self.status, self.registration)
        return {name: value for name, value in shown.items() if value is not None}


@dataclass(slots=True)
class Refund:
    """Changed only by `Shop`, under its lock."""

    id: str
    payment_id: str
    amount: Decimal
    description: str
    metadata: Mapping[str, str | None]
    receipt: bool
    created_at: datetime
    status: Status = Status.PENDING
    party: str = ""
    reason: str = ""
    registration: Registration = Registration.PENDING
    register_at: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "id": self.id,
            "payment_id": self.payment_id,
            "status": self.status.value,
            "amount": money(self.amount),
            "created_at": moment(self.created_at),
        }
        if self.description:
            shown["description"] = self.description
        if self.metadata:
            shown["metadata"] = dict(self.metadata)
        if self.reason:
            shown["cancellation_details"] = {"party": self.party, "reason": self.reason}
        if self.receipt:
            shown["receipt_registration"] = _receipt_state(self.status, self.registration)
        return shown


def money(amount: Decimal) -> dict[str, str]:
    return {"value": f"{amount:.2f}", "currency": "RUB"}


def moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _receipt_state(status: Status, registration: Registration) -> str:
    if status is Status.CANCELED:
        return Registration.CANCELED.value
    # The money first: what was not taken, or has not gone back, has no receipt yet.
    return registration.value if status is Status.SUCCEEDED else Registration.PENDING.value
