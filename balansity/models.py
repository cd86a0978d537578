"""What the wiring itself remembers."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Outcome(models.TextChoices):
    """How an attempt to log in to the admin ended."""

    SUCCEEDED = "succeeded", pgettext_lazy("login", "succeeded")
    FAILED = "failed", pgettext_lazy("login", "wrong name or password")
    # The first of many: the limit says nothing of those after it.
    REFUSED = "refused", pgettext_lazy("login", "too many attempts")


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
