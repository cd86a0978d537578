"""What this package keeps about processes, queues, outcomes and who did what. The messages themselves are pgmq's."""

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from bridge.message import Outcome


class BridgeProcess(models.Model):
    """One run of a process of ours; `seen_at` is renewed every few seconds while it lives. Once these were bridges."""

    name = models.CharField(_("process"), max_length=200, primary_key=True)
    kind = models.CharField(
        _("kind"),
        max_length=10,
        choices=[
            ("bridge", pgettext_lazy("process", "bridge")),
            ("worker", pgettext_lazy("process", "worker")),
            ("beat", pgettext_lazy("process", "beat")),
            ("web", pgettext_lazy("process", "web")),
        ],
        db_default="bridge",
        default="bridge",
    )
    started_at = models.DateTimeField(_("started"))
    seen_at = models.DateTimeField(_("last seen"))
    stopped_at = models.DateTimeField(_("stopped"), null=True, blank=True)
    published = models.BigIntegerField(_("handed to workers"), default=0)
    archived = models.BigIntegerField(_("archived as failed"), default=0)
    waits_for = models.CharField(_("waits for"), max_length=200, blank=True, default="")

    objects: ClassVar[models.Manager["BridgeProcess"]] = models.Manager()

    class Meta:
        default_permissions = ("view",)
        verbose_name = _("process")
        verbose_name_plural = _("processes")

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
    """Who did what to which messages, and why. Written by `bridge.operations`, and not changed once it is done.

    An act on many messages is under way for a while: `count` and `skipped` grow with each batch, in its transaction.
    What is `handed_over` workers do, and go on after whatever interrupts them, from the message `after` which nothing
    was looked at. `key` is of the form that asked for it, which may be sent twice.
    """

    DONE, RUNNING, HANDED_OVER = "done", "running", "handed_over"

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
    state = models.CharField(
        _("state"),
        max_length=20,
        choices=[(DONE, _("done")), (RUNNING, _("under way")), (HANDED_OVER, _("workers do it"))],
        default=DONE,
        db_default=DONE,
    )
    seen_at = models.DateTimeField(_("last progress"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    rate = models.FloatField(_("a second"), null=True)
    after = models.BigIntegerField(default=0, db_default=0, editable=False)
    key = models.UUIDField(null=True, editable=False)

    objects: ClassVar[models.Manager["OperatorAction"]] = models.Manager()

    class Meta:
        verbose_name = _("operator's action")
        verbose_name_plural = _("operators' actions")
        default_permissions = ("view",)
        ordering: ClassVar = ["-at", "-pk"]
        indexes: ClassVar = [
            models.Index(fields=["-at"], name="bridge_action_at"),
            models.Index(fields=["queue", "msg_id"], name="bridge_action_message"),
            models.Index(fields=["seen_at"], condition=~models.Q(state="done"), name="bridge_action_under_way"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["key"], condition=models.Q(key__isnull=False), name="bridge_action_once")
        ]

    def __str__(self) -> str:
        return f"№ {self.pk}"


class FailedMessage(models.Model):
    """A message that failed for good, as far as lists and groups need it; the archive's row stays the truth.

    The roll-up makes it, once for each message. Who changes the archive's row (put back, discarded) changes this one in
    the same transaction, and it goes with the archive's. What failed since the last roll-up has none yet:
    `bridge.rollup.failures` reads both.
    """

    queue = models.CharField(_("queue"), max_length=100)
    msg_id = models.BigIntegerField(_("message №"))
    archived_at = models.DateTimeField(_("failed"))
    reason = models.CharField(_("reason"), max_length=30, blank=True, default="")
    error_type = models.CharField(_("kind of error"), max_length=200, blank=True, default="")
    error = models.TextField(_("error"), blank=True, default="")
    pattern = models.TextField(_("error, without what differs"), blank=True, default="")
    trace_id = models.CharField(_("trace id"), max_length=64, blank=True, default="")
    attempts = models.IntegerField(_("attempts"), default=0)
    requeued_as = models.BigIntegerField(_("put back as"), null=True, blank=True)
    discarded_at = models.DateTimeField(_("discarded"), null=True, blank=True)

    objects: ClassVar[models.Manager["FailedMessage"]] = models.Manager()

    class Meta:
        verbose_name = _("failed message")
        verbose_name_plural = _("failed messages")
        default_permissions = ()
        constraints: ClassVar = [models.UniqueConstraint(fields=["queue", "msg_id"], name="bridge_failed_once")]
        indexes: ClassVar = [
            models.Index(
                fields=["queue", "reason", "error_type", "pattern"],
                condition=models.Q(requeued_as=None, discarded_at=None),
                name="bridge_failed_open",
            ),
            # How many are open among those of the last day. Strangers may have a million messages refused.
            models.Index(
                fields=["queue", "archived_at"],
                include=["requeued_as", "discarded_at", "reason"],
                condition=~models.Q(reason="refused"),
                name="bridge_failed_when",
            ),
            models.Index(
                fields=["queue", "archived_at"],
                condition=models.Q(requeued_as__isnull=False),
                name="bridge_failed_put_back",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.queue} {self.msg_id}: {self.reason}"


class RolledQueue(models.Model):
    """Which messages of an archive are in the roll-up: `counted`, a multirange of ids, is its watermark.

    No time can be one: `archived_at` is when a transaction began, and a later one may commit before it. Ids start again
    when a queue is made anew, so `made_at` says which queue of that name they belong to. `sweep_*` are about ids that
    no message has any more (see `bridge.rollup.upkeep`).
    """

    queue = models.CharField(max_length=100, primary_key=True)
    made_at = models.DateTimeField(null=True)
    counted = models.TextField(default="{}", db_default="{}")
    rolled_at = models.DateTimeField(null=True)
    complete_at = models.DateTimeField(null=True)
    sweep_below = models.BigIntegerField(null=True)
    sweep_after = models.BigIntegerField(null=True)
    sweep_at = models.DateTimeField(null=True)

    objects: ClassVar[models.Manager["RolledQueue"]] = models.Manager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.queue


class RolledFigures(models.Model):
    """What is added up: messages, their attempts, and how long they waited and ran, as `bridge.histogram` has it."""

    queue = models.CharField(max_length=100)
    outcome = models.CharField(max_length=20)
    reason = models.CharField(max_length=30, blank=True, default="")
    count = models.BigIntegerField(default=0, db_default=0)
    attempts = models.BigIntegerField(default=0, db_default=0)
    waiting = ArrayField(models.BigIntegerField())
    waiting_seconds = models.FloatField(default=0.0, db_default=0.0)
    running = ArrayField(models.BigIntegerField())
    running_seconds = models.FloatField(default=0.0, db_default=0.0)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.queue} {self.outcome} {self.reason}: {self.count}"


class RolledHour(RolledFigures):
    """One hour, kept for as long as `bridge.rollup.upkeep` says."""

    hour = models.DateTimeField()

    objects: ClassVar[models.Manager["RolledHour"]] = models.Manager()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["queue", "hour", "outcome", "reason"], name="bridge_rolled_hour_once")
        ]


class RolledTotal(RolledFigures):
    """All hours ever: counters of a metric must never fall."""

    objects: ClassVar[models.Manager["RolledTotal"]] = models.Manager()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["queue", "outcome", "reason"], name="bridge_rolled_total_once")
        ]


class OutsideService(models.Model):
    """How a service stands that we need: since when it is known to be away, and who looks whether it is back.

    Written by `bridge.breaker` alone. `failing` are the messages, as `[queue, msg_id]`, that met trouble with it in a
    row, none of which was answered since `failing_since`. While it is open, `trial_…` is the message that is let
    through to see whether it works, and `tried` are those before it.
    """

    name = models.CharField(_("service"), max_length=30, primary_key=True)
    is_open = models.BooleanField(_("away"), default=False)
    kind = models.CharField(_("kind"), max_length=20, blank=True, default="")
    why = models.TextField(_("why"), blank=True, default="")
    since = models.DateTimeField(_("since"), null=True)
    closed_at = models.DateTimeField(_("back since"), null=True)
    failing = models.JSONField(_("messages that failed in a row"), default=list)
    failing_since = models.DateTimeField(_("failing since"), null=True)
    probes = models.IntegerField(_("probes"), default=0)
    probe_at = models.DateTimeField(_("next probe"), null=True)
    prober = models.CharField(_("who probes"), max_length=200, blank=True, default="")
    probing_until = models.DateTimeField(_("probes until"), null=True)
    trial_queue = models.CharField(_("queue of the message on trial"), max_length=63, blank=True, default="")
    trial_msg_id = models.BigIntegerField(_("message on trial"), null=True)
    trial_attempts = models.BigIntegerField(_("its attempts before"), null=True)
    trial_until = models.DateTimeField(_("end of the trial"), null=True)
    tried = models.JSONField(_("messages that were on trial"), default=list)
    told_nothing = models.IntegerField(_("trials that told nothing"), default=0)

    objects: ClassVar[models.Manager["OutsideService"]] = models.Manager()

    class Meta:
        verbose_name = _("service outside")
        verbose_name_plural = _("services outside")
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class CountedRows(models.Model):
    """How many rows of a table were in a state, when they were counted last (see `bridge.counted`)."""

    what = models.CharField(max_length=40)
    state = models.CharField(max_length=40)
    count = models.BigIntegerField()
    at = models.DateTimeField()

    objects: ClassVar[models.Manager["CountedRows"]] = models.Manager()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [models.UniqueConstraint(fields=["what", "state"], name="bridge_counted_once")]

    def __str__(self) -> str:
        return f"{self.what} {self.state}: {self.count}"


class QueueOverview(models.Model):
    """No table: it gives the admin's page about the queues a place in the menu, and its permissions."""

    class Meta:
        managed = False
        default_permissions = ("view",)
        permissions: ClassVar = [
            ("requeue_message", _("Can put failed messages back into a queue")),
            ("pause_queue", _("Can pause a queue and let it go on")),
            ("view_message_body", _("Can read what messages say")),
        ]
        verbose_name = _("queue")
        verbose_name_plural = _("queues")

    def __str__(self) -> str:
        return str(self._meta.verbose_name)
