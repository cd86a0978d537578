"""Fiscal receipts (54-FZ): the one that a refund needs, and which receipts a person must look after.

YooKassa's rules: with a refund of the whole sum it makes the receipt from what it has; with any other, the last part of
a payment included, it wants one from us. A receipt that was not registered, or waits for three days, is a case for a
person. https://yookassa.ru/developers/payment-acceptance/receipts/54fz/yoomoney/refunds
"""

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from payments.contacts import ReceiptContact, receipt_contact
from payments.ledger.book import Book
from payments.models import Checkout, PaymentAttention, Refund, User
from payments.states import Attention, OrderKind, ProviderStatus, RefundStatus

# What stands on the fiscal receipt. A name from the catalogue would tell a bank more than it needs to know.
_ITEMS: dict[str, str] = {OrderKind.APPOINTMENT: "Консультация", OrderKind.PACKAGE: "Пакет консультаций"}
# For what the system before us sold: a row may not say which of the two it was.
_SOME_ITEM = "Консультация"
# 54-FZ: paid in full before the service is given. The shop's cash desk issues the receipt of the settlement later.
_PAYMENT_MODE = "full_prepayment"
_PAYMENT_SUBJECT = "service"
PATIENCE = timedelta(days=3)
PENDING, CANCELED = "pending", "canceled"
_BY_RECEIPTS = (Attention.RECEIPT_FAILED, Attention.REFUND_RECEIPT_FAILED)


@dataclass(frozen=True, slots=True)
class TaxRules:
    """How the shop is taxed, in YooKassa's codes. Without `tax_system_code` the shop has one system, known to it."""

    vat_code: int
    tax_system_code: int | None


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


def needs_receipt(checkout: Checkout, refund: Refund) -> bool:
    """Whether a refund must bring its own receipt: one of the whole sum must not."""
    return refund.amount != checkout.amount


def refund_receipt(checkout: Checkout, refund: Refund) -> dict[str, Any] | None:
    """The receipt of a part that goes back, or `None` when nobody is known to send it to.

    The receipt of the payment had one item: this one has the same, with its own amount. What the system before us sent
    with a payment is not known here, so for its payments the receipt is made anew.
    """
    sent = copy.deepcopy((checkout.request_body or {}).get("receipt"))
    if sent:
        for item in sent["items"]:
            item["amount"], item["quantity"] = {"value": str(refund.amount), "currency": refund.currency}, 1
        return dict(sent)
    customer = User.objects.filter(pk=checkout.user_id).first()
    contact = None if customer is None else receipt_contact(emails=(customer.email,), phone=customer.phone)
    if contact is None:
        return None
    return receipt(
        kind=checkout.kind,
        amount=refund.amount,
        currency=refund.currency,
        contact=contact,
        taxes=TaxRules(settings.YUKASSA_VAT_CODE, settings.YUKASSA_TAX_SYSTEM_CODE),
    )


def can_send_receipt(checkout: Checkout) -> bool:
    """Whether a refund of a part could bring its receipt."""
    return refund_receipt(checkout, Refund(amount=checkout.amount, currency=checkout.currency)) is not None


def judge_receipts(book: Book, *, now: datetime) -> None:
    """Mark or settle a paid payment by how its receipt and those of its refunds stand."""
    checkout = book.checkout
    own = _trouble(checkout.receipt_registration, checkout.captured_at, now)
    troubles = [(one, _trouble(one.receipt_registration, one.created_at, now)) for one in _made(book.refunds)]
    notes = [f"the receipt of the refund {one.pk} {trouble}" for one, trouble in troubles if trouble]
    _keep(book, Attention.RECEIPT_FAILED, f"the receipt {own}" if own else "")
    _keep(book, Attention.REFUND_RECEIPT_FAILED, "; ".join(notes))


def has_unsettled_receipt(checkout: Checkout, refunds: Iterable[Refund]) -> bool:
    """Whether the provider is to be asked again: a receipt is on its way, or a person may be mending one.

    `refunds` are all of the payment's.
    """
    if checkout.provider_status != ProviderStatus.SUCCEEDED:
        return False
    made = _made(refunds)
    if checkout.receipt_registration == PENDING or _has_pending(made):
        return True
    since = timezone.now() - PATIENCE
    if any(one.created_at > since for one in _untold(checkout, made)):
        return True
    return _open_marks(checkout).exists()


def wants_refund_receipts(checkout: Checkout, refunds: Iterable[Refund]) -> bool:
    """Whether refunds, which are asked for separately, may have news of their receipts; `refunds` are all of them."""
    made = _made(refunds)
    if _has_pending(made) or _untold(checkout, made):
        return True
    return _open_marks(checkout).filter(reason=Attention.REFUND_RECEIPT_FAILED).exists()


def _made(refunds: Iterable[Refund]) -> list[Refund]:
    """Those that have a receipt, or must have one."""
    return [one for one in refunds if one.status == RefundStatus.SUCCEEDED]


def _has_pending(made: list[Refund]) -> bool:
    return any(one.receipt_registration == PENDING for one in made)


def _untold(checkout: Checkout, made: list[Refund]) -> list[Refund]:
    """Refunds that must have a receipt, of which nothing was said yet: not at once, or before we kept it."""
    return [one for one in made if not one.receipt_registration] if checkout.receipt_registration else []


def _open_marks(checkout: Checkout) -> QuerySet[PaymentAttention]:
    return PaymentAttention.objects.filter(payment_id=checkout.pk, reason__in=_BY_RECEIPTS, settled_at__isnull=True)


def _trouble(registration: str, since: datetime | None, now: datetime) -> str:
    if registration == CANCELED:
        return "was not registered"
    late = registration == PENDING and since is not None and now - since >= PATIENCE
    return f"waits for its registration for more than {PATIENCE.days} days" if late else ""


def _keep(book: Book, reason: Attention, note: str) -> None:
    if note:
        book.flag(reason, note)
    else:
        book.settle(reason)
