"""The `Idempotency-Key` header of the payment API: the same request again gets the same answer."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _


class IdempotencyKey(models.Model):
    """A key that a customer used, the fingerprint of what came with it, and the answer once there is one.

    `locked_at` is when the latest request began its work. Whether it still is at work, an advisory lock tells.
    """

    user_id = models.UUIDField(_("customer"))
    key = models.CharField(_("key"), max_length=255)
    fingerprint = models.CharField(_("fingerprint of the request"), max_length=64)
    locked_at = models.DateTimeField(_("at work since"), null=True)
    response_status = models.PositiveSmallIntegerField(_("status of the answer"), null=True)
    response_body = models.JSONField(_("answer"), null=True)
    created_at = models.DateTimeField(_("first used"), auto_now_add=True)

    objects: ClassVar[models.Manager["IdempotencyKey"]] = models.Manager()

    class Meta:
        default_permissions = ()
        verbose_name = _("idempotency key")
        verbose_name_plural = _("idempotency keys")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user_id", "key"], name="idempotency_key_unique"),
        ]
        indexes: ClassVar = [models.Index(fields=["created_at"], name="idempotency_created")]

    def __str__(self) -> str:
        return str(self.pk)
