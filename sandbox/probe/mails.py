"""The mail that benchmarks measure by: as most are, about a payment, to a customer."""

from typing import Any

from notifications.writing.facts import Facts, Purchase

# What our own tables say of such a payment; whoever sends without us is spared the look.
FACTS = Facts(purchase=Purchase("Консультация 1"))


def body_of(payment_id: str, *, to: str) -> dict[str, Any]:
    variables = {"payment_id": payment_id, "amount": 4500, "currency": "RUB", "payment_method": "bank_card"}
    template = "payment_confirmation"
    return {"to": to, "subject": "Оплата прошла успешно", "template": template, "variables": variables}
