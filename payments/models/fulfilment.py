"""What the customer got for a payment: once, whatever happens."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from payments.models.supabase import Payment
from payments.states import OrderKind


class Fulfilment(models.Model):
    """The consultation or package that a payment bought. The primary key is what makes it happen once."""

    class How(models.TextChoices):
        MADE = "made", _("made by us")
        LINKED = "linked", _("was there and got linked")
        FOUND = "found", _("was linked already")

    payment = models.OneToOneField(
        Payment,
        models.DO_NOTHING,
        db_constraint=False,
        primary_key=True,
        related_name="fulfilment",
        verbose_name=_("payment"),
    )
    kind = models.CharField(_("what"), max_length=20, choices=OrderKind.choices)
    how = models.CharField(_("how"), max_length=10, choices=How.choices)
    appointment_id = models.UUIDField(_("consultation"), null=True, unique=True)
    purchase_id = models.UUIDField(_("bought package"), null=True, unique=True)
    # Rows of the same booking that were removed: mails about them are mails about this one.
    merged = ArrayField(models.UUIDField(), verbose_name=_("removed bookings"), null=True, editable=False)
    created_at = models.DateTimeField(_("given"), auto_now_add=True)

    objects: ClassVar[models.Manager["Fulfilment"]] = models.Manager()

    class Meta:
        default_permissions = ()
        verbose_name = _("fulfilment")
        verbose_name_plural = _("fulfilments")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(kind=OrderKind.APPOINTMENT, appointment_id__isnull=False, purchase_id__isnull=True)
                | Q(kind=OrderKind.PACKAGE, purchase_id__isnull=False, appointment_id__isnull=True),
                name="fulfilment_is_one_thing",
            ),
        ]
        indexes: ClassVar = [GinIndex(fields=["merged"], name="fulfilment_merged")]

    def __str__(self) -> str:
        return str(self.payment_id)
