"""The payments as staff see them: what was paid, what went wrong, and what can be done about it."""

import uuid
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from bridge.rights import RowsHidden
from payments.admin import fields
from payments.admin.columns import PaymentColumns
from payments.admin.comparison_page import comparison_page
from payments.admin.deleted_rows import deleted_for_list, deleted_page, get_stand_in
from payments.admin.failures import ASKING, explain
from payments.admin.fields import PaymentFields
from payments.admin.filters import AttentionFilter, KindFilter, StatusFilter, StuckFilter, TestFilter
from payments.admin.orders import with_order
from payments.admin.refund_page import refund_page
from payments.admin.related import notifications_of, refunds_of
from payments.admin.revenue_page import revenue_page
from payments.admin.search import search_payments
from payments.admin.shown_status import checkout_of, is_at_provider, with_marks
from payments.admin.staff import actor_id
from payments.admin.timeline import timeline_of
from payments.admin.troubles import troubles_of
from payments.checking.by_staff import check_now, queue_checks
from payments.errors import PaymentError
from payments.ledger.attention import clear_attention
from payments.models import Payment
from payments.refunds.refunds import remaining_amount
from staff.read_only import ReadOnlyAdmin

MOST_CHECKS = 20


class ClearForm(forms.Form):
    """What staff did about a mark. It ends up in the timeline."""

    note = forms.CharField(label=gettext_lazy("What was done"), max_length=250)
    mark = forms.IntegerField(required=False, widget=forms.HiddenInput)


@admin.register(Payment)
class PaymentAdmin(PaymentColumns, PaymentFields, ReadOnlyAdmin):
    """Read-only. Checks and refunds need permissions of their own, and only services write."""

    styles = ("payments/payment_admin.css",)
    list_display = ("status_badge", "amount_and_method", "customer", "order", "created")
    list_display_links = ("status_badge",)
    list_filter = (StatusFilter, AttentionFilter, StuckFilter, KindFilter, TestFilter)
    date_hierarchy = "created_at"
    # What is searched is up to `get_search_results`; without a field there is no search box.
    search_fields = ("id",)
    search_help_text = gettext_lazy(
        "Client's address, order number (8 characters), or the id of a payment, refund, client or consultation"
    )
    # A customer's row without a time must not stand above all others for ever.
    ordering = (F("created_at").desc(nulls_last=True), "-id")
    actions = ("check_selected",)
    change_form_template = "admin/payments/payment_page.html"
    change_list_template = "admin/payments/payment_list.html"
    fieldsets = (
        (None, {"fields": fields.MAIN}),
        (gettext_lazy("At YooKassa"), {"fields": fields.PROVIDER}),
        (gettext_lazy("Tracing"), {"fields": fields.ROW, "classes": ("collapse",)}),
    )

    def has_check_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.check_payment")

    def has_refund_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.refund_payment")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Payment]:
        rows = with_order(super().get_queryset(request).select_related("user", "checkout", "fulfilment"))
        rows = with_marks(rows)
        return rows.defer("checkout__request_body") if self.is_list(request) else rows

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Payment | None:
        """The row, or what stands in for one that was deleted: its money is looked after on the same page."""
        found: Payment | None = super().get_object(request, object_id, from_field)
        return found or get_stand_in(object_id)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        shown = {"deleted": deleted_for_list(request)} if self.has_view_permission(request) else {}
        return super().changelist_view(request, {**shown, **(extra_context or {})})

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Payment], search_term: str
    ) -> tuple[QuerySet[Payment], bool]:
        return search_payments(queryset, search_term), False

    def get_urls(self) -> list[URLPattern]:
        def address(route: str, name: str, methods: Any, view: Any) -> URLPattern:
            guarded: Callable[..., HttpResponseBase] = methods(self.admin_site.admin_view(view))
            return path(route, guarded, name=f"payments_payment_{name}")

        return [
            address("revenue/", "revenue", require_safe, self.revenue_view),
            address("deleted/", "deleted", require_safe, self.deleted_view),
            address("<uuid:pk>/check/", "check", require_POST, self.check_view),
            address("<uuid:pk>/refund/", "refund", require_http_methods(["GET", "POST"]), self.refund_view),
            address("<uuid:pk>/compare/", "compare", require_safe, self.compare_view),
            address("<uuid:pk>/clear-attention/", "clear_attention", require_POST, self.clear_attention_view),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        payment = self.get_object(request, object_id)
        context = {} if payment is None else self._page(request, payment)
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def revenue_view(self, request: HttpRequest) -> HttpResponse:
        return revenue_page(self, request) if self.has_view_permission(request) else HttpResponse(status=403)

    def deleted_view(self, request: HttpRequest) -> HttpResponse:
        return deleted_page(self, request) if self.has_view_permission(request) else HttpResponse(status=403)

    def check_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        payment = self._visible(request, pk)
        if payment is None or not self.has_check_permission(request):
            return HttpResponse(status=404 if payment is None else 403)
        self.log_change(request, payment, _("Checked at YooKassa."))
        try:
            checked = check_now(payment_id=pk, actor_id=actor_id(request))
        except ASKING as error:
            self.message_user(request, explain(error), messages.ERROR)
        else:
            text = _("Checked at YooKassa: %(status)s.") % {"status": checked.get_status_display()}
            self.message_user(request, text, messages.SUCCESS)
        return self._back(pk)

    def refund_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        payment = self._visible(request, pk)
        if payment is None or not self.has_refund_permission(request):
            return HttpResponse(status=404 if payment is None else 403)
        return refund_page(self, request, payment)

    def compare_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        payment = self._visible(request, pk)
        if payment is None or not self.has_check_permission(request):
            return HttpResponse(status=404 if payment is None else 403)
        return comparison_page(self, request, payment)

    def clear_attention_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        payment = self._visible(request, pk)
        if payment is None or not self.has_check_permission(request):
            return HttpResponse(status=404 if payment is None else 403)
        form = ClearForm(request.POST)
        if not form.is_valid():
            self.message_user(request, _("Write down what was done: the mark stays until then."), messages.ERROR)
            return self._back(pk)
        try:
            clear_attention(
                payment_id=pk,
                actor_id=actor_id(request),
                note=form.cleaned_data["note"],
                mark_id=form.cleaned_data["mark"],
            )
        except (PaymentError, RowsHidden) as error:
            self.message_user(request, explain(error), messages.ERROR)
        else:
            self.log_change(request, payment, _("Attention cleared: %(note)s") % form.cleaned_data)
            self.message_user(request, _("The mark is cleared."), messages.SUCCESS)
        return self._back(pk)

    @admin.action(description=gettext_lazy("Check the selected payments at YooKassa"), permissions=["check"])
    def check_selected(self, request: HttpRequest, queryset: QuerySet[Payment]) -> None:
        chosen = list(queryset[: MOST_CHECKS + 1])
        if len(chosen) > MOST_CHECKS:
            text = _("Choose at most %(count)s payments: YooKassa limits how often it may be asked.")
            self.message_user(request, text % {"count": MOST_CHECKS}, messages.ERROR)
            return
        queued = set(queue_checks(payment_ids=[payment.pk for payment in chosen], actor_id=actor_id(request)))
        for payment in chosen:
            if payment.pk in queued:
                self.log_change(request, payment, _("Check at YooKassa queued."))
        text = ngettext("%(count)s check is queued.", "%(count)s checks are queued.", len(queued))
        self.message_user(request, text % {"count": len(queued)}, messages.SUCCESS if queued else messages.WARNING)
        if len(queued) < len(chosen):
            text = _("Not checked, as they were never started at YooKassa: %(count)s.")
            self.message_user(request, text % {"count": len(chosen) - len(queued)}, messages.WARNING)

    def _page(self, request: HttpRequest, payment: Payment) -> dict[str, Any]:
        checkout = checkout_of(payment)
        return {
            "troubles": troubles_of(payment),
            "refunds": refunds_of(payment),
            "timeline": timeline_of(payment),
            "notifications": notifications_of(payment),
            "clear_form": ClearForm(),
            "may_clear": self.has_check_permission(request),
            "may_check": self.has_check_permission(request) and is_at_provider(payment),
            "may_refund": self.has_refund_permission(request)
            and checkout is not None
            and remaining_amount(checkout) > 0,
        }

    def _visible(self, request: HttpRequest, pk: uuid.UUID) -> Payment | None:
        payment = self.get_object(request, str(pk))
        return payment if payment is not None and self.has_view_permission(request, payment) else None

    def _back(self, pk: uuid.UUID) -> HttpResponseRedirect:
        return HttpResponseRedirect(reverse("admin:payments_payment_change", args=[pk]))
