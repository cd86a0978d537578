"""What this package keeps about processes, queues, outcomes and who did what. The messages themselves are pgmq's."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from bridge.message import Outcome


class BridgeProcess(models.Model):
    """One run of `bridge_queues`; it renews `seen_at` every few seconds while it lives."""

    name = models.CharField(_("process"), max_length=200, primary_key=True)
    started_at = models.DateTimeField(_("started"))
    seen_at = models.DateTimeField(_("last seen"))
    stopped_at = models.DateTimeField(_("stopped"), null=True, blank=True)
    published = models.BigIntegerField(_("handed to workers"), default=0)
    archived = models.BigIntegerField(_("archived as failed"), default=0)
    waits_for = models.CharField(_("waits for"), max_length=200, blank=True, default="")

    objects: ClassVar[models.Manager["BridgeProcess"]] = models.Manager()

    class Meta:
        default_permissions = ("view",)
        verbose_name = _("bridge process")
        verbose_name_plural = _("bridge processes")

    def __str__(self) -> str:
        return self.name


class KeptOutcome(models.Model):
    """How a message ended whose outcome Postgres refused to write on it. Its work is done and is not repeated.

    The bridge writes the outcome as soon as it can, and deletes the row in the same transaction. `(queue, msg_id,
    enqueued_at)` names the message: ids start again when a queue is made anew.
    """

    RETRYING = "retrying"

    queue = models.CharField(_("queue"), max_length=63)
    msg_id = models.BigIntegerField(_("message №"))
    enqueued_at = models.DateTimeField(_("queued"))
    outcome = models.CharField(
        _("outcome"),
        max_length=20,
        choices=[
            (Outcome.SUCCEEDED.value, _("done")),
            (Outcome.FAILED.value, _("failed")),
            (Outcome.DUPLICATE.value, _("duplicate")),
            (RETRYING, _("waiting for a repeat")),
        ],
    )
    reason = models.CharField(_("reason"), max_length=30, blank=True, default="")
    error_type = models.CharField(_("kind of error"), max_length=200, blank=True, default="")
    error = models.TextField(_("error"), blank=True, default="")
    original = models.BigIntegerField(_("original"), null=True)
    due_at = models.DateTimeField(_("next attempt"), null=True)
    why = models.TextField(_("why it could not be written"))
    kept_at = models.DateTimeField(_("kept"), auto_now_add=True)

    objects: ClassVar[models.Manager["KeptOutcome"]] = models.Manager()

    class Meta:
        verbose_name = _("kept outcome")
        verbose_name_plural = _("kept outcomes")
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["queue", "msg_id", "enqueued_at"], name="bridge_kept_once"),
            models.CheckConstraint(
                condition=models.Q(outcome__in=["succeeded", "failed", "duplicate", "retrying"]),
                name="bridge_kept_outcome_known",
            ),
            models.CheckConstraint(
                condition=models.Q(outcome="retrying", due_at__isnull=False)
                | (~models.Q(outcome="retrying") & models.Q(due_at__isnull=True)),
                name="bridge_kept_retry_is_due",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.queue} {self.msg_id}: {self.outcome}"


class QueueHold(models.Model):
    """What keeps a queue from being worked on. In force while `until` is to come, or as long as it has none.

    The statements that read and claim messages look at it, so its columns are theirs as well: `bridge/sql/queries.sql`.
    """

    queue = models.CharField(_("queue"), max_length=63)
    cause = models.CharField(_("cause"), max_length=40)
    since = models.DateTimeField(_("since"))
    until = models.DateTimeField(_("until"), null=True)
    by = models.CharField(_("by"), max_length=200)
    why = models.TextField(_("why"), blank=True, default="")
    let_through = models.BigIntegerField(_("message that is let through"), null=True)

    objects: ClassVar[models.Manager["QueueHold"]] = models.Manager()

    class Meta:
        verbose_name = _("hold on a queue")
        verbose_name_plural = _("holds on queues")
        default_permissions = ()
        constraints: ClassVar = [models.UniqueConstraint(fields=["queue", "cause"], name="bridge_hold_once")]

    def __str__(self) -> str:
        return f"{self.queue}: {self.cause}"


class OperatorAction(models.Model):
    """Who did what to which messages, and why. Written by `bridge.operations.audit`, and never changed."""

    at = models.DateTimeField(_("time"), auto_now_add=True)
    actor_kind = models.CharField(
        _("kind of actor"),
        max_length=10,
        choices=[("staff", _("staff")), ("cli", _("command line")), ("system", _("the service itself"))],
    )
    actor = models.CharField(_("who"), max_length=150)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("user"), null=True, on_delete=models.SET_NULL, related_name="+"
    )
    action = models.CharField(_("action"), max_length=40)
    queue = models.CharField(_("queue"), max_length=63)
    msg_id = models.BigIntegerField(_("message №"), null=True)
    count = models.BigIntegerField(_("how many"), default=1)
    skipped = models.JSONField(_("left alone"), default=dict)
    filters = models.JSONField(_("filters"), default=dict)
    reason = models.TextField(_("reason"), blank=True, default="")

    objects: ClassVar[models.Manager["OperatorAction"]] = models.Manager()

    class Meta:
        verbose_name = _("operator's action")
        verbose_name_plural = _("operators' actions")
        default_permissions = ("view",)
        ordering: ClassVar = ["-at", "-pk"]
        indexes: ClassVar = [
            models.Index(fields=["-at"], name="bridge_action_at"),
            models.Index(fields=["queue", "msg_id"], name="bridge_action_message"),
        ]

    def __str__(self) -> str:
        return f"{self.actor}: {self.action} {self.queue}"


class QueueOverview(models.Model):
    """No table: it gives the admin's page about the queues a place in the menu, and its permissions."""

    class Meta:
        managed = False
        default_permissions = ("view",)
        permissions: ClassVar = [
            ("requeue_message", _("Can put failed messages back into a queue")),
            ("pause_queue", _("Can pause a queue and let it go on")),
        ]
        verbose_name = _("queue")
        verbose_name_plural = _("queues")

    def __str__(self) -> str:
        return str(self._meta.verbose_name)
