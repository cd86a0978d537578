"""Payments whose row somebody deleted: they are in no list of rows, and their money is there all the same."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from payments.admin.customers import shown_customer
from payments.admin.finding import AttentionFilter, search_checkouts
from payments.admin.shown_status import attention_badge, payment_badge, shown_status
from payments.ledger.deleted_rows import stand_in, without_row
from payments.models import AppointmentType, Checkout, Package, Payment, PaymentAttention, User
from payments.states import Attention, ProviderStatus
from staff.formats import moment, money
from staff.read_only import ReadOnlyAdmin
from wording.russian import order_number

MOST_SHOWN = 10
MOST_LISTED = 200
_TAKEN = (ProviderStatus.SUCCEEDED, ProviderStatus.WAITING_FOR_CAPTURE)


@dataclass(frozen=True, slots=True)
class Line:
    pk: UUID
    url: str
    number: str
    status: SafeString
    marked: SafeString | str
    amount: str
    refunded: str
    customer: SafeString
    paid: str


@dataclass(frozen=True, slots=True)
class Found:
    """`lines` are the newest of `count`."""

    lines: list[Line]
    count: int


def get_stand_in(object_id: str) -> Payment | None:
    """What the page of a payment shows when its row is gone; `None` when nothing of ours is known of it either."""
    try:
        pk = UUID(object_id)
    except ValueError:
        return None
    checkout = without_row().filter(pk=pk).first()
    if checkout is None:
        return None
    payment = _shown(checkout, User.objects.filter(pk=checkout.user_id).first())
    payment.order_name = _order_name(checkout)  # type: ignore[attr-defined]
    payment.order_time = checkout.scheduled_at  # type: ignore[attr-defined]
    return payment


def deleted_for_list(request: HttpRequest) -> Found:
    """What the list of payments says of them: those that a person must look at, or all that a search finds."""
    text = _searched(request)
    reason = request.GET.get(AttentionFilter.parameter_name, "")
    marks = _open_marks().filter(reason=reason) if reason in Attention.values else _open_marks()
    rows = search_checkouts(without_row(), text) if text else without_row().filter(Exists(marks))
    return _found(rows, MOST_SHOWN)


def deleted_page(model_admin: ReadOnlyAdmin, request: HttpRequest) -> HttpResponse:
    """All that were ever paid, and what a search finds among the others."""
    text = _searched(request)
    rows = without_row()
    rows = search_checkouts(rows, text) if text else rows.filter(Q(provider_status__in=_TAKEN) | Exists(_open_marks()))
    context = {
        "deleted": _found(rows, MOST_LISTED),
        "text": text,
    }
    return model_admin.page(request, "admin/payments/deleted.html", _("Paid, and the row was deleted"), **context)


def contact_of(checkout: Checkout) -> str:
    """Whom the fiscal receipt went to: what is left of a customer whose account was deleted as well."""
    receipt: Any = (checkout.request_body or {}).get("receipt")
    customer = receipt.get("customer") if isinstance(receipt, dict) else None
    told = customer if isinstance(customer, dict) else {}
    return str(told.get("email") or told.get("phone") or "")


def _searched(request: HttpRequest) -> str:
    return request.GET.get("q", "").replace("\0", "").strip()


def _found(rows: QuerySet[Checkout], most: int) -> Found:
    newest = list(rows.order_by("-created_at", "-pk")[:most])
    customers = User.objects.in_bulk([checkout.user_id for checkout in newest])
    lines = [_line(_shown(checkout, customers.get(checkout.user_id))) for checkout in newest]
    return Found(lines, len(lines) if len(lines) < most else rows.count())


def _line(payment: Payment) -> Line:
    checkout, status = payment.checkout, shown_status(payment)
    return Line(
        pk=checkout.pk,
        url=reverse("admin:payments_payment_change", args=[checkout.pk]),
        number=order_number(checkout.pk),
        status=payment_badge(status),
        marked=attention_badge() if checkout.attention else "",
        amount=money(checkout.amount, checkout.currency),
        refunded=money(checkout.refunded_amount, checkout.currency) if checkout.refunded_amount else "",
        customer=shown_customer(payment),
        paid=moment(checkout.captured_at or checkout.created_at),
    )


def _shown(checkout: Checkout, customer: User | None) -> Payment:
    payment = stand_in(checkout)
    payment.checkout = checkout
    payment.is_marked = bool(checkout.attention)  # type: ignore[attr-defined]
    payment.user = customer or User(id=checkout.user_id, email=contact_of(checkout) or None)
    return payment


def _open_marks() -> QuerySet[PaymentAttention]:
    return PaymentAttention.objects.filter(payment_id=OuterRef("pk"), settled_at__isnull=True)


def _order_name(checkout: Checkout) -> str | None:
    kinds = AppointmentType.objects.filter(pk__in=[checkout.appointment_type_id])
    packages = Package.objects.filter(pk__in=[checkout.package_id])
    return kinds.values_list("name", flat=True).first() or packages.values_list("name", flat=True).first() or None
