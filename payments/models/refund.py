"""Money that goes back: asked for by staff here, or made in the provider's own office and found later."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from payments.models.supabase import Payment
from payments.states import RefundStatus


class Refund(models.Model):
    """A refund, whole or in part. Its id is the idempotence key, and `request_body` is stored before it is sent.

    A refund without `request_body` was made elsewhere (the provider's own office) and found by a check.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    payment = models.ForeignKey(
        Payment, models.DO_NOTHING, db_constraint=False, related_name="refunds", verbose_name=_("payment")
    )
    external_id = models.CharField(_("id at YooKassa"), max_length=64, null=True, unique=True)  # noqa: DJ001 # Unique.
    amount = models.DecimalField(_("amount"), max_digits=10, decimal_places=2)
    currency = models.CharField(_("currency"), max_length=3, default="RUB")
    status = models.CharField(_("status"), max_length=20, choices=RefundStatus.choices, default=RefundStatus.REQUESTED)
    reason = models.CharField(_("reason"), max_length=250, blank=True, default="")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("requested by")
    )
    request_body = models.JSONField(_("request to YooKassa"), null=True)
    cancellation_party = models.CharField(_("refused by"), max_length=50, blank=True, default="")
    cancellation_reason = models.CharField(_("reason of the refusal"), max_length=100, blank=True, default="")
    receipt_registration = models.CharField(_("fiscal receipt"), max_length=20, blank=True, default="", db_default="")
    error = models.TextField(_("error"), blank=True, default="")
    created_at = models.DateTimeField(_("requested"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)
    finished_at = models.DateTimeField(_("finished"), null=True)

    objects: ClassVar[models.Manager["Refund"]] = models.Manager()

    class Meta:
        default_permissions = ("view",)
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_amount_positive"),
            models.CheckConstraint(condition=Q(status__in=RefundStatus.values), name="refund_status_known"),
            models.CheckConstraint(
                condition=Q(status__in=(RefundStatus.REQUESTED, RefundStatus.REJECTED)) | Q(external_id__isnull=False),
                name="refund_known_to_provider_has_id",
            ),
            models.CheckConstraint(
                condition=Q(external_id__isnull=False) | Q(request_body__isnull=False), name="refund_has_an_origin"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["payment", "created_at"], name="refund_payment"),
            models.Index(fields=["finished_at"], condition=Q(finished_at__isnull=False), name="refund_finished"),
        ]

    def __str__(self) -> str:
        return str(self.id)
