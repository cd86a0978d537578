"""The rules for a receipt (54-FZ): https://yookassa.ru/developers/payment-acceptance/receipts/54fz/yoomoney/basics"""

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from balansity.sandbox.yookassa.errors import invalid

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"\+?[0-9]{10,15}")
_AMOUNT = re.compile(r"[0-9]{1,10}(\.[0-9]{1,2})?")
_MODES = frozenset(
    ("full_prepayment", "partial_prepayment", "advance", "full_payment", "partial_payment", "credit", "credit_payment")
)
_SUBJECTS = frozenset(
    (
        *("commodity", "excise", "job", "service", "gambling_bet", "gambling_prize", "lottery", "lottery_prize"),
        *("intellectual_activity", "payment", "agent_commission", "property_right", "non_operating_gain"),
        *("insurance_premium", "sales_tax", "resort_fee", "composite", "another", "fine", "tax", "lien", "cost"),
    )
)


def check_receipt(raw: Any, amount: Decimal) -> bool:
    """Say whether there is a receipt. Raises `ApiError` when it breaks a rule or does not add up to `amount`."""
    if raw is None:
        return False
    if not isinstance(raw, dict):
        raise invalid("receipt", "must be an object")
    _check_customer(raw.get("customer"))
    tax_system = raw.get("tax_system_code", 1)
    if not _whole(tax_system, 1, 6):
        raise invalid("receipt.tax_system_code", "must be 1 to 6")
    items = raw.get("items")
    if not isinstance(items, list) or not 1 <= len(items) <= 80:
        raise invalid("receipt.items", "must be a list of 1 to 80 items")
    total = sum((_item_total(item, f"receipt.items[{number}]") for number, item in enumerate(items)), Decimal(0))
    if total != amount:
        raise invalid("receipt.items", f"the items make {total}, the amount is {amount}")
    return True


def _check_customer(customer: Any) -> None:
    if not isinstance(customer, dict):
        raise invalid("receipt.customer", "must be an object")
    email, phone = customer.get("email"), customer.get("phone")
    if email is None and phone is None:
        raise invalid("receipt.customer", "needs email or phone")
    if email is not None and not (isinstance(email, str) and _EMAIL.fullmatch(email)):
        raise invalid("receipt.customer.email", "must be an address")
    if phone is not None and not (isinstance(phone, str) and _PHONE.fullmatch(phone)):
        raise invalid("receipt.customer.phone", "must be a number like 79000000000")


def _item_total(item: Any, where: str) -> Decimal:
    if not isinstance(item, dict):
        raise invalid(where, "must be an object")
    description = item.get("description")
    if not isinstance(description, str) or not 1 <= len(description) <= 128:
        raise invalid(f"{where}.description", "must be a string of 1 to 128 characters")
    if not _whole(item.get("vat_code"), 1, 12):
        raise invalid(f"{where}.vat_code", "must be 1 to 12")
    if item.get("payment_mode", "full_payment") not in _MODES:
        raise invalid(f"{where}.payment_mode", "unknown")
    if item.get("payment_subject", "commodity") not in _SUBJECTS:
        raise invalid(f"{where}.payment_subject", "unknown")
    price = item.get("amount")
    value = price.get("value") if isinstance(price, dict) else None
    if not isinstance(price, dict) or not isinstance(value, str) or not _AMOUNT.fullmatch(value):
        raise invalid(f"{where}.amount.value", "must be a string like 100.00")
    if price.get("currency") != "RUB":
        raise invalid(f"{where}.amount.currency", "must be RUB")
    return (Decimal(value) * _quantity(item.get("quantity"), where)).quantize(Decimal("0.01"))


def _quantity(raw: Any, where: str) -> Decimal:
    try:
        quantity = Decimal(str(raw))
    except InvalidOperation:
        quantity = Decimal(0)
    if isinstance(raw, bool) or not quantity.is_finite() or not 0 < quantity <= 100000:
        raise invalid(f"{where}.quantity", "must be a number above zero")
    return quantity


def _whole(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
