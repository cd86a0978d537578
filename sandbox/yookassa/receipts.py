"""The rules for a receipt (54-FZ): https://yookassa.ru/developers/payment-acceptance/receipts/54fz/yoomoney/basics"""

import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from sandbox.yookassa.errors import invalid

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_LONGEST_EMAIL = 254
_PHONE = re.compile(r"[0-9]{4,15}")
_INN = re.compile(r"[0-9]{10}|[0-9]{12}")
_AMOUNT = re.compile(r"[0-9]{1,10}(\.[0-9]{1,2})?")
_MODES = frozenset(
    ("full_prepayment", "partial_prepayment", "advance", "full_payment", "partial_payment", "credit", "credit_payment")
)
_SUBJECTS = frozenset(
    (
        *("commodity", "excise", "job", "service", "gambling_bet", "gambling_prize", "lottery", "lottery_prize"),
        *("intellectual_activity", "payment", "agent_commission", "property_right", "non_operating_gain"),
        *("insurance_premium", "sales_tax", "resort_fee", "composite", "another", "fine", "tax", "lien", "cost"),
        *("pension_insurance_without_payouts", "pension_insurance_with_payouts", "health_insurance", "casino"),
        *("health_insurance_without_payouts", "health_insurance_with_payouts", "agent_withdrawals"),
        *("non_marked_excise", "marked_excise", "marked", "non_marked"),
    )
)
_MEASURES = frozenset(
    (
        *("piece", "gram", "kilogram", "ton", "centimeter", "decimeter", "meter", "square_centimeter"),
        *("square_decimeter", "square_meter", "milliliter", "liter", "cubic_meter", "kilowatt_hour", "gigacalorie"),
        *("day", "hour", "minute", "second", "kilobyte", "megabyte", "gigabyte", "terabyte", "another"),
    )
)
_RECEIPT_MEMBERS = (
    *("customer", "items", "internet", "tax_system_code", "timezone"),
    *("receipt_industry_details", "receipt_operational_details"),
)
_CUSTOMER_MEMBERS = ("full_name", "inn", "email", "phone")
_ITEM_MEMBERS = (
    *("description", "amount", "vat_code", "quantity", "measure", "mark_quantity", "payment_subject", "payment_mode"),
    *("country_of_origin_code", "customs_declaration_number", "excise", "product_code", "planned_status"),
    *("mark_code_info", "mark_mode", "payment_subject_industry_details", "supplier", "agent_type"),
)


def check_receipt(raw: Any, amount: Decimal) -> bool:
    """Say whether there is a receipt. Raises `ApiError` when it breaks a rule or does not add up to `amount`."""
    if raw is None:
        return False
    if not isinstance(raw, dict):
        raise invalid("receipt", "must be an object")
    _check_members(raw, _RECEIPT_MEMBERS, "receipt")
    _check_customer(raw.get("customer"))
    for name, most in (("tax_system_code", 6), ("timezone", 11)):
        if not _whole(raw.get(name, 1), 1, most):
            raise invalid(f"receipt.{name}", f"must be 1 to {most}")
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
    _check_members(customer, _CUSTOMER_MEMBERS, "receipt.customer")
    email, phone = customer.get("email"), customer.get("phone")
    if email is None and phone is None:
        raise invalid("receipt.customer", "needs email or phone")
    if email is not None and not (
        isinstance(email, str) and len(email) <= _LONGEST_EMAIL and email.isascii() and _EMAIL.fullmatch(email)
    ):
        raise invalid("receipt.customer.email", f"must be an address of at most {_LONGEST_EMAIL} characters")
    if not _is_inn(customer.get("inn", "0" * 10)):
        raise invalid("receipt.customer.inn", "must have 10 or 12 digits")
    if phone is not None and not (isinstance(phone, str) and _PHONE.fullmatch(phone)):
        raise invalid("receipt.customer.phone", "must be a number like 79000000000")


def _item_total(item: Any, where: str) -> Decimal:
    if not isinstance(item, dict):
        raise invalid(where, "must be an object")
    _check_members(item, _ITEM_MEMBERS, where)
    description = item.get("description")
    if not isinstance(description, str) or not 1 <= len(description) <= 128:
        raise invalid(f"{where}.description", "must be a string of 1 to 128 characters")
    if not _whole(_number(item.get("vat_code")), 1, 12):
        raise invalid(f"{where}.vat_code", "must be 1 to 12")
    if item.get("payment_mode", "full_payment") not in _MODES:
        raise invalid(f"{where}.payment_mode", "unknown")
    if item.get("payment_subject", "commodity") not in _SUBJECTS:
        raise invalid(f"{where}.payment_subject", "unknown")
    if item.get("measure", "piece") not in _MEASURES:
        raise invalid(f"{where}.measure", "unknown")
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


def _check_members(raw: dict[str, Any], known: Iterable[str], where: str) -> None:
    for name in raw:
        if name not in known:
            raise invalid(f"{where}.{name}", "unknown parameter")


def _is_inn(value: Any) -> bool:
    return isinstance(value, str) and bool(_INN.fullmatch(value))


def _number(value: Any) -> Any:
    # The documentation's own examples write the code as text.
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 2 else value


def _whole(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
