"""What staff see of the mails: a log to search, each mail as it went out, and a way to send a failed one again."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models import QuerySet
from django.forms import Media
from django.forms.widgets import Script
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from bridge.admin.addresses import ways_to_messages
from bridge.admin.subjects import Shown, Subject, tell_subjects
from bridge.operations.actor import staff_actor
from notifications.advice import ADVICE, why_not_resent
from notifications.finding import search_mails
from notifications.mail_log import ASKED_BEFORE
from notifications.models import NOT_ARRIVED, UNFINISHED, Arrival, EmailMessage, Status, Tracking
from notifications.queue import QUEUE, send_again
from notifications.shown_status import ADVICE as ARRIVAL_ADVICE
from notifications.shown_status import OF_COMPLAINT, mail_badge, why_not_arrived, with_arrival
from notifications.unsettled import open_bounces, open_failures, settled_failures, with_standing
from notifications.waiting import claims_of, held_mails, waiting_for
from notifications.writing.catalogue import ALL_MAILS
from staff.attention import OPEN, StandingFilter
from staff.badges import Tone, badge
from staff.formats import block, in_code, moment
from staff.pages import staff_page
from staff.read_only import ReadOnlyAdmin
from staff.second_factor import confirmed_act
from staff.sections import one_reading
from wording.addresses import breakable_address
from wording.masking import mask_tokens
from wording.typed import read_whole

# What a mail needs to look like itself, and nothing that could run, load, submit or be framed by somebody else. The
# variables in it came from the internet; escaping them is the first lock, and this is the second. It is of our origin,
# so that the page around it can tell how high it is; as nothing in it runs, that gives it nothing.
_PREVIEW_POLICY = "; ".join(
    (
        *("default-src 'none'", "style-src 'unsafe-inline'", "base-uri 'none'", "form-action 'none'"),
        *("frame-ancestors 'self'", "sandbox allow-same-origin"),
    )
)
# Nobody reads seventy numbers; the count says how many there are.
MOST_LINKED = 5
MOST_AT_ONCE = 500


class MailStanding(StandingFilter):
    settled = gettext_lazy("replaced by a repeat")

    def open_rows(self, rows: QuerySet[EmailMessage]) -> QuerySet[EmailMessage]:
        return open_failures(rows)

    def settled_rows(self, rows: QuerySet[EmailMessage]) -> QuerySet[EmailMessage]:
        return settled_failures(rows)


class ArrivalFilter(admin.SimpleListFilter):
    """What became of mails that a provider took, of which one tells that."""

    title = gettext_lazy("delivery")
    parameter_name = "arrival"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            (OPEN, str(gettext_lazy("needs attention"))),
            ("not_arrived", str(Arrival.BOUNCED.label)),
            # Nearly all the others arrived, and nobody looks for those.
            *((one.value, str(one.label)) for one in (Arrival.COMPLAINED, Arrival.DEFERRED)),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[EmailMessage]) -> QuerySet[EmailMessage]:
        match self.value():
            case None:
                return queryset
            case value if value == OPEN:
                return open_bounces(queryset)
            case "not_arrived":
                wanted: Sequence[str] = NOT_ARRIVED
            case value:
                wanted = tuple(one for one in (Arrival.COMPLAINED, Arrival.DEFERRED) if one == value)
        told = Tracking.objects.filter(arrival__in=wanted, email__isnull=False)
        return queryset.filter(pk__in=told.values("email_id"))


class TemplateFilter(admin.SimpleListFilter):
    """The templates of the catalogue: a list that costs no query."""

    title = gettext_lazy("template")
    parameter_name = "template"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [*((name, str(template.label)) for name, template in ALL_MAILS.items()), ("-", _("unknown template"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[EmailMessage]) -> QuerySet[EmailMessage]:
        match self.value():
            case None:
                return queryset
            case "-":
                return queryset.exclude(template__in=ALL_MAILS)
            case name:
                return queryset.filter(template=name)


@admin.register(EmailMessage)
class EmailMessageAdmin(ReadOnlyAdmin):
    """Read-only but for "send again", which needs its own permission."""

    styles = ("notifications/email_admin.css",)
    finds_clients = True
    list_display = ("status_badge", "address", "template_label", "subject", "attempts", "created")
    sortable_by = ("created",)
    list_display_links = ("status_badge", "address")
    list_filter = (MailStanding, "status", ArrivalFilter, TemplateFilter, "created_at")
    date_hierarchy = "created_at"
    # What is searched is up to `find`.
    search_fields = ("recipient",)
    search_help_text = gettext_lazy(
        "Recipient, subject, client's telephone or name, id of what the email is about, message number or trace id"
    )
    ordering = ("-created_at", "-id")
    actions = ("send_selected_again",)
    change_form_template = "admin/notifications/emailmessage/change_form.html"
    fieldsets = (
        (gettext_lazy("The email as it went out"), {"fields": ("preview", "attached", "text_version")}),
        (
            gettext_lazy("Delivery"),
            {"fields": ("attempts", "next_retry_at", "created_at", "updated_at", "sent_at", "reason", "kind_of_error")},
        ),
        (
            gettext_lazy("Tracing"),
            {
                "fields": (
                    *("queue", "msg_id", "enqueued_at", "trace_id", "message_id", "provider", "provider_message_id"),
                    *("sent_again_for", "sent_again_as", "original"),
                )
            },
        ),
    )

    @property
    def media(self) -> Media:
        # Deferred: the frame that it looks for comes later in the page. The stubs know of addresses alone.
        preview = Script("notifications/email_preview.js", defer=True)
        return super().media + Media(js=[preview])  # type: ignore[list-item]

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("notifications.resend_emailmessage")

    def get_queryset(self, request: HttpRequest) -> QuerySet[EmailMessage]:
        rows = with_arrival(with_standing(super().get_queryset(request)))
        return rows.defer("html_body", "text_body") if self.is_list(request) else rows.select_related("duplicate_of")

    def get_fieldsets(self, request: HttpRequest, obj: EmailMessage | None = None) -> Any:
        """What is wrong stands at the top of the page, and only where something is."""
        trouble: tuple[str, ...] = ()
        if obj is not None and obj.reason:
            trouble = ("advice", "technical")
        elif obj is not None and obj.error:
            trouble = ("why_duplicate",) if _asked_before(obj) else ("technical",)
        if getattr(obj, "arrival", None) in {*NOT_ARRIVED, Arrival.COMPLAINED}:
            trouble += ("not_arrived", "arrival_advice", "provider_words")
        head = (None, {"fields": ("status_badge", *trouble, "recipient", "subject", "template_label")})
        return (head, *super().get_fieldsets(request, obj))

    def find(self, rows: QuerySet[EmailMessage], text: str) -> QuerySet[EmailMessage]:
        return search_mails(rows, text)

    def client_of(self, row: EmailMessage) -> str:
        return row.recipient

    def thing_of(self, row: EmailMessage) -> str:
        return row.about

    def row_context(self, request: HttpRequest, row: EmailMessage) -> dict[str, Any]:
        offer = row.status == Status.FAILED and self.has_resend_permission(request)
        in_queue = ways_to_messages(request, row.queue, [row.msg_id])
        held = held_mails() if row.status in UNFINISHED else []
        return {"offer_send_again": offer and not self._successors(row), "in_queue": in_queue, "held": held}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        text = request.GET.get(SEARCH_VAR, "").strip()
        with one_reading():
            waiting = waiting_for(request, text) if text and self.has_view_permission(request) else None
            return super().changelist_view(request, {"waiting": waiting, **(extra_context or {})})

    @staff_page("<int:pk>/preview/")
    def preview_view(self, request: HttpRequest, row: EmailMessage) -> HttpResponse:
        return _preview_response(row)

    @staff_page("<int:pk>/send-again/", may="resend", methods=("POST",))
    @confirmed_act
    def send_again_view(self, request: HttpRequest, row: EmailMessage) -> HttpResponse:
        self._send_again(request, [row])
        return self.back_to(row)

    @admin.action(description=gettext_lazy("Send the selected failed emails again"), permissions=["resend"])
    @confirmed_act
    def send_selected_again(self, request: HttpRequest, queryset: QuerySet[EmailMessage]) -> None:
        rows = list(queryset[: MOST_AT_ONCE + 1])
        if len(rows) > MOST_AT_ONCE:
            text = _("Choose at most %(count)s emails: whoever presses the button waits for them.")
            self.message_user(request, text % {"count": MOST_AT_ONCE}, messages.ERROR)
            return
        self._send_again(request, rows)

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def status_badge(self, row: EmailMessage) -> SafeString:
        if row.status == Status.FAILED and getattr(row, "is_settled", False):
            return badge(_("replaced by a repeat"), Tone.QUIET)
        return mail_badge(row)

    @admin.display(description=gettext_lazy("recipient"), ordering="recipient")
    def address(self, row: EmailMessage) -> SafeString:
        return breakable_address(row.recipient)

    @admin.display(description=gettext_lazy("template"), ordering="template")
    def template_label(self, row: EmailMessage) -> str:
        template = ALL_MAILS.get(row.template)
        return str(template.label) if template else row.template or "—"

    @admin.display(description=gettext_lazy("created"), ordering="created_at")
    def created(self, row: EmailMessage) -> str:
        return moment(row.created_at)

    @admin.display(description=gettext_lazy("Why"))
    def why_duplicate(self, row: EmailMessage) -> str:
        return _("this email was asked for before, by message № %(number)s") % {"number": _asked_before(row)}

    @admin.display(description=gettext_lazy("technical details"))
    def technical(self, row: EmailMessage) -> SafeString:
        return in_code(row.error)

    @admin.display(description=gettext_lazy("kind of error"))
    def kind_of_error(self, row: EmailMessage) -> str:
        return in_code(row.error_type) if row.error_type else "—"

    @admin.display(description=gettext_lazy("what to do"))
    def advice(self, row: EmailMessage) -> str:
        return str(ADVICE.get(row.reason, ""))

    @admin.display(description=gettext_lazy("Why"))
    def not_arrived(self, row: EmailMessage) -> str:
        known = Tracking.objects.filter(email=row).first()
        if known is None:
            return "—"
        why = str(Arrival.COMPLAINED.label) if known.arrival == Arrival.COMPLAINED else why_not_arrived(row)
        return f"{why} ({moment(known.at)})"

    @admin.display(description=gettext_lazy("what to do"))
    def arrival_advice(self, row: EmailMessage) -> str:
        return str(ARRIVAL_ADVICE.get(getattr(row, "why_not", ""), OF_COMPLAINT))

    @admin.display(description=gettext_lazy("the provider's words"))
    def provider_words(self, row: EmailMessage) -> str:
        words = Tracking.objects.filter(email=row).values_list("detail", flat=True).first()
        return in_code(words) if words else "—"

    @admin.display(description=gettext_lazy("preview"))
    def preview(self, row: EmailMessage) -> str:
        if not row.html_body:
            return _("The text was not written, or was deleted when its time was up.")
        address = reverse("admin:notifications_emailmessage_preview", args=[row.pk])
        # The sandbox lets nothing in the mail run, submit or open anything.
        return format_html(
            '<iframe class="email-preview" sandbox="allow-same-origin" src="{0}" title="{1}"></iframe>'
            '<p><a href="{0}" target="_blank" rel="noopener">{2}</a></p>',
            address,
            row.subject,
            _("Open it in a window of its own"),
        )

    @admin.display(description=gettext_lazy("attachments"))
    def attached(self, row: EmailMessage) -> str:
        return row.attachments.replace("\n", ", ") or "—"

    @admin.display(description=gettext_lazy("text version"))
    def text_version(self, row: EmailMessage) -> str:
        return block(mask_tokens(row.text_body)) if row.text_body else "—"

    @admin.display(description=gettext_lazy("sent again for"))
    def sent_again_for(self, row: EmailMessage) -> str:
        if row.requeued_from is None:
            return "—"
        return self._links(EmailMessage.objects.filter(queue=row.queue, msg_id=row.requeued_from)) or str(
            row.requeued_from
        )

    @admin.display(description=gettext_lazy("sent again as"))
    def sent_again_as(self, row: EmailMessage) -> str:
        return self._links(self._successors(row)) or "—"

    @admin.display(description=gettext_lazy("duplicate of"))
    def original(self, row: EmailMessage) -> str:
        return self._links([row.duplicate_of]) if row.duplicate_of else "—"

    def _successors(self, row: EmailMessage) -> QuerySet[EmailMessage]:
        if row.msg_id is None:
            return EmailMessage.objects.none()
        return EmailMessage.objects.filter(queue=row.queue, requeued_from=row.msg_id)

    def _links(self, rows: QuerySet[EmailMessage] | list[EmailMessage]) -> str:
        links = [
            format_html(
                '<a href="{}">№ {}</a>', reverse("admin:notifications_emailmessage_change", args=[row.pk]), row.msg_id
            )
            for row in rows
        ]
        return SafeString(", ".join(links))

    def _send_again(self, request: HttpRequest, rows: list[EmailMessage]) -> None:
        numbers, refusals = send_again(rows, actor=staff_actor(request.user))
        for refusal in refusals[:MOST_LINKED]:
            self.message_user(request, why_not_resent(refusal), messages.ERROR)
        if (left := len(refusals) - MOST_LINKED) > 0:
            self.message_user(request, _("And %(count)s more.") % {"count": left}, messages.ERROR)
        if numbers:
            text = ngettext("%(count)s email is queued again:", "%(count)s emails are queued again:", len(numbers)) % {
                "count": len(numbers)
            }
            address = reverse("admin:notifications_emailmessage_changelist")
            shown = numbers[:MOST_LINKED]
            links = [format_html('<a href="{}?q={}">№ {}</a>', address, number, number) for number in shown]
            more = " …" if len(numbers) > len(shown) else ""
            self.message_user(
                request, format_html("{} {}{}", text, SafeString(", ".join(links)), more), messages.SUCCESS
            )


def mail_subjects(request: HttpRequest, shown: Sequence[Shown]) -> dict[int, Subject]:
    """Which mails the messages of the mail queue are, and for those who may see mails, to whom."""
    numbers = [one.msg_id for one in shown]
    rows = EmailMessage.objects.filter(queue=QUEUE, msg_id__in=numbers).only("msg_id", "recipient", "template")
    may = request.user.has_perm("notifications.view_emailmessage")
    # Those that nobody began to send have no row, and say themselves what they are.
    claimed = {one.msg_id: _claimed(claims_of(one.text), may=may) for one in shown}
    known = {row.msg_id: _subject(row, may=may) for row in rows if row.msg_id is not None}
    return {msg_id: subject for msg_id, subject in {**claimed, **known}.items() if subject is not None}


def _subject(row: EmailMessage, *, may: bool) -> Subject:
    if not may:
        template = ALL_MAILS.get(row.template)
        return Subject(str(template.label) if template else _("email"))
    return Subject(row.recipient or str(row), reverse("admin:notifications_emailmessage_change", args=[row.pk]))


def _claimed(claims: dict[str, str], *, may: bool) -> Subject | None:
    template = ALL_MAILS.get(claims.get("template", ""))
    name = claims.get("to", "") if may else str(template.label) if template else ""
    return Subject(name) if name else None


tell_subjects(QUEUE, mail_subjects)


def _asked_before(row: EmailMessage) -> str:
    """The number of the message that asked for the same mail before; empty unless that is what is wrong."""
    before, _space, number = row.error.rpartition(" ")
    return (
        number if row.status == Status.DUPLICATE and before == ASKED_BEFORE and read_whole(number) is not None else ""
    )


def _preview_response(row: EmailMessage) -> HttpResponse:
    """Return the HTML of the mail, locked up and with its links of no use.

    A link opens a family's report for whoever has it. Those who may see that have a page of their own, which notes it.
    """
    if not row.html_body:
        raise Http404
    response = HttpResponse(mask_tokens(row.html_body))
    response["Content-Security-Policy"] = _PREVIEW_POLICY
    response["X-Frame-Options"] = "SAMEORIGIN"
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "no-store"
    return response
