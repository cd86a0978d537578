"""What is sent to YooKassa, and what of it a customer's data are."""

import uuid
from decimal import Decimal
from typing import Any

import pytest
from rest_framework.exceptions import ValidationError

from payments.api.amounts import AmountField
from payments.buying.request_body import payment_request
from payments.contacts import ReceiptContact, receipt_contact
from payments.receipts import TaxRules
from payments.states import OrderKind

PAYMENT_ID = uuid.UUID("d1e2f3a4-0000-4000-8000-000000000001")
USER_ID = uuid.UUID("a0000000-0000-4000-8000-000000000001")


def body(**changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "payment_id": PAYMENT_ID,
        "user_id": USER_ID,
        "kind": OrderKind.APPOINTMENT,
        "amount": Decimal(4500),
        "currency": "RUB",
        "contact": ReceiptContact(email="parent@example.org"),
        "taxes": TaxRules(1, None),
    }
    return payment_request(**(values | changes))


def test_the_request_says_what_yookassa_must_know_and_nothing_else() -> None:
    price = {"value": "4500.00", "currency": "RUB"}
    assert body() == {
        "amount": price,
        "capture": True,
        "confirmation": {"type": "embedded"},
        "description": "Заказ № d1e2f3a4",
        "metadata": {"payment_id": str(PAYMENT_ID), "user_id": str(USER_ID)},
        "receipt": {
            "customer": {"email": "parent@example.org"},
            "items": [
                {
                    "description": "Консультация",
                    "quantity": 1,
                    "amount": price,
                    "vat_code": 1,
                    "payment_mode": "full_prepayment",
                    "payment_subject": "service",
                }
            ],
        },
    }


def test_the_tax_system_is_named_only_when_it_is_set() -> None:
    receipt = body(taxes=TaxRules(11, 2))["receipt"]
    assert (receipt["tax_system_code"], receipt["items"][0]["vat_code"]) == (2, 11)
    assert "tax_system_code" not in body()["receipt"]


@pytest.mark.parametrize(("amount", "text"), [("4.35", "4.35"), ("19.99", "19.99"), ("1E+3", "1000.00"), ("5", "5.00")])
def test_amounts_are_exact_text(amount: str, text: str) -> None:
    request = body(amount=Decimal(amount), kind=OrderKind.PACKAGE)
    assert request["amount"]["value"] == request["receipt"]["items"][0]["amount"]["value"] == text
    assert request["receipt"]["items"][0]["description"] == "Пакет консультаций"


@pytest.mark.parametrize(
    ("emails", "phone", "expected"),
    [
        (("a@example.org", "b@example.org"), "+7 900 000-00-01", ReceiptContact(email="a@example.org")),
        ((None, "b@example.org"), "+7 900 000-00-01", ReceiptContact(email="b@example.org")),
        (("not an address", ""), "+7 (900) 000-00-01", ReceiptContact(phone="79000000001")),
        ((None,), "8 900 000 00 01", ReceiptContact(phone="79000000001")),
        ((None,), "+375 29 123-45-67", ReceiptContact(phone="375291234567")),
        # Elsewhere an 8 begins a country's code, and eleven digits begin with another one.
        ((None,), "+86 138 0013 8000", ReceiptContact(phone="8613800138000")),
        ((None,), "+1 202 555-01-01", ReceiptContact(phone="12025550101")),
        ((None,), "900", None),
        ((None,), "call me", None),
        ((None, ""), None, None),
    ],
)
def test_the_receipt_goes_to_the_first_contact_that_can_be_one(
    emails: tuple[str | None, ...], phone: str | None, expected: ReceiptContact | None
) -> None:
    assert receipt_contact(emails=emails, phone=phone) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (5000, "5000.00"),
        ("5000", "5000.00"),
        (Decimal("5000.00"), "5000.00"),
        (Decimal("5E+3"), "5000.00"),
        (Decimal("19.99"), "19.99"),
        ("4.35", "4.35"),
        (Decimal("4.350"), "4.35"),
        (1, "1.00"),
        ("1000000", "1000000.00"),
    ],
)
def test_an_amount_is_a_number_or_a_decimal_string(raw: object, expected: str) -> None:
    parsed = AmountField().to_internal_value(raw)
    assert str(parsed) == expected


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (True, "invalid"),
        (None, "invalid"),
        ([5000], "invalid"),
        (5000.0, "invalid"),
        ("", "invalid"),
        (" 5000", "invalid"),
        ("5000\n", "invalid"),
        ("5e3", "invalid"),
        ("+5000", "invalid"),
        ("٥٠٠٠", "invalid"),
        ("NaN", "invalid"),
        ("4.350", "invalid"),
        (0, "out_of_range"),
        (-5000, "out_of_range"),
        (Decimal("0.29"), "out_of_range"),
        (Decimal("1E+400"), "out_of_range"),
        (10**300, "out_of_range"),
        ("1000000.01", "out_of_range"),
        (Decimal("4.355"), "too_many_decimals"),
        (Decimal(f"4.{'0' * 40}1"), "too_many_decimals"),
    ],
)
def test_anything_else_is_no_amount(raw: object, code: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        AmountField().to_internal_value(raw)
    assert refusal.value.get_codes() == [code]


def test_a_refund_may_be_as_small_as_a_kopeck() -> None:
    field = AmountField(least=Decimal("0.01"))
    assert field.to_internal_value(Decimal("0.01")) == Decimal("0.01")
    with pytest.raises(ValidationError):
        field.to_internal_value(0)
