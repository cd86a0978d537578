"""The payments as staff see them: what was paid, what went wrong, and what can be done about it."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from bridge.rights import RowsHidden
from payments.admin import fields
from payments.admin.comparison_page import comparison_page
from payments.admin.customers import customer_name
from payments.admin.deleted_rows import deleted_for_list, deleted_page, get_stand_in
from payments.admin.failures import ASKING, explain
from payments.admin.fields import PaymentFields
from payments.admin.finding import (
    AttentionFilter,
    KindFilter,
    StatusFilter,
    StuckFilter,
    TestFilter,
    search_payments,
)
from payments.admin.mails import mails_about, waiting_mails
from payments.admin.messages import messages_about
from payments.admin.notifications import notifications_of
from payments.admin.orders import with_order
from payments.admin.refund_page import refund_page
from payments.admin.refunds import refunds_of
from payments.admin.revenue_page import revenue_page
from payments.admin.shown_status import checkout_of, is_at_provider, with_marks
from payments.admin.timeline import timeline_of
from payments.admin.troubles import troubles_of
from payments.checking.by_staff import check_now, clear_attention, queue_checks
from payments.errors import AskedLately, PaymentError
from payments.models import Payment
from payments.refunds.request import remaining_amount
from staff.fields import IdField
from staff.pages import actor_id, staff_page
from staff.read_only import ReadOnlyAdmin
from staff.second_factor import confirmed_act

MOST_CHECKS = 20


class ClearForm(forms.Form):
    """What staff did about a mark. It ends up in the timeline."""

    note = forms.CharField(label=gettext_lazy("What was done"), max_length=250)
    mark = IdField(required=False, widget=forms.HiddenInput)


@admin.register(Payment)
class PaymentAdmin(PaymentFields, ReadOnlyAdmin):
    """Read-only. Checks and refunds need permissions of their own, and only services write."""

    styles = ("payments/payment_admin.css",)
    finds_clients = True
    list_display = ("status_badge", "amount_and_method", "customer", "order", "created")
    sortable_by = ("amount_and_method", "created")
    list_display_links = ("status_badge",)
    list_filter = (StatusFilter, AttentionFilter, StuckFilter, KindFilter, TestFilter)
    date_hierarchy = "created_at"
    # What is searched is up to `find`.
    search_fields = ("id",)
    search_help_text = gettext_lazy(
        "Client's address, telephone or name, amount, last digits of the card, order number (8 characters), or an id"
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

    def has_revenue_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.view_revenue")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Payment]:
        rows = with_order(super().get_queryset(request).select_related("user", "checkout", "fulfilment"))
        rows = with_marks(rows)
        return rows.defer("checkout__request_body") if self.is_list(request) else rows

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Payment | None:
        """The row, or what stands in for one that was deleted: its money is looked after on the same page."""
        found: Payment | None = super().get_object(request, object_id, from_field)
        return found or get_stand_in(object_id)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        shown: dict[str, Any] = {"may_see_revenue": self.has_revenue_permission(request)}
        if self.has_view_permission(request):
            shown["deleted"] = deleted_for_list(request)
        return super().changelist_view(request, {**shown, **(extra_context or {})})

    def find(self, rows: QuerySet[Payment], text: str) -> QuerySet[Payment]:
        return search_payments(rows, text)

    def client_of(self, row: Payment) -> str:
        return customer_name(row)

    def row_context(self, request: HttpRequest, row: Payment) -> dict[str, Any]:
        checkout = checkout_of(row)
        return {
            "troubles": troubles_of(row),
            "refunds": refunds_of(row),
            "timeline": timeline_of(row),
            "notifications": notifications_of(row),
            "mails": mails_about(request, row),
            "waiting": waiting_mails(request, row),
            "in_queue": messages_about(request, row),
            "clear_form": ClearForm(),
            "may_clear": self.has_check_permission(request),
            "may_check": self.has_check_permission(request) and is_at_provider(row),
            "may_refund": self.has_refund_permission(request)
            and checkout is not None
            and remaining_amount(checkout) > 0,
        }

    @staff_page("revenue/", may="revenue")
    def revenue_view(self, request: HttpRequest) -> HttpResponseBase:
        return revenue_page(self, request)

    @staff_page("deleted/")
    def deleted_view(self, request: HttpRequest) -> HttpResponse:
        return deleted_page(self, request)

    @staff_page("<uuid:pk>/check/", may="check", methods=("POST",))
    def check_view(self, request: HttpRequest, payment: Payment) -> HttpResponse:
        self.log_change(request, payment, _("Checked at YooKassa."))
        try:
            checked = check_now(payment_id=payment.pk, actor_id=actor_id(request))
        except AskedLately:
            text = _("YooKassa was asked about this payment a moment ago. The check is queued and comes by itself.")
            self.message_user(request, text, messages.INFO)
        except ASKING as error:
            self.message_user(request, explain(error), messages.ERROR)
        else:
            text = _("Checked at YooKassa: %(status)s.") % {"status": checked.get_status_display()}
            self.message_user(request, text, messages.SUCCESS)
        return self.back_to(payment)

    @staff_page("<uuid:pk>/refund/", may="refund", methods=("GET", "POST"))
    @confirmed_act
    def refund_view(self, request: HttpRequest, payment: Payment) -> HttpResponse:
        return refund_page(self, request, payment)

    @staff_page("<uuid:pk>/compare/", may="check")
    def compare_view(self, request: HttpRequest, payment: Payment) -> HttpResponse:
        return comparison_page(self, request, payment)

    @staff_page("<uuid:pk>/clear-attention/", may="check", methods=("POST",))
    def clear_attention_view(self, request: HttpRequest, payment: Payment) -> HttpResponse:
        form = ClearForm(request.POST)
        if not form.is_valid():
            self.message_user(request, _("Write down what was done: the mark stays until then."), messages.ERROR)
            return self.back_to(payment)
        try:
            clear_attention(
                payment_id=payment.pk,
                actor_id=actor_id(request),
                note=form.cleaned_data["note"],
                mark_id=form.cleaned_data["mark"],
            )
        except (PaymentError, RowsHidden) as error:
            self.message_user(request, explain(error), messages.ERROR)
        else:
            self.log_change(request, payment, _("Attention cleared: %(note)s") % form.cleaned_data)
            self.message_user(request, _("The mark is cleared."), messages.SUCCESS)
        return self.back_to(payment)

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
