"""YooKassa's JSON → our objects.

Strict about what decisions rest on: which object it is, its state, its amount. Whatever else is odd counts as not said:
a title that is a number must not keep us from seeing that somebody has paid.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from payments.yookassa.errors import loggable
from payments.yookassa.objects import Account, Page, ProviderPayment, ProviderRefund, Unreadable

T = TypeVar("T")

ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")
_AMOUNT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,2})?")
_NOTHING: Mapping[str, Any] = {}
# What our column holds.
_MOST_INCOME = Decimal(10**8)


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
        test=payment.get("test") is True,
        created_at=_moment(payment, "created_at"),
        captured_at=_moment(payment, "captured_at"),
        expires_at=_moment(payment, "expires_at"),
        income_amount=_income(payment),
        refunded_amount=_amount(payment, "refunded_amount")[0] if payment.get("refunded_amount") else Decimal(0),
        description=_text(payment, "description"),
        metadata=_metadata(payment),
        confirmation_token=_text(confirmation, "confirmation_token") or None,
        method_type=_text(method, "type"),
        method_title=_text(method, "title"),
        cancellation_party=_text(cancellation, "party"),
        cancellation_reason=_text(cancellation, "reason"),
        receipt_registration=_text(payment, "receipt_registration"),
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
        # It carries our own id: without it a refund of ours would be taken for another one.
        description=_strict_text(refund, "description"),
        cancellation_party=_text(cancellation, "party"),
        cancellation_reason=_text(cancellation, "reason"),
        receipt_registration=_text(refund, "receipt_registration"),
    )


def parse_account(raw: object, *, date: str) -> Account:
    """Raises `Malformed`."""
    account = _mapping(raw, "account")
    return Account(
        id=_text(account, "account_id"),
        status=_word(account, "status"),
        test=account.get("test") is True,
        fiscalization=_part(account, "fiscalization").get("enabled") is True,
        date=date,
    )


def parse_page(raw: object, parse_item: Callable[[object], T]) -> Page[T]:
    """Each item is read by itself: what cannot be read is named in the page. Raises `Malformed` for what is no list."""
    page = _mapping(raw, "list")
    items = page.get("items")
    if not isinstance(items, list):
        raise Malformed("items")
    readable: list[T] = []
    unreadable: list[Unreadable] = []
    for item in items:
        try:
            readable.append(parse_item(item))
        except Malformed as error:
            unreadable.append(_unreadable(item, str(error)))
    return Page(tuple(readable), _text(page, "next_cursor") or None, tuple(unreadable))


def _unreadable(item: object, member: str) -> Unreadable:
    raw = item if isinstance(item, dict) else _NOTHING
    found = raw.get("id")
    name = found if isinstance(found, str) else "" if found is None else str(found)
    return Unreadable(loggable(name), member, _metadata(raw).get("payment_id", ""))


def _mapping(raw: object, name: str) -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        raise Malformed(name)
    return raw


def _part(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = raw.get(name)
    return found if isinstance(found, dict) else _NOTHING


def _text(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name)
    return _storable(value) if isinstance(value, str) else ""


def _storable(text: str) -> str:
    """Without what JSON may hold and Postgres may not: NUL, halves of surrogate pairs."""
    return text.replace("\0", "").encode(errors="replace").decode()


def _strict_text(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name)
    if value is not None and not isinstance(value, str):
        raise Malformed(name)
    return value or ""


def _word(raw: Mapping[str, Any], name: str) -> str:
    if not (value := _strict_text(raw, name)):
        raise Malformed(name)
    return value


def _id(raw: Mapping[str, Any], name: str) -> str:
    if not ID.fullmatch(value := _strict_text(raw, name)):
        raise Malformed(name)
    return value


def _metadata(raw: Mapping[str, Any]) -> dict[str, str]:
    """Without what is no text: a payment whose metadata are odd is one that names nobody, and a person looks at it."""
    named = _part(raw, "metadata")
    return {name: _storable(str(value)) for name, value in named.items() if isinstance(value, str | int)}


def _amount(raw: Mapping[str, Any], name: str) -> tuple[Decimal, str]:
    amount = _part(raw, name)
    # A number would have gone through binary floating point somewhere.
    if not _AMOUNT.fullmatch(value := _strict_text(amount, "value")):
        raise Malformed(f"{name}.value")
    return Decimal(value), _word(amount, "currency")


def _income(raw: Mapping[str, Any]) -> Decimal | None:
    try:
        income, _ = _amount(raw, "income_amount")
    except Malformed:
        return None
    return income if income < _MOST_INCOME else None


def _moment(raw: Mapping[str, Any], name: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(_text(raw, name))
    except ValueError:
        return None
    return None if moment.tzinfo is None else moment
