"""The processes that drain the queues, as they report themselves."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _


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
        verbose_name = _("bridge process")
        verbose_name_plural = _("bridge processes")

    def __str__(self) -> str:
        return self.name


class QueueOverview(models.Model):
    """No table: it gives the admin's page about the queues a place in the menu, and its permissions."""

    class Meta:
        managed = False
        default_permissions = ("view",)
        permissions: ClassVar = [("requeue_message", _("Can put failed messages back into a queue"))]
        verbose_name = _("queue")
        verbose_name_plural = _("queues")

    def __str__(self) -> str:
        return str(self._meta.verbose_name)
