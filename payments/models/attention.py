"""Why a person must look at a payment: a row for each reason, open until it is settled."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from payments.models.supabase import Payment
from payments.states import Attention


class PaymentAttention(models.Model):
    """One reason. Several may be open for a payment at once; each is settled by what settles it, or by a person.

    It needs no checkout of ours, and no row in Supabase's table either: both may be missing where something is wrong.
    `settled_by` is set when a person did it, and then the timeline has what they wrote.
    """

    payment = models.ForeignKey(
        Payment, models.DO_NOTHING, db_constraint=False, related_name="marks", verbose_name=_("payment")
    )
    reason = models.CharField(_("needs attention"), max_length=30, choices=Attention.choices)
    note = models.TextField(_("what is wrong"), blank=True, default="")
    since = models.DateTimeField(_("since"))
    settled_at = models.DateTimeField(_("settled"), null=True)
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.DO_NOTHING,
        db_constraint=False,
        null=True,
        related_name="+",
        verbose_name=_("settled by"),
    )

    objects: ClassVar[models.Manager["PaymentAttention"]] = models.Manager()

    class Meta:
        default_permissions = ()
        verbose_name = _("reason for attention")
        verbose_name_plural = _("reasons for attention")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["payment", "reason"], condition=Q(settled_at__isnull=True), name="attention_open_once"
            ),
            models.CheckConstraint(
                condition=Q(settled_by__isnull=True) | Q(settled_at__isnull=False), name="attention_settled_by_has_time"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["payment", "reason"], name="attention_payment")]

    def __str__(self) -> str:
        return f"№ {self.pk or '—'}"
