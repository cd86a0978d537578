"""The reports as staff see them: how they went, what they look like, and a way to have one made again."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import CharField, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bridge.admin.addresses import ways_to_messages
from bridge.admin.subjects import Shown, Subject, tell_subjects
from bridge.errors import InvalidMessage
from notifications.clients import clients_named
from reports.advice import advice_for, refusal_text
from reports.errors import AssessmentMissing, AssessmentNotCompleted, FileUnavailable, ReportNotReady
from reports.making.asking import request_report
from reports.models import Kind, Report, RequestedBy, Status
from reports.owners import find_users
from reports.queue import QUEUE, ReportRequest
from reports.storage.files import file_response
from reports.unsettled import open_failures, settled_failures, waiting_long
from staff.attention import StandingFilter
from staff.badges import Tone, badge, yes_or_no
from staff.formats import in_code, moment, two_lines
from staff.pages import staff_page
from staff.read_only import ReadOnlyAdmin
from wording.addresses import breakable_address
from wording.typed import read_whole

# Supabase's table is nobody's model in this package.
_EMAIL = "SELECT users.email FROM public.users WHERE users.id = reports_report.user_id"
_CHILD = """
SELECT profiles.first_name FROM public.assessments JOIN public.profiles ON profiles.id = assessments.profile_id
WHERE assessments.id = reports_report.assessment_id AND profiles.user_id = reports_report.user_id
"""
_TONES = {
    Status.QUEUED: Tone.QUIET,
    Status.RENDERING: Tone.UNDERWAY,
    Status.RETRYING: Tone.LATE,
    Status.STORED: Tone.GOOD,
    Status.FAILED: Tone.BAD,
}

WAITING = "waiting"


class ReportStanding(StandingFilter):
    settled = gettext_lazy("nothing has to be done")

    def open_rows(self, rows: QuerySet[Report]) -> QuerySet[Report]:
        return open_failures(rows)

    def settled_rows(self, rows: QuerySet[Report]) -> QuerySet[Report]:
        return settled_failures(rows)

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [*super().lookups(request, model_admin), (WAITING, _("not ready for more than half an hour"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Report]) -> QuerySet[Report]:
        return waiting_long(queryset) if self.value() == WAITING else super().queryset(request, queryset)


@admin.register(Report)
class ReportAdmin(ReadOnlyAdmin):
    """Read-only. What a report says, and having it made again, need permissions of their own."""

    styles = ("reports/report_admin.css",)
    finds_clients = True
    list_display = ("status_badge", "kind", "client", "check_up", "file_size", "pages", "took", "asked")
    sortable_by = ("asked",)
    list_filter = (ReportStanding, "status", "kind", "reason", "is_confirmed", "created_at")
    date_hierarchy = "created_at"
    # What is searched is up to `find`.
    search_fields = ("=trace_id",)
    search_help_text = gettext_lazy(
        "Client's address, telephone or name, id of a report, check-up or client, message number or trace id"
    )
    ordering = ("-created_at", "-id")
    change_form_template = "admin/reports/report/change_form.html"

    def has_download_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("reports.download_report")

    def has_regenerate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("reports.regenerate_report")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Report]:
        return with_people(super().get_queryset(request)).defer("preview")

    def get_list_display(self, request: HttpRequest) -> Any:
        """Whose check-up it was, for those who may open what it says."""
        if not self.has_download_permission(request):
            return self.list_display
        return tuple("child" if column == "check_up" else column for column in self.list_display)

    def get_list_display_links(self, request: HttpRequest, list_display: Any) -> Any:
        return [column for column in ("status_badge", "check_up", "child") if column in list_display]

    def find(self, rows: QuerySet[Report], text: str) -> QuerySet[Report]:
        return search_reports(rows, text)

    def get_fieldsets(self, request: HttpRequest, obj: Report | None = None) -> Any:
        noted = ("technical",) if obj is not None and obj.error else ()
        trouble = ("advice", *noted) if obj is not None and obj.reason else noted
        picture = ("first_page",) if obj is not None and obj.pages and self.has_download_permission(request) else ()
        return (
            (
                None,
                {
                    "fields": (
                        "status_badge",
                        *trouble,
                        "kind",
                        "client",
                        "assessment_id",
                        "confirmed",
                        "requested_by",
                    )
                },
            ),
            (gettext_lazy("Document"), {"fields": (*picture, "file_size", "pages", "duration", "stored_at")}),
            (
                gettext_lazy("Making"),
                {"fields": ("attempts", "next_retry_at", "created_at", "updated_at", "reason", "kind_of_error")},
            ),
            (
                gettext_lazy("Tracing"),
                {"fields": ("number", "client_number", "queue", "msg_id", "trace_id", "storage_key", "sha256")},
            ),
        )

    def client_of(self, row: Report) -> str:
        return str(getattr(row, "email", None) or row.user_id)

    def thing_of(self, row: Report) -> str:
        return str(row.assessment_id)

    def row_context(self, request: HttpRequest, row: Report) -> dict[str, Any]:
        return {
            "offer_file": row.has_document and self.has_download_permission(request),
            "offer_again": row.is_confirmed and self.has_regenerate_permission(request),
            "in_queue": ways_to_messages(request, row.queue, [row.msg_id]),
        }

    @staff_page("<uuid:pk>/preview/", may="download")
    def preview_view(self, request: HttpRequest, report: Report) -> HttpResponse:
        if not report.preview:
            raise Http404
        response = HttpResponse(bytes(report.preview), content_type="image/png")
        response["Cache-Control"] = "private, no-store"
        response["X-Content-Type-Options"] = "nosniff"
        return response

    @staff_page("<uuid:pk>/file/", may="download")
    def file_view(self, request: HttpRequest, report: Report) -> HttpResponseBase:
        try:
            response = file_response(report)
        except (ReportNotReady, FileUnavailable) as error:
            self.message_user(request, refusal_text(error), messages.ERROR)
        else:
            # A family's report left the house: who took it must be known later.
            self.log_change(request, report, _("Downloaded."))
            return response
        return self.back_to(report)

    @staff_page("<uuid:pk>/generate-again/", may="regenerate", methods=("POST",))
    def generate_again_view(self, request: HttpRequest, report: Report) -> HttpResponse:
        try:
            queued = request_report(
                assessment_id=report.assessment_id,
                user_id=report.user_id,
                kind=Kind(report.kind),
                requested_by=RequestedBy.STAFF,
            )
        except (AssessmentMissing, AssessmentNotCompleted) as error:
            self.message_user(request, refusal_text(error), messages.ERROR)
        else:
            self.log_change(request, report, _("Generated again."))
            text = _("The report is queued as message № %(number)s.") % {"number": queued.msg_id}
            self.message_user(request, text, messages.SUCCESS)
        return self.back_to(report)

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def status_badge(self, report: Report) -> SafeString:
        return badge(report.get_status_display(), _TONES[Status(report.status)])

    @admin.display(description=gettext_lazy("client"))
    def client(self, report: Report) -> str:
        return breakable_address(str(getattr(report, "email", None) or "—"))

    # The model's own names for them say "Id", and "client" a second time.
    @admin.display(description=gettext_lazy("the assessment is the client's"))
    def confirmed(self, report: Report) -> SafeString:
        return yes_or_no(report.is_confirmed, no=Tone.LATE)

    @admin.display(description=gettext_lazy("report number"))
    def number(self, report: Report) -> str:
        return str(report.pk)

    @admin.display(description=gettext_lazy("client number"))
    def client_number(self, report: Report) -> str:
        return str(report.user_id)

    @admin.display(description=gettext_lazy("assessment"), ordering="assessment_id")
    def check_up(self, report: Report) -> str:
        return f"{str(report.assessment_id)[:8]}…"

    @admin.display(description=gettext_lazy("assessment"), ordering="assessment_id")
    def child(self, report: Report) -> str:
        return two_lines(getattr(report, "child_name", None) or "—", self.check_up(report))

    @admin.display(description=gettext_lazy("size"), ordering="size")
    def file_size(self, report: Report) -> str:
        return filesizeformat(report.size) if report.size else "—"

    @admin.display(description=gettext_lazy("rendering time"))
    def duration(self, report: Report) -> str:
        if report.duration_ms is None:
            return "—"
        return _("%(seconds)s s") % {"seconds": number_format(report.duration_ms / 1000, 2)}

    # The same under a shorter name: the list is as wide as its window already.
    @admin.display(description=gettext_lazy("time of rendering"), ordering="duration_ms")
    def took(self, report: Report) -> str:
        return self.duration(report)

    @admin.display(description=gettext_lazy("asked for"), ordering="created_at")
    def asked(self, report: Report) -> str:
        return moment(report.created_at)

    @admin.display(description=gettext_lazy("kind of error"))
    def kind_of_error(self, report: Report) -> str:
        return in_code(report.error_type) if report.error_type else "—"

    @admin.display(description=gettext_lazy("what to do"))
    def advice(self, report: Report) -> str:
        return str(advice_for(report))

    @admin.display(description=gettext_lazy("technical details"))
    def technical(self, report: Report) -> SafeString:
        return in_code(report.error)

    @admin.display(description=gettext_lazy("first page"))
    def first_page(self, report: Report) -> SafeString:
        address = reverse("admin:reports_report_preview", args=[report.pk])
        return format_html('<img class="report-preview" src="{}" alt="{}">', address, _("The first page"))


def report_subjects(request: HttpRequest, shown: Sequence[Shown]) -> dict[int, Subject]:
    """The reports that messages asked for: a row knows its latest message, an older one says what it wanted."""
    may = request.user.has_perm("reports.view_report")
    found: dict[int, Subject] = {}
    for one in shown:
        try:
            asked = ReportRequest.parse(json.loads(one.text or "null"))
        except (InvalidMessage, ValueError, RecursionError):
            continue
        rows = Report.objects.filter(assessment_id=asked.assessment_id, user_id=asked.user_id, kind=asked.kind)
        pk = rows.values_list("pk", flat=True).first() if may else None
        address = reverse("admin:reports_report_change", args=[pk]) if pk else ""
        found[one.msg_id] = Subject(f"{asked.kind.label} · {str(asked.assessment_id)[:8]}…", address)
    return found


tell_subjects(QUEUE, report_subjects)


def with_people(reports: QuerySet[Report]) -> QuerySet[Report]:
    """Adds the owner's address as `email`, and as `child_name` whose assessment it was, where it is the owner's."""
    email = RawSQL(_EMAIL, (), output_field=CharField())  # noqa: S611  # A constant.
    child = RawSQL(_CHILD, (), output_field=CharField())  # noqa: S611  # Another.
    return reports.annotate(email=email, child_name=child)


def search_reports(reports: QuerySet[Report], text: str) -> QuerySet[Report]:
    """Those with this id, assessment, client, message number or trace id, or a client with this telephone number, name
    or piece of an address.
    """
    found = Q(trace_id=text)
    if (clients := clients_named(text)) is not None:
        found |= Q(user_id__in=clients)
    if (number := read_whole(text)) is not None:
        found |= Q(msg_id=number)
    try:
        value = UUID(text)
    except ValueError:
        found |= Q(user_id__in=find_users(text))
    else:
        found |= Q(pk=value) | Q(assessment_id=value) | Q(user_id=value)
    return reports.filter(found)
