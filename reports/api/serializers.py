"""Reports as the HTTP API shows and takes them. Fields are written out: the models' own texts are for the admin."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from reports.models import REASONS, Kind, Report, Status
from wording.our_address import our_address

_DOCUMENT_STAYS = "An earlier document stays available while a new one is on its way or has failed: look at `file_url`."


class ReportSerializer(serializers.ModelSerializer[Report]):
    """A report as its owner may see it."""

    assessment_id = serializers.UUIDField(read_only=True)
    report_type = serializers.ChoiceField(source="kind", choices=Kind.values, read_only=True)
    status = serializers.ChoiceField(choices=Status.values, read_only=True, help_text=_DOCUMENT_STAYS)
    reason = serializers.SerializerMethodField(help_text="Why making the report failed; null unless it did.")
    size = serializers.IntegerField(read_only=True, allow_null=True, help_text="Bytes of the document, if any.")
    pages = serializers.IntegerField(read_only=True, allow_null=True, help_text="Null for what has no pages.")
    file_url = serializers.SerializerMethodField(help_text="Needs the owner's token; null until there is a document.")
    created_at = serializers.DateTimeField(read_only=True, help_text="When the report was first asked for.")
    updated_at = serializers.DateTimeField(read_only=True)
    stored_at = serializers.DateTimeField(read_only=True, allow_null=True)

    class Meta:
        model = Report
        fields = (
            *("id", "assessment_id", "report_type", "status", "reason", "size", "pages"),
            *("file_url", "created_at", "updated_at", "stored_at"),
        )

    @extend_schema_field({"type": ["string", "null"], "enum": [*(reason.value for reason in REASONS), None]})
    def get_reason(self, report: Report) -> str | None:
        return report.reason or None

    @extend_schema_field({"type": ["string", "null"], "format": "uri"})
    def get_file_url(self, report: Report) -> str | None:
        if not report.has_document:
            return None
        return our_address("report-file", report.pk)


class NewReportSerializer(serializers.Serializer[Any]):
    """A report to be made, about a completed assessment of the caller."""

    assessment_id = serializers.UUIDField()
    report_type = serializers.ChoiceField(choices=Kind.values, default=Kind.PDF.value)
