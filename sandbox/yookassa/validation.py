"""The rules for what may be asked for: https://yookassa.ru/developers/api, as far as a shop like ours goes.

Stricter than YooKassa in one thing: a member that is not in its documentation is refused, so that a typing error shows.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sandbox.yookassa.confirmation import Confirmation, read_confirmation
from sandbox.yookassa.errors import invalid
from sandbox.yookassa.methods import check_requested_method
from sandbox.yookassa.receipts import check_receipt

CURRENCY = "RUB"
_AMOUNT = re.compile(r"[0-9]{1,10}(\.[0-9]{1,2})?")
_PAYMENT = frozenset(
    (
        *("amount", "description", "receipt", "recipient", "payment_method_data", "confirmation", "capture"),
        *("client_ip", "metadata", "save_payment_method", "merchant_customer_id", "payment_token", "payment_method_id"),
        *("airline", "transfers", "deal", "receiver", "payment_order", "statements"),
    )
)
_REFUND = frozenset(
    ("payment_id", "amount", "description", "receipt", "metadata", "sources", "deal", "refund_method_data")
)
_CAPTURE = frozenset(("amount", "receipt", "airline", "transfers", "deal"))
# What this shop has no contract for: taken where it has the right shape, and without any effect.
_LISTS = ("transfers", "statements", "sources")
_OBJECTS = ("airline", "deal", "receiver", "payment_order", "recipient", "refund_method_data")
_STRINGS = ("payment_token", "payment_method_id", "client_ip")


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    amount: Decimal
    description: str
    metadata: Mapping[str, str | None]
    capture: bool
    confirmation: Confirmation
    method: str
    customer_id: str
    receipt: bool


@dataclass(frozen=True, slots=True)
class RefundRequest:
    payment_id: str
    amount: Decimal
    description: str
    metadata: Mapping[str, str | None]
    receipt: bool


def read_payment_request(body: Any) -> PaymentRequest:
    """Raises `ApiError`."""
    _check_members(body, _PAYMENT)
    amount = _amount(body)
    return PaymentRequest(
        amount=amount,
        description=_text(body, "description", 128),
        metadata=_metadata(body.get("metadata")),
        capture=_flag(body, "capture"),
        confirmation=read_confirmation(body.get("confirmation")),
        method=check_requested_method(body.get("payment_method_data")),
        customer_id=_text(body, "merchant_customer_id", 200),
        receipt=check_receipt(body.get("receipt"), amount),
    )


def read_refund_request(body: Any) -> RefundRequest:
    """Raises `ApiError`."""
    _check_members(body, _REFUND)
    amount = _amount(body)
    return RefundRequest(
        payment_id=_text(body, "payment_id", 36, least=36),
        amount=amount,
        description=_text(body, "description", 250),
        metadata=_metadata(body.get("metadata")),
        receipt=check_receipt(body.get("receipt"), amount),
    )


def read_capture_request(body: Any) -> Decimal | None:
    """Return how much to capture, or `None` for all of it. Raises `ApiError`."""
    _check_members(body, _CAPTURE)
    if "amount" not in body:
        return None
    amount = _amount(body)
    check_receipt(body.get("receipt"), amount)
    return amount


def _check_members(body: Any, known: Iterable[str]) -> None:
    if not isinstance(body, dict):
        raise invalid("", "the body must be a JSON object")
    for name in body:
        if name not in known:
            raise invalid(name, "unknown parameter")
    for names, kind, called in ((_LISTS, list, "list"), (_OBJECTS, dict, "object"), (_STRINGS, str, "string")):
        for name in names:
            if body.get(name) is not None and not isinstance(body[name], kind):
                raise invalid(name, f"must be a JSON {called}")
    _flag(body, "save_payment_method")


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise invalid(name, "must be true or false")
    return value


def _text(body: Mapping[str, Any], name: str, most: int, least: int = 0) -> str:
    value = body.get(name, "")
    if not isinstance(value, str) or not least <= len(value) <= most:
        raise invalid(name, f"must be a string of {least} to {most} characters")
    return value


def _amount(body: Mapping[str, Any]) -> Decimal:
    amount = body.get("amount")
    if not isinstance(amount, dict):
        raise invalid("amount", "must be an object with value and currency")
    value = amount.get("value")
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value) or not Decimal(value):
        raise invalid("amount.value", "must be a string like 100.00, more than zero")
    if amount.get("currency") != CURRENCY:
        raise invalid("amount.currency", f"must be {CURRENCY}")
    return Decimal(value).quantize(Decimal("0.01"))


def _metadata(raw: Any) -> Mapping[str, str | None]:
    if raw is None:
        return {}
    if not isinstance(raw, dict) or len(raw) > 16:
        raise invalid("metadata", "must be an object with at most 16 members")
    for name, value in raw.items():
        if not 1 <= len(name) <= 32:
            raise invalid("metadata", "a name has 1 to 32 characters")
        if value is not None and (not isinstance(value, str) or len(value) > 512):
            raise invalid(f"metadata.{name}", "must be a string of at most 512 characters, or null")
    return raw
