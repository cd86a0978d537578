"""The body of a request to create a payment at YooKassa: https://yookassa.ru/developers/api#create_payment

Ids and the payer's own contact for the receipt go there, and nothing else: who is treated by whom is not for a bank.
"""

import uuid
from decimal import Decimal
from typing import Any

from payments.contacts import ReceiptContact
from payments.receipts import TaxRules, receipt
from payments.states import OrderKind
from wording.russian import order_number


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
        "description": f"Заказ № {order_number(payment_id)}",
        "metadata": {"payment_id": str(payment_id), "user_id": str(user_id)},
        "receipt": receipt(kind=kind, amount=amount, currency=currency, contact=contact, taxes=taxes),
    }
