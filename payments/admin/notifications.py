"""What YooKassa, or somebody in its name, told us: each notification as it came, and a way to check it again."""

import json
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bridge.rights import RowsHidden
from payments.admin.failures import explain
from payments.admin.finding import search_checkouts, search_payments
from payments.admin.unsettled import open_notifications, settled_notifications
from payments.errors import PaymentError
from payments.ledger.deleted_rows import without_row
from payments.models import Payment, ProviderNotification
from payments.states import NotificationStatus
from payments.webhook.journal import ALREADY_KNOWN, ANOTHER_ID, NOT_OURS, OTHER_OBJECT, replay_notification
from payments.webhook.store import STRANGER
from payments.words import event_name, event_with_code
from staff.attention import StandingFilter
from staff.badges import Tone, badge, yes_or_no
from staff.formats import block, in_code, moment, pretty_json, two_lines
from staff.pages import actor_id, staff_page
from staff.read_only import ReadOnlyAdmin
from wording.russian import order_number

MOST_OF_ONE_PAYMENT = 20

_TONES = {
    NotificationStatus.STORED: Tone.UNDERWAY,
    NotificationStatus.PROCESSED: Tone.GOOD,
    NotificationStatus.IGNORED: Tone.QUIET,
    NotificationStatus.REFUSED: Tone.LATE,
    NotificationStatus.FAILED: Tone.BAD,
}
# The journal keeps them in English.
_REASONS: dict[str, str | Promise] = {
    ALREADY_KNOWN: gettext_lazy("this was known already"),
    STRANGER: gettext_lazy("the sender's address is not one of YooKassa's"),
    NOT_OURS: gettext_lazy("it names no payment that was started here"),
    OTHER_OBJECT: gettext_lazy("it is about neither a payment nor a refund"),
}
_ADVICE = {
    NotificationStatus.REFUSED: gettext_lazy(
        "It came from an address that is not YooKassa's, so nothing was done. If YooKassa itself sent it, the proxies "
        "in TRUSTED_PROXIES are wrong: mend that, then process the notification again."
    ),
    NotificationStatus.FAILED: gettext_lazy(
        "The check of the payment failed. Process the notification again; if that fails, show the error to the "
        "developers."
    ),
}


@dataclass(frozen=True, slots=True)
class NotificationLine:
    pk: int
    received: str
    event: str
    status: SafeString
    why: str


class NotificationStanding(StandingFilter):
    settled = gettext_lazy("checked since")

    def open_rows(self, rows: QuerySet[ProviderNotification]) -> QuerySet[ProviderNotification]:
        return open_notifications(rows)

    def settled_rows(self, rows: QuerySet[ProviderNotification]) -> QuerySet[ProviderNotification]:
        return settled_notifications(rows)


@admin.register(ProviderNotification)
class ProviderNotificationAdmin(ReadOnlyAdmin):
    """Read-only but for "process again", which needs its own permission."""

    styles = ("payments/payment_admin.css",)
    list_display = ("status_badge", "event_and_object", "payment_link", "address", "received")
    sortable_by = ("received",)
    list_display_links = ("status_badge",)
    list_filter = (NotificationStanding, "status", "trusted", "received_at")
    date_hierarchy = "received_at"
    # What is searched is up to `find`.
    search_fields = ("object_id",)
    search_help_text = gettext_lazy(
        "Client's address, telephone or name, order number (8 characters), the id of a payment or refund, or a trace id"
    )
    ordering = ("-received_at", "-id")
    change_form_template = "admin/payments/notification_page.html"
    fields = (
        *("status_badge", "why", "advice", "technical", "event_text", "object_id", "payment_link"),
        *("address", "from_yookassa", "received", "processed", "body_text", "msg_id", "trace_id"),
    )

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.replay_providernotification")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProviderNotification]:
        rows: QuerySet[ProviderNotification] = super().get_queryset(request)
        return rows.defer("body") if self.is_list(request) else rows

    def get_fields(self, request: HttpRequest, obj: ProviderNotification | None = None) -> Any:
        """What is wrong is shown only where something is."""
        fine = {"why", "technical"}
        if obj is not None and obj.error:
            fine.remove("why")
        if obj is not None and technical_text(obj):
            fine.remove("technical")
        if obj is None or obj.status not in _ADVICE:
            fine.add("advice")
        return [field for field in self.fields if field not in fine]

    def find(self, rows: QuerySet[ProviderNotification], text: str) -> QuerySet[ProviderNotification]:
        payments = search_payments(Payment.objects.all(), text)
        deleted = search_checkouts(without_row(), text)
        own = Q(object_id=text) | Q(trace_id=text)
        of_payments = Q(payment_id__in=payments.values("pk")) | Q(payment_id__in=deleted.values("pk"))
        return rows.filter(own | of_payments)

    def row_context(self, request: HttpRequest, row: ProviderNotification) -> dict[str, Any]:
        return {"may_replay": self.has_replay_permission(request)}

    @staff_page("<int:pk>/replay/", may="replay", methods=("POST",))
    def replay_view(self, request: HttpRequest, row: ProviderNotification) -> HttpResponse:
        try:
            number = replay_notification(notification_id=row.pk, actor_id=actor_id(request))
        except (PaymentError, RowsHidden) as error:
            self.message_user(request, explain(error), messages.ERROR)
        else:
            self.log_change(request, row, _("Processed again."))
            text = _("The check is queued as message № %(number)s.") % {"number": number}
            self.message_user(request, text, messages.SUCCESS)
        return self.back_to(row)

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def status_badge(self, row: ProviderNotification) -> SafeString:
        return notification_badge(row)

    @admin.display(description=gettext_lazy("why"))
    def why(self, row: ProviderNotification) -> str:
        return reason_text(row)

    @admin.display(description=gettext_lazy("technical details"))
    def technical(self, row: ProviderNotification) -> SafeString:
        return in_code(technical_text(row))

    @admin.display(description=gettext_lazy("what to do"))
    def advice(self, row: ProviderNotification) -> str:
        return str(_ADVICE[NotificationStatus(row.status)])

    @admin.display(description=gettext_lazy("event"), ordering="event")
    def event_and_object(self, row: ProviderNotification) -> SafeString:
        return two_lines(event_name(row.event), row.object_id)

    @admin.display(description=gettext_lazy("from the provider's addresses"))
    def from_yookassa(self, row: ProviderNotification) -> SafeString:
        return yes_or_no(row.trusted, no=Tone.LATE)

    @admin.display(description=gettext_lazy("event"))
    def event_text(self, row: ProviderNotification) -> str:
        return event_with_code(row.event)

    @admin.display(description=gettext_lazy("payment"))
    def payment_link(self, row: ProviderNotification) -> str:
        if row.payment_id is None:
            return "—"
        address = reverse("admin:payments_payment_change", args=[row.payment_id])
        return format_html('<a href="{}">{}…</a>', address, order_number(row.payment_id))

    @admin.display(description=gettext_lazy("received"), ordering="received_at")
    def received(self, row: ProviderNotification) -> str:
        return moment(row.received_at)

    @admin.display(description=gettext_lazy("checked at"))
    def processed(self, row: ProviderNotification) -> str:
        return moment(row.processed_at)

    @admin.display(description=gettext_lazy("body"))
    def body_text(self, row: ProviderNotification) -> str:
        """Readable where it is JSON, and as it came otherwise; escaped in any case."""
        try:
            return pretty_json(json.loads(row.body))
        except (ValueError, RecursionError):
            return block(row.body)


def notifications_of(payment: Payment) -> list[NotificationLine]:
    rows = ProviderNotification.objects.filter(payment_id=payment.pk).defer("body").order_by("-received_at", "-pk")
    return [
        NotificationLine(
            row.pk,
            moment(row.received_at),
            str(event_name(row.event)),
            notification_badge(row),
            reason_text(row),
        )
        for row in rows[:MOST_OF_ONE_PAYMENT]
    ]


def reason_text(row: ProviderNotification) -> str:
    """Why nothing was done about it, never in words of the journal; empty for what was checked or is going to be."""
    if not row.error:
        return ""
    if row.status == NotificationStatus.FAILED:
        return _("the check of the payment failed")
    if ANOTHER_ID in row.error:
        return _("it names a payment of ours that has another id at YooKassa")
    return str(_REASONS.get(row.error, gettext_lazy("something else: see the technical details")))


def technical_text(row: ProviderNotification) -> str:
    """What the journal has beyond those words; empty where they say it all."""
    return "" if row.error in _REASONS else row.error


def notification_badge(notification: ProviderNotification) -> SafeString:
    return badge(notification.get_status_display(), _TONES[NotificationStatus(notification.status)])
