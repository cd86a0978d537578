"""The reports, one row for each document that somebody asked for, and the objects in storage that have to go.

An object has a key of its own for every upload and is never overwritten. So a report points to the object that it was
stored with, whoever else works on the same report at that moment, and what nobody points to is removed later.
"""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from bridge.message import Reason
from bridge.reasons import FailureReason


class Kind(models.TextChoices):
    PDF = "pdf", _("PDF")
    CSV = "csv", _("CSV table")
    JSON = "json", _("JSON data")


class Status(models.TextChoices):
    """`queued`, `rendering` and `retrying` are on their way. Any of them may still have its earlier document."""

    QUEUED = "queued", _("waits for its turn")
    RENDERING = "rendering", _("being generated")
    RETRYING = "retrying", _("waiting for a repeat")
    STORED = "stored", _("ready")
    FAILED = "failed", _("not made")


UNFINISHED = (Status.QUEUED, Status.RENDERING, Status.RETRYING)


# Nothing here is refused by a rule of ours: who asks for what is another's gets an error.
REASONS = tuple(reason for reason in FailureReason if reason != FailureReason.REFUSED)
_REASON_CHOICES = [(reason.value, reason.label) for reason in REASONS]


def reason_of(reason: Reason) -> FailureReason:
    """The reason that a report shows for one of the bridge's: each has one, as an outcome must always be written."""
    found = FailureReason.of(reason)
    return found if found in REASONS else FailureReason.PERMANENT_ERROR


class RequestedBy(models.TextChoices):
    """`system`: the message came from outside, usually from the trigger on completed assessments."""

    SYSTEM = "system", _("automatically")
    OWNER = "owner", _("the client")
    STAFF = "staff", _("staff")


class Report(models.Model):
    """A report of one kind about one assessment, for one user, and how its latest making went.

    A message claims whose assessment it is about, and anybody may send one: a false claim gets a row of its own, which
    is not `is_confirmed` and concerns nobody but staff. `size` is in bytes, `duration_ms` the time of rendering. The
    document's fields are set together, and stay while a repeat is on its way or has failed.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    assessment_id = models.UUIDField(_("assessment"))
    user_id = models.UUIDField(_("client"))
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    is_confirmed = models.BooleanField(_("the assessment is the client's"), default=False)
    requested_by = models.CharField(
        _("asked for by"), max_length=10, choices=RequestedBy.choices, default=RequestedBy.SYSTEM
    )

    status = models.CharField(_("status"), max_length=20, choices=Status.choices, default=Status.QUEUED)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    next_retry_at = models.DateTimeField(_("next attempt"), null=True)
    reason = models.CharField(_("reason"), max_length=30, choices=_REASON_CHOICES, blank=True, default="")
    error = models.TextField(_("error"), blank=True, default="")
    error_type = models.CharField(_("kind of error"), max_length=200, blank=True, default="")

    queue = models.CharField(_("queue"), max_length=63)
    msg_id = models.BigIntegerField(_("message №"))
    trace_id = models.CharField(_("trace id"), max_length=64, blank=True, default="")

    storage_key = models.CharField(_("key in storage"), max_length=200, blank=True, default="")
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True, default="")
    size = models.PositiveBigIntegerField(_("size"), null=True)
    pages = models.PositiveIntegerField(_("pages"), null=True)
    duration_ms = models.PositiveIntegerField(_("duration"), null=True)
    preview = models.BinaryField(_("first page"), default=b"", editable=False)
    stored_at = models.DateTimeField(_("stored at"), null=True)
    # When the attempt that made the document began, by Postgres: the data in it are at least as new.
    data_as_of = models.DateTimeField(null=True, editable=False)

    created_at = models.DateTimeField(_("first asked for"), auto_now_add=True)
    updated_at = models.DateTimeField(_("last change"), auto_now=True)

    objects: ClassVar[models.Manager["Report"]] = models.Manager()

    class Meta:
        verbose_name = _("report")
        verbose_name_plural = _("reports")
        default_permissions = ("view",)
        permissions: ClassVar = [
            ("download_report", _("Can download a report")),
            ("regenerate_report", _("Can have a report made again")),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["assessment_id", "user_id", "kind"], name="report_unique"),
            models.UniqueConstraint(fields=["storage_key"], condition=~Q(storage_key=""), name="report_key_unique"),
            models.CheckConstraint(condition=Q(status__in=Status.values), name="report_status_known"),
            models.CheckConstraint(condition=Q(kind__in=Kind.values), name="report_kind_known"),
            models.CheckConstraint(
                condition=Q(storage_key="", sha256="", size=None, duration_ms=None, stored_at=None, pages=None)
                | ~Q(storage_key="")
                # A comparison with null is neither true nor false, and a check constraint lets that pass.
                & Q(sha256__regex="^[0-9a-f]{64}$", size__gt=0, size__isnull=False)
                & Q(duration_ms__isnull=False, stored_at__isnull=False),
                name="report_document_whole_or_none",
            ),
            models.CheckConstraint(
                condition=~Q(kind=Kind.PDF) | Q(storage_key="") | Q(pages__gt=0, pages__isnull=False),
                name="report_pdf_has_pages",
            ),
            models.CheckConstraint(
                condition=~Q(status=Status.STORED) | ~Q(storage_key=""), name="report_stored_has_document"
            ),
            models.CheckConstraint(
                condition=Q(storage_key="") | Q(is_confirmed=True), name="report_document_only_for_owner"
            ),
            models.CheckConstraint(
                condition=Q(status=Status.RETRYING, next_retry_at__isnull=False)
                | ~Q(status=Status.RETRYING) & Q(next_retry_at__isnull=True),
                name="report_retrying_has_time",
            ),
            models.CheckConstraint(
                condition=Q(status=Status.FAILED, reason__in=[reason.value for reason in REASONS])
                | ~Q(status=Status.FAILED) & Q(reason=""),
                name="report_failed_has_reason",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=(Status.RETRYING, Status.FAILED)) | ~Q(error=""),
                name="report_trouble_has_error",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["user_id", "-created_at"], name="report_user_created"),
            models.Index(fields=["created_at"], name="report_created"),
            models.Index(fields=["status", "created_at"], name="report_status_created"),
            models.Index(fields=["msg_id"], name="report_msg_id"),
            models.Index(fields=["updated_at"], condition=Q(status__in=UNFINISHED), name="report_unfinished"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} · {self.assessment_id}"

    @property
    def has_document(self) -> bool:
        return self.storage_key != ""


class Leftover(models.Model):
    """An object in storage that no report points to: it is removed once it is due.

    Noted before an upload starts, so that an attempt that dies leaves nothing unknown behind. The attempt's outcome
    takes the note away, and only while it is not due: from then on the object may be gone.
    """

    key = models.CharField(max_length=200, primary_key=True)
    due_at = models.DateTimeField(db_index=True)

    objects: ClassVar[models.Manager["Leftover"]] = models.Manager()

    class Meta:
        default_permissions = ()
        verbose_name = _("file to be removed")
        verbose_name_plural = _("files to be removed")

    def __str__(self) -> str:
        return self.key
