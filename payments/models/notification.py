"""The journal of the provider's notifications: stored first, as they came, and checked afterwards."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from payments.models.supabase import Payment
from payments.states import NotificationStatus


class ProviderNotification(models.Model):
    """One notification as it arrived. Its body is a hint and nothing more: what counts is what the API says.

    `payment` is set as far as the body names one of ours. The provider repeats what it thinks we missed, so the same
    body may stand here several times.
    """

    received_at = models.DateTimeField(_("received"), auto_now_add=True)
    address = models.GenericIPAddressField(_("from address"))
    trusted = models.BooleanField(_("from the provider's addresses"))
    event = models.CharField(_("event"), max_length=64, blank=True, default="")
    object_id = models.CharField(_("id of the object"), max_length=64, blank=True, default="")
    payment = models.ForeignKey(
        Payment,
        models.DO_NOTHING,
        db_constraint=False,
        null=True,
        related_name="notifications",
        verbose_name=_("payment"),
    )
    body = models.TextField(_("body"))
    status = models.CharField(
        _("status"), max_length=20, choices=NotificationStatus.choices, default=NotificationStatus.STORED
    )
    error = models.TextField(_("error"), blank=True, default="")
    processed_at = models.DateTimeField(_("checked at"), null=True)
    msg_id = models.BigIntegerField(_("message №"), null=True)  # Of the latest check in the payment queue.
    trace_id = models.CharField(_("trace id"), max_length=64, blank=True, default="")

    objects: ClassVar[models.Manager["ProviderNotification"]] = models.Manager()

    class Meta:
        default_permissions = ("view",)
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        permissions: ClassVar = [("replay_providernotification", _("Can process a notification again"))]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(status__in=NotificationStatus.values), name="notification_status_known"),
            # What came from a stranger is checked only when a person says so; then it is not `refused` any more.
            models.CheckConstraint(
                condition=~Q(status=NotificationStatus.REFUSED) | Q(trusted=False),
                name="notification_only_strangers_refused",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["received_at"], name="notification_received"),
            models.Index(fields=["payment", "received_at"], name="notification_payment"),
            models.Index(fields=["received_at"], condition=Q(status="stored"), name="notification_unchecked"),
            models.Index(fields=["received_at"], condition=Q(status="failed"), name="notification_failed"),
        ]

    def __str__(self) -> str:
        return f"№ {self.pk or '—'}"
