"""How staff find payments: by what clients, YooKassa and logs name them with, and by the filters of the list."""

import re
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifications.clients import clients_named
from payments.admin.shown_status import having_status, stuck
from payments.models import Checkout, Fulfilment, Payment, PaymentAttention, Refund, User
from payments.states import Attention, OrderKind, PaymentStatus
from staff.long_lists import asked_now
from wording.typed import read_amount

ANY = "any"
# «Заказ № ba4f0383» is what the payer reads at YooKassa and in the bank; our own pages write «ba4f0383…».
_ORDER_NUMBER = re.compile(r"(?:заказ)?\s*№?\s*([0-9a-f]{8})\s*(?:…|\.\.\.)?", re.IGNORECASE)
# The payer's bank and we both write «*4444».
_CARD = re.compile(r"(?:[*•·]+\s*)?([0-9]{4})")


def search_payments(payments: QuerySet[Payment], text: str) -> QuerySet[Payment]:
    """Those with this id (ours, YooKassa's, of a refund, a client or what was given), with this order number, amount or
    end of a card's number, or of a client with this telephone number, name or piece of an address.

    Any text is fine that has no spaces around it. Each id is looked for in its own table, so that no join slows the
    list down or repeats a row.
    """
    by_external_id = asked_now("pk", Checkout.objects.filter(external_id=text).values_list("pk", flat=True))
    return payments.filter(_named_by(text) | by_external_id | Q(external_payment_id=text))


def search_checkouts(checkouts: QuerySet[Checkout], text: str) -> QuerySet[Checkout]:
    """The same for payments whose row is gone; the address may be one that only the receipt still has."""
    contact = Q(request_body__receipt__customer__email__icontains=text)
    return checkouts.filter(_named_by(text) | contact | Q(external_id=text))


def _named_by(text: str) -> Q:
    """What both tables have: the payment's id as key, and the client's."""
    refunds = Q(external_id=text)
    found = Q()
    if (amount := read_amount(text)) is not None:
        found |= Q(amount=amount) | Q(pk__in=Checkout.objects.filter(amount=amount).values("pk"))
    if card := _CARD.fullmatch(text):
        paid = Checkout.objects.filter(method_title__endswith=card[1])
        found |= asked_now("pk", paid.values_list("pk", flat=True))
    if (clients := clients_named(text)) is not None:
        found |= asked_now("user_id", User.objects.filter(pk__in=clients).values_list("pk", flat=True))
    if number := _ORDER_NUMBER.fullmatch(text):
        # The beginning of the id: a range, which its index serves, and not a search through texts.
        found |= Q(pk__gte=UUID(number[1] + "0" * 24), pk__lte=UUID(number[1] + "f" * 24))
    try:
        value = UUID(text)
    except ValueError:
        found |= asked_now("user_id", User.objects.filter(email__icontains=text).values_list("pk", flat=True))
    else:
        refunds |= Q(pk=value)
        given = Fulfilment.objects.filter(Q(appointment_id=value) | Q(purchase_id=value))
        found |= Q(pk=value) | Q(user_id=value) | asked_now("pk", given.values_list("pk", flat=True))
    return found | asked_now("pk", Refund.objects.filter(refunds).values_list("payment_id", flat=True))


class StatusFilter(admin.SimpleListFilter):
    title = gettext_lazy("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(status.value, str(status.label)) for status in PaymentStatus]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        status = self.value()
        if status is None or status not in PaymentStatus.values:
            return queryset
        return queryset.filter(having_status(PaymentStatus(status)))


class AttentionFilter(admin.SimpleListFilter):
    title = gettext_lazy("needs attention")
    parameter_name = "attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(ANY, _("any reason")), *((reason.value, str(reason.label)) for reason in Attention)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        marks = PaymentAttention.objects.filter(payment_id=OuterRef("pk"), settled_at__isnull=True)
        if self.value() == ANY:
            return queryset.filter(Exists(marks))
        if self.value() in Attention.values:
            return queryset.filter(Exists(marks.filter(reason=self.value())))
        return queryset


class StuckFilter(admin.SimpleListFilter):
    title = gettext_lazy("unfinished")
    parameter_name = "stuck"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", _("stuck for more than 15 minutes"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        return queryset.filter(stuck()) if self.value() == "yes" else queryset


class KindFilter(admin.SimpleListFilter):
    title = gettext_lazy("what for")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind.value, str(kind.label)) for kind in OrderKind]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        if self.value() not in OrderKind.values:
            return queryset
        return queryset.filter(Q(checkout__kind=self.value()) | Q(checkout__isnull=True, metadata__type=self.value()))


class TestFilter(admin.SimpleListFilter):
    title = gettext_lazy("test payments")
    parameter_name = "test"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", _("without them")), ("yes", _("only them"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        match self.value():
            case "yes":
                return queryset.filter(checkout__test=True)
            case "no":
                return queryset.exclude(checkout__test=True)
            case _:
                return queryset
