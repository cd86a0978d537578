"""YooKassa's JSON → our objects. Strict about what decisions rest on, indifferent to everything unknown."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from payments.yookassa.objects import Page, ProviderPayment, ProviderRefund

T = TypeVar("T")

ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")
_AMOUNT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,2})?")
_NOTHING: Mapping[str, Any] = {}


class Malformed(ValueError):
    """The answer is not the object that was asked for; the text names the member, never its content."""


def parse_payment(raw: object) -> ProviderPayment:
    """Raises `Malformed`."""
    payment = _mapping(raw, "payment")
    amount, currency = _amount(payment, "amount")
    confirmation = _part(payment, "confirmation")
    method = _part(payment, "payment_method")
    cancellation = _part(payment, "cancellation_details")
    return ProviderPayment(
        id=_id(payment, "id"),
        status=_word(payment, "status"),
        amount=amount,
        currency=currency,
        paid=_flag(payment, "paid"),
        test=_flag(payment, "test"),
        refundable=_flag(payment, "refundable"),
        created_at=_moment(payment, "created_at"),
        captured_at=_optional(_moment, payment, "captured_at"),
        expires_at=_optional(_moment, payment, "expires_at"),
        income_amount=_amount(payment, "income_amount")[0] if payment.get("income_amount") else None,
        refunded_amount=_amount(payment, "refunded_amount")[0] if payment.get("refunded_amount") else Decimal(0),
        description=_text(payment, "description"),
        metadata={name: str(value) for name, value in _part(payment, "metadata").items()},
        confirmation_token=_text(confirmation, "confirmation_token") or None,
        confirmation_url=_text(confirmation, "confirmation_url") or None,
        method_type=_text(method, "type"),
        method_title=_text(method, "title"),
        cancellation_party=_text(cancellation, "party"),
        cancellation_reason=_text(cancellation, "reason"),
        receipt_registration=_text(payment, "receipt_registration"),
        account_id=_text(_part(payment, "recipient"), "account_id"),
    )


def parse_refund(raw: object) -> ProviderRefund:
    """Raises `Malformed`."""
    refund = _mapping(raw, "refund")
    amount, currency = _amount(refund, "amount")
    cancellation = _part(refund, "cancellation_details")
    return ProviderRefund(
        id=_id(refund, "id"),
        payment_id=_id(refund, "payment_id"),
        status=_word(refund, "status"),
        amount=amount,
        currency=currency,
        created_at=_moment(refund, "created_at"),
        description=_text(refund, "description"),
        cancellation_party=_text(cancellation, "party"),
        cancellation_reason=_text(cancellation, "reason"),
        receipt_registration=_text(refund, "receipt_registration"),
    )


def parse_page(raw: object, parse_item: Callable[[object], T]) -> Page[T]:
    """Raises `Malformed`."""
    page = _mapping(raw, "list")
    items = page.get("items")
    if not isinstance(items, list):
        raise Malformed("items")
    return Page(tuple(parse_item(item) for item in items), _text(page, "next_cursor") or None)


def _mapping(raw: object, name: str) -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        raise Malformed(name)
    return raw


def _part(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return _NOTHING if raw.get(name) is None else _mapping(raw[name], name)


def _optional(read: Callable[[Mapping[str, Any], str], T], raw: Mapping[str, Any], name: str) -> T | None:
    return None if raw.get(name) is None else read(raw, name)


def _text(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name)
    if value is not None and not isinstance(value, str):
        raise Malformed(name)
    return value or ""


def _word(raw: Mapping[str, Any], name: str) -> str:
    if not (value := _text(raw, name)):
        raise Malformed(name)
    return value


def _id(raw: Mapping[str, Any], name: str) -> str:
    if not ID.fullmatch(value := _text(raw, name)):
        raise Malformed(name)
    return value


def _flag(raw: Mapping[str, Any], name: str) -> bool:
    value = raw.get(name, False)
    if not isinstance(value, bool):
        raise Malformed(name)
    return value


def _amount(raw: Mapping[str, Any], name: str) -> tuple[Decimal, str]:
    amount = _part(raw, name)
    # A number would have gone through binary floating point somewhere.
    if not _AMOUNT.fullmatch(value := _text(amount, "value")):
        raise Malformed(f"{name}.value")
    return Decimal(value), _word(amount, "currency")


def _moment(raw: Mapping[str, Any], name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(_word(raw, name))
    except ValueError as error:
        raise Malformed(name) from error
    if moment.tzinfo is None:
        raise Malformed(name)
    return moment
