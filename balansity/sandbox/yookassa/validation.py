"""The rules for what may be asked for: https://yookassa.ru/developers/api, as far as a shop like ours goes.

Stricter than YooKassa in one thing: a member that is not in its documentation is refused, so that a typing error shows.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from balansity.sandbox.yookassa.errors import invalid
from balansity.sandbox.yookassa.receipts import check_receipt

CURRENCY = "RUB"
METHODS = {
    "bank_card": "Bank card *4444",
    "sbp": "СБП",
    "yoo_money": "YooMoney wallet 410011758831136",
    "sberbank": "SberPay",
    "tinkoff_bank": "T-Pay",
}
_AMOUNT = re.compile(r"[0-9]{1,10}(\.[0-9]{1,2})?")
_PAYMENT = frozenset(
    (
        *("amount", "description", "receipt", "recipient", "payment_method_data", "confirmation", "capture"),
        *("client_ip", "metadata", "save_payment_method", "merchant_customer_id"),
    )
)
_REFUND = frozenset(("payment_id", "amount", "description", "receipt", "metadata"))
_CAPTURE = frozenset(("amount", "receipt"))


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    amount: Decimal
    description: str
    metadata: Mapping[str, str]
    capture: bool
    confirmation: str
    return_url: str
    receipt: bool


@dataclass(frozen=True, slots=True)
class RefundRequest:
    payment_id: str
    amount: Decimal
    description: str
    receipt: bool


def read_payment_request(body: Any) -> PaymentRequest:
    """Raises `ApiError`."""
    _check_members(body, _PAYMENT)
    amount = _amount(body)
    confirmation, return_url = _confirmation(body.get("confirmation"))
    method = body.get("payment_method_data")
    if method is not None and (not isinstance(method, dict) or method.get("type") not in METHODS):
        raise invalid("payment_method_data.type", f"one of {', '.join(METHODS)}")
    if not isinstance(capture := body.get("capture", False), bool):
        raise invalid("capture", "must be true or false")
    return PaymentRequest(
        amount=amount,
        description=_text(body, "description", 128),
        metadata=_metadata(body.get("metadata")),
        capture=capture,
        confirmation=confirmation,
        return_url=return_url,
        receipt=check_receipt(body.get("receipt"), amount),
    )


def read_refund_request(body: Any) -> RefundRequest:
    """Raises `ApiError`."""
    _check_members(body, _REFUND)
    _metadata(body.get("metadata"))
    amount = _amount(body)
    return RefundRequest(
        payment_id=_text(body, "payment_id", 36, least=36),
        amount=amount,
        description=_text(body, "description", 250),
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


def _metadata(raw: Any) -> Mapping[str, str]:
    if raw is None:
        return {}
    if not isinstance(raw, dict) or len(raw) > 16:
        raise invalid("metadata", "must be an object with at most 16 members")
    for name, value in raw.items():
        if not 1 <= len(name) <= 32:
            raise invalid("metadata", "a name has 1 to 32 characters")
        if not isinstance(value, str) or len(value) > 512:
            raise invalid(f"metadata.{name}", "must be a string of at most 512 characters")
    return raw


def _confirmation(raw: Any) -> tuple[str, str]:
    if not isinstance(raw, dict) or raw.get("type") not in ("embedded", "redirect"):
        raise invalid("confirmation.type", "one of embedded, redirect")
    return_url = raw.get("return_url", "")
    if raw["type"] == "embedded" and not return_url:
        return "embedded", ""
    if not isinstance(return_url, str) or urlsplit(return_url).scheme not in ("http", "https"):
        raise invalid("confirmation.return_url", "must be an address of the web")
    return str(raw["type"]), return_url
