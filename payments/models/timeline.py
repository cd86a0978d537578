"""The timeline of a payment: what happened, through which door, by whose hand. Rows are added and never changed."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from payments.models.supabase import Payment
from payments.states import Door, EventKind


class PaymentEvent(models.Model):
    """One line of the timeline. `data` holds ids, states and amounts, never a person's data.

    A trigger in the database refuses changes and deletions.
    """

    payment = models.ForeignKey(
        Payment, models.DO_NOTHING, db_constraint=False, related_name="events", verbose_name=_("payment")
    )
    kind = models.CharField(_("what"), max_length=30, choices=EventKind.choices)
    door = models.CharField(_("through"), max_length=20, choices=Door.choices)
    data = models.JSONField(_("details"), default=dict)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.DO_NOTHING,
        db_constraint=False,
        null=True,
        related_name="+",
        verbose_name=_("by"),
    )
    trace_id = models.CharField(_("trace id"), max_length=64, blank=True, default="")
    created_at = models.DateTimeField(_("when"), auto_now_add=True)

    objects: ClassVar[models.Manager["PaymentEvent"]] = models.Manager()

    class Meta:
        default_permissions = ()
        verbose_name = _("event")
        verbose_name_plural = _("events")
        indexes: ClassVar = [models.Index(fields=["payment", "created_at"], name="event_payment")]

    def __str__(self) -> str:
        return f"№ {self.pk or '—'}"
