"""The filters of the payments list."""

from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payments.admin.shown_status import having_status, stuck
from payments.models import Payment, PaymentAttention
from payments.states import Attention, OrderKind, PaymentStatus

ANY = "any"


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
