"""The body of a request to create a payment at YooKassa: https://yookassa.ru/developers/api#create_payment

Ids and the payer's own contact for the receipt go there, and nothing else: who is treated by whom is not for a bank.
"""

import re
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from payments.states import OrderKind

# What stands on the fiscal receipt. A name from the catalogue would tell a bank more than it needs to know.
_ITEMS: dict[str, str] = {OrderKind.APPOINTMENT: "Консультация", OrderKind.PACKAGE: "Пакет консультаций"}
# For what the system before us sold: a row may not say which of the two it was.
_SOME_ITEM = "Консультация"
# 54-FZ: paid in full before the service is given. The shop's cash desk issues the receipt of the settlement later.
_PAYMENT_MODE = "full_prepayment"
_PAYMENT_SUBJECT = "service"
# What people write into a telephone number besides digits.
_PUNCTUATION = re.compile(r"[\s()+.-]")
_PHONE = re.compile(r"[0-9]{11,15}")


@dataclass(frozen=True, slots=True)
class ReceiptContact:
    """Where the receipt goes: an e-mail address, or else a telephone number in digits with its country code."""

    email: str = ""
    phone: str = ""

    def to_json(self) -> dict[str, str]:
        return {"email": self.email} if self.email else {"phone": self.phone}


@dataclass(frozen=True, slots=True)
class TaxRules:
    """How the shop is taxed, in YooKassa's codes. Without `tax_system_code` the shop has one system, known to it."""

    vat_code: int
    tax_system_code: int | None


def receipt_contact(*, emails: tuple[str | None, ...], phone: str | None) -> ReceiptContact | None:
    """Return the first usable address, or else the number, or `None`: YooKassa refuses a receipt with a bad one."""
    for email in emails:
        if email and _is_email(email):
            return ReceiptContact(email=email)
    digits = _PUNCTUATION.sub("", phone or "")
    # Dialled within Russia, the country code is an 8.
    if len(digits) == 11 and digits.startswith("8"):
        digits = f"7{digits[1:]}"
    return ReceiptContact(phone=digits) if _PHONE.fullmatch(digits) else None


def payment_request(
    *,
    payment_id: uuid.UUID,
    user_id: uuid.UUID,
    kind: OrderKind,
    amount: Decimal,
    currency: str,
    contact: ReceiptContact,
    taxes: TaxRules,
) -> dict[str, Any]:
    """Return the JSON body: captured at once, paid in a form on the front end's own page, with a receipt (54-FZ)."""
    price = {"value": f"{amount:.2f}", "currency": currency}
    return {
        "amount": price,
        "capture": True,
        "confirmation": {"type": "embedded"},
        "description": f"Заказ № {str(payment_id)[:8]}",
        "metadata": {"payment_id": str(payment_id), "user_id": str(user_id)},
        "receipt": receipt(kind=kind, amount=amount, currency=currency, contact=contact, taxes=taxes),
    }


def receipt(*, kind: str, amount: Decimal, currency: str, contact: ReceiptContact, taxes: TaxRules) -> dict[str, Any]:
    """Return the receipt of a payment, or of the part of one that goes back: one item (54-FZ)."""
    item = {
        "description": _ITEMS.get(kind, _SOME_ITEM),
        "quantity": 1,
        "amount": {"value": f"{amount:.2f}", "currency": currency},
        "vat_code": taxes.vat_code,
        "payment_mode": _PAYMENT_MODE,
        "payment_subject": _PAYMENT_SUBJECT,
    }
    made: dict[str, Any] = {"customer": contact.to_json(), "items": [item]}
    if taxes.tax_system_code is not None:
        made["tax_system_code"] = taxes.tax_system_code
    return made


def _is_email(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return True
