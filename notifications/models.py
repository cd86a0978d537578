"""The mail log: one row for each message of the mail queue, kept in step with what the bridge writes on the message.

Beside it what providers tell of a mail after they took it, and what staff are told: tables of their own, so that
nothing that sends a mail needs them.
"""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from bridge.reasons import FailureReason


class Status(models.TextChoices):
    """`sending` and `retrying` are on their way; the others are final. Failed and duplicate ones sent nothing more."""

    SENDING = "sending", _("being sent")
    RETRYING = "retrying", _("waiting for a repeat")
    SENT = "sent", _("sent")
    FAILED = "failed", _("failed")
    DUPLICATE = "duplicate", _("duplicate")


UNFINISHED = (Status.SENDING, Status.RETRYING)
# What still sends, or has sent, its mail; a failed row gives its dedupe key back.
HOLDING_KEY = (*UNFINISHED, Status.SENT)
# Those that tell what becomes of a mail. A mail server tells it to the box of the sender, if at all.
TRACKING = ("resend", "sendgrid", "unisender_go")


class EmailMessage(models.Model):
    """A mail and how it went. `(queue, msg_id)` names its pgmq message.

    `msg_id` is null for rows whose queue was dropped and made anew, as the ids start again there. The bodies are the
    mail as it went out, with the tokens of its links masked; they are blanked after `EMAIL_BODY_DAYS`. `mailbox` is
    what all spellings of the recipient have in common, `about` the id of what the mail claims to be about.
    """

    queue = models.CharField(_("queue"), max_length=63)
    msg_id = models.BigIntegerField(_("message №"), null=True)
    enqueued_at = models.DateTimeField(_("queued"))
    requeued_from = models.BigIntegerField(_("sent again for message №"), null=True)
    trace_id = models.CharField(_("trace id"), max_length=64, blank=True, default="")

    recipient = models.CharField(_("recipient"), max_length=320, blank=True, default="")
    mailbox = models.CharField(max_length=320, blank=True, default="", db_default="", editable=False)
    about = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)
    subject = models.CharField(_("subject"), max_length=255, blank=True, default="")
    template = models.CharField(_("template"), max_length=100, blank=True, default="")
    html_body = models.TextField(_("HTML"), blank=True, default="")
    text_body = models.TextField(_("text"), blank=True, default="")
    # Their names, a line each; what is in them stands in the text as well.
    attachments = models.CharField(_("attachments"), max_length=255, blank=True, default="", db_default="")

    status = models.CharField(_("status"), max_length=20, choices=Status.choices, default=Status.SENDING)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    next_retry_at = models.DateTimeField(_("next attempt"), null=True)
    reason = models.CharField(_("reason"), max_length=30, choices=FailureReason.choices, blank=True, default="")
    error = models.TextField(_("error"), blank=True, default="")
    error_type = models.CharField(_("kind of error"), max_length=200, blank=True, default="")

    provider = models.CharField(_("sent through"), max_length=30, blank=True, default="")
    provider_message_id = models.CharField(_("id at the provider"), max_length=255, blank=True, default="")
    message_id = models.CharField(_("Message-ID"), max_length=255, blank=True, default="")
    dedupe_key = models.CharField(_("dedupe key"), max_length=64, blank=True, default="")
    duplicate_of = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        # Its own has only those that are one (`email_duplicate_of`).
        db_index=False,
        related_name="duplicates",
        verbose_name=_("duplicate of"),
    )

    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)
    sent_at = models.DateTimeField(_("sent at"), null=True)

    objects: ClassVar[models.Manager["EmailMessage"]] = models.Manager()

    # No column: whether it was seen, since this attempt began, that its provider is in no trouble.
    provider_is_calm = False

    class Meta:
        verbose_name = _("email")
        verbose_name_plural = _("emails")
        default_permissions = ("view",)
        permissions: ClassVar = [("resend_emailmessage", _("Can send a failed email again"))]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["queue", "msg_id"], name="email_queue_msg_id_unique"),
            models.UniqueConstraint(
                fields=["dedupe_key"],
                condition=Q(status__in=HOLDING_KEY) & ~Q(dedupe_key=""),
                name="email_dedupe_key_unique",
            ),
            models.CheckConstraint(condition=Q(status__in=Status.values), name="email_status_known"),
            models.CheckConstraint(
                condition=Q(status=Status.SENT, sent_at__isnull=False)
                | ~Q(status=Status.SENT) & Q(sent_at__isnull=True),
                name="email_sent_has_time",
            ),
            models.CheckConstraint(
                condition=Q(status=Status.RETRYING, next_retry_at__isnull=False)
                | ~Q(status=Status.RETRYING) & Q(next_retry_at__isnull=True),
                name="email_retrying_has_time",
            ),
            models.CheckConstraint(
                condition=Q(status=Status.FAILED, reason__in=FailureReason.values)
                | ~Q(status=Status.FAILED) & Q(reason=""),
                name="email_failed_has_reason",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=(Status.RETRYING, Status.FAILED, Status.DUPLICATE)) | ~Q(error=""),
                name="email_trouble_has_error",
            ),
            models.CheckConstraint(
                condition=~Q(status=Status.SENT) | ~Q(recipient="") & ~Q(message_id=""), name="email_sent_is_complete"
            ),
            models.CheckConstraint(condition=~Q(duplicate_of=F("id")), name="email_not_its_own_duplicate"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["created_at"], name="email_created"),
            models.Index(fields=["status", "created_at"], name="email_status_created"),
            models.Index(fields=["mailbox", "created_at"], condition=~Q(mailbox=""), name="email_mailbox_created"),
            # Each entry is made twice a mail, so most have none in what is rare.
            models.Index(
                fields=["queue", "requeued_from"], condition=Q(requeued_from__isnull=False), name="email_sent_again"
            ),
            models.Index(fields=["duplicate_of"], condition=Q(duplicate_of__isnull=False), name="email_duplicate_of"),
            models.Index(fields=["updated_at"], condition=Q(status__in=UNFINISHED), name="email_unfinished"),
            models.Index(fields=["created_at"], condition=~Q(html_body="", text_body=""), name="email_with_body"),
            models.Index(fields=["about"], condition=~Q(about=""), name="email_about"),
            models.Index(fields=["trace_id"], condition=~Q(trace_id=""), name="email_trace"),
            models.Index(fields=["template", "created_at"], name="email_template_created"),
            # What somebody may have to look at: counted each time that staff open their overview.
            models.Index(
                fields=["created_at"], condition=Q(status="failed") & ~Q(reason="refused"), name="email_failed"
            ),
            # How a provider's word finds its mail.
            models.Index(fields=["provider_message_id"], condition=Q(provider__in=TRACKING), name="email_at_provider"),
        ]

    def __str__(self) -> str:
        return f"№ {self.msg_id or '—'}"


class Arrival(models.TextChoices):
    """What became of a mail that a provider took, in the order of what counts: a later one is never undone by an
    earlier one, whichever is told first. A refusal may follow an acceptance, and a complaint both.
    """

    DEFERRED = "deferred", _("the provider tries again")
    DELIVERED = "delivered", _("delivered")
    REJECTED = "rejected", _("not sent by the provider")
    BOUNCED = "bounced", _("not delivered")
    COMPLAINED = "complained", _("called spam by the recipient")


NOT_ARRIVED = (Arrival.REJECTED, Arrival.BOUNCED)
# What somebody should know of: who called a mail spam gets none of the next ones.
UNWELCOME = (*NOT_ARRIVED, Arrival.COMPLAINED)


class Why(models.TextChoices):
    """Why a mail did not arrive, as far as the provider's word can be understood."""

    NO_SUCH_MAILBOX = "no_such_mailbox", _("there is no such mailbox")
    MAILBOX_FULL = "mailbox_full", _("the mailbox is full")
    TAKEN_FOR_SPAM = "taken_for_spam", _("the recipient's server took it for spam")
    NO_LONGER_WRITTEN_TO = "suppressed", _("the provider does not write to this address any more")
    UNSUBSCRIBED = "unsubscribed", _("the recipient unsubscribed at the provider")
    NOT_REACHED = "not_reached", _("the recipient's server could not be reached")
    REFUSED = "refused", _("the recipient's server refused it")
    UNKNOWN = "unknown", _("the provider does not say why")


class Tracking(models.Model):
    """What a provider told of one mail, by the provider's own id of it.

    The mail's own row may be written later than that is told, so `email` is filled in when both are there. A word about
    no mail of ours is forgotten.
    """

    provider = models.CharField(_("sent through"), max_length=30)
    provider_message_id = models.CharField(_("id at the provider"), max_length=255)
    # One each; not unique all the same, as two calls at once would stop each other there.
    email = models.ForeignKey(EmailMessage, models.CASCADE, null=True, related_name="told", verbose_name=_("email"))
    arrival = models.CharField(_("what became of it"), max_length=20, choices=Arrival.choices)
    why = models.CharField(_("why"), max_length=20, choices=Why.choices, blank=True, default="", db_default="")
    detail = models.TextField(_("the provider's words"), blank=True, default="", db_default="")
    at = models.DateTimeField(_("told for"))
    received_at = models.DateTimeField(_("received"))

    objects: ClassVar[models.Manager["Tracking"]] = models.Manager()

    class Meta:
        default_permissions = ()
        verbose_name = _("provider's word about an email")
        verbose_name_plural = _("providers' words about emails")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "provider_message_id"], name="tracking_once"),
            models.CheckConstraint(condition=Q(arrival__in=Arrival.values), name="tracking_arrival_known"),
            models.CheckConstraint(
                condition=Q(arrival__in=NOT_ARRIVED) & ~Q(why="") | ~Q(arrival__in=NOT_ARRIVED) & Q(why=""),
                name="tracking_says_why",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["received_at"], condition=Q(email__isnull=True), name="tracking_of_nothing"),
            models.Index(fields=["at"], condition=Q(arrival__in=UNWELCOME), name="tracking_unwelcome"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.provider_message_id}"


class StaffNotice(models.Model):
    """Something that staff are to be told by mail: what a message of the queue must name, and all that it can choose.

    `key` says what it is about, so that nothing is told twice. `text` is what it says: null until the first mail of it
    is made, and the same ever after, for all its readers and every attempt.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(_("kind"), max_length=20)
    key = models.CharField(max_length=100)
    created_at = models.DateTimeField(_("created"), db_index=True)
    text = models.JSONField(null=True)

    objects: ClassVar[models.Manager["StaffNotice"]] = models.Manager()

    class Meta:
        default_permissions = ()
        verbose_name = _("note to staff")
        verbose_name_plural = _("notes to staff")
        constraints: ClassVar = [models.UniqueConstraint(fields=["kind", "key"], name="staff_notice_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"
