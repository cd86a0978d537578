"""What the wiring itself remembers."""

from typing import ClassVar

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from notifications.models import StaffNotice


class Outcome(models.TextChoices):
    """How an attempt to log in to the admin ended."""

    SUCCEEDED = "succeeded", pgettext_lazy("login", "succeeded")
    FAILED = "failed", pgettext_lazy("login", "wrong name or password")
    # The first of many: the limit says nothing of those after it.
    REFUSED = "refused", pgettext_lazy("login", "too many attempts")
    # The password was right, or somebody is in already.
    WRONG_CODE = "wrong_code", pgettext_lazy("login", "wrong code of the second factor")
    # No attempt of the person: somebody else took their second factor away.
    RESET = "reset", pgettext_lazy("login", "second factor reset")


class LoginAttempt(models.Model):
    """One attempt. `username` is what was typed, on one line and cut; `user` whom it let in."""

    at = models.DateTimeField(_("time"), auto_now_add=True)
    outcome = models.CharField(_("outcome"), max_length=20, choices=Outcome.choices)
    username = models.CharField(_("name that was typed"), max_length=100)
    address = models.CharField(_("address"), max_length=45)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("person")
    )

    objects: ClassVar[models.Manager["LoginAttempt"]] = models.Manager()

    class Meta:
        default_permissions = ("view",)
        verbose_name = _("attempt to log in")
        verbose_name_plural = _("attempts to log in")
        indexes = [
            models.Index(fields=["at"], name="login_at"),
            models.Index(fields=["outcome", "at"], name="login_outcome_at"),
        ]

    def __str__(self) -> str:
        return f"{self.username} · {self.address}"


class RecoveryCode(models.Model):
    """One of the codes for whoever has no phone at hand: what it is compared with, and when it was used."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    digest = models.CharField(max_length=64)
    used_at = models.DateTimeField(null=True)

    objects: ClassVar[models.Manager["RecoveryCode"]] = models.Manager()

    class Meta:
        default_permissions = ()
        verbose_name = _("recovery code")
        verbose_name_plural = _("recovery codes")
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "digest"], name="recovery_code_once")]

    def __str__(self) -> str:
        return f"{self.user_id} · {self.used_at or '—'}"


class ReadyGroup(models.Model):
    """A group of staff that we have made (`balansity.groups`), and the rights that it was given so far.

    The group is the operator's from then on: renamed, it stays the same one; deleted, it does not come back; a right
    that was taken from it is not given again.
    """

    key = models.CharField(max_length=30, primary_key=True)
    group = models.OneToOneField(Group, models.SET_NULL, null=True, related_name="+")
    granted = models.JSONField(default=list)

    objects: ClassVar[models.Manager["ReadyGroup"]] = models.Manager()

    class Meta:
        default_permissions = ()
        verbose_name = _("ready group")
        verbose_name_plural = _("ready groups")

    def __str__(self) -> str:
        return self.key


class Incident(models.Model):
    """Something that went wrong and that staff are told of at once: from when, until when, and by which notes.

    `detector` found it, `key` tells it from others of that detector, and `kind` is what is told in one breath: its
    incidents are bounded together. Nothing is told yet where a `told_at` is null.
    """

    detector = models.CharField(max_length=40)
    kind = models.CharField(max_length=60)
    key = models.CharField(max_length=100)
    what = models.TextField()
    advice = models.TextField(blank=True, default="")
    address = models.CharField(max_length=300, blank=True, default="")
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    begin_told_at = models.DateTimeField(null=True)
    end_told_at = models.DateTimeField(null=True)
    begin_notice = models.ForeignKey(StaffNotice, models.SET_NULL, null=True, related_name="begins")
    end_notice = models.ForeignKey(StaffNotice, models.SET_NULL, null=True, related_name="ends")

    objects: ClassVar[models.Manager["Incident"]] = models.Manager()

    class Meta:
        default_permissions = ()
        verbose_name = _("incident")
        verbose_name_plural = _("incidents")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["detector", "key"], condition=Q(ended_at__isnull=True), name="incident_open_once"
            ),
            models.CheckConstraint(
                condition=Q(end_told_at__isnull=True) | Q(begin_told_at__isnull=False, ended_at__isnull=False),
                name="incident_end_is_told_last",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["kind", "begin_told_at"], name="incident_told"),
            models.Index(fields=["began_at"], name="incident_began"),
            models.Index(fields=["id"], condition=Q(end_told_at__isnull=True), name="incident_to_tell"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class Surroundings(models.Model):
    """No table: it gives the page about set-up and surroundings a place in the menu, and its permission."""

    class Meta:
        managed = False
        default_permissions = ("view",)
        verbose_name = _("check of the surroundings")
        verbose_name_plural = _("check of the surroundings")

    def __str__(self) -> str:
        return str(self._meta.verbose_name)
