"""The tables that Supabase owns, as far as payments need them. Nothing here is ever migrated.

The odd table names make Django write `"public"."payments"`: our own schema stands first in the search path, and a table
of ours must never be taken for one of Supabase's.

What may be NULL there may be `None` here, but where its default is what is meant (`DefaultedTextField`). An `is_active`
that is NULL is not true: the site shows such a thing to nobody, so nobody can buy it.
"""

import uuid
from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from payments.models.untrusted import DefaultedTextField, MoneyField
from payments.models.untrusted_json import UntrustedJSONField
from payments.states import PaymentStatus


class Stamped(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Filled by the database, which also touches `updated_at` by a trigger.
    created_at = models.DateTimeField(_("created"), auto_now_add=True, null=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True, null=True)

    class Meta:
        abstract = True


class User(Stamped):
    """A customer. `role` is editable by its owner in production, so it is not even here."""

    email = models.TextField(_("email"), null=True)  # noqa: DJ001 # Supabase's column.
    phone = models.TextField(_("phone"), null=True)  # noqa: DJ001

    objects: ClassVar[models.Manager["User"]] = models.Manager()

    class Meta:
        managed = False
        db_table = 'public"."users'
        default_permissions = ()
        verbose_name = _("customer")
        verbose_name_plural = _("customers")

    def __str__(self) -> str:
        return self.email or str(self.id)


class Profile(Stamped):
    user = models.ForeignKey(User, models.DO_NOTHING, db_constraint=False, related_name="profiles")
    first_name = models.TextField(_("first name"))

    objects: ClassVar[models.Manager["Profile"]] = models.Manager()

    class Meta:
        managed = False
        db_table = 'public"."profiles'
        default_permissions = ()
        verbose_name = _("family member")
        verbose_name_plural = _("family members")

    def __str__(self) -> str:
        return self.first_name


class AppointmentType(Stamped):
    name = models.TextField(_("name"))
    duration_minutes = models.IntegerField(_("minutes"))
    price = MoneyField(_("price"), max_digits=10, decimal_places=2)
    is_active = models.BooleanField(_("on sale"), default=True, null=True)

    objects: ClassVar[models.Manager["AppointmentType"]] = models.Manager()

    class Meta:
        managed = False
        db_table = 'public"."appointment_types'
        default_permissions = ()
        verbose_name = _("kind of consultation")
        verbose_name_plural = _("kinds of consultation")

    def __str__(self) -> str:
        return self.name


class Package(Stamped):
    name = models.TextField(_("name"))
    session_count = models.IntegerField(_("sessions"))
    appointment_type = models.ForeignKey(AppointmentType, models.DO_NOTHING, db_constraint=False)
    price = MoneyField(_("price"), max_digits=10, decimal_places=2)
    is_active = models.BooleanField(_("on sale"), default=True, null=True)

    objects: ClassVar[models.Manager["Package"]] = models.Manager()

    class Meta:
        managed = False
        db_table = 'public"."packages'
        default_permissions = ()
        verbose_name = _("package")
        verbose_name_plural = _("packages")

    def __str__(self) -> str:
        return self.name


class Payment(Stamped):
    """The row that the front end reads. Its status, amount and metadata may have been written by anybody."""

    user = models.ForeignKey(User, models.DO_NOTHING, db_constraint=False, verbose_name=_("customer"))
    amount = MoneyField(_("amount"), max_digits=10, decimal_places=2)
    currency = DefaultedTextField(_("currency"), default="RUB")
    status = DefaultedTextField(_("status"), choices=PaymentStatus.choices, default=PaymentStatus.PENDING)
    payment_method = models.TextField(_("method"), null=True)  # noqa: DJ001
    external_payment_id = models.TextField(_("id at YooKassa"), null=True)  # noqa: DJ001
    metadata = UntrustedJSONField(_("metadata"), null=True)

    objects: ClassVar[models.Manager["Payment"]] = models.Manager()

    class Meta:
        managed = False
        db_table = 'public"."payments'
        default_permissions = ("view",)
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        permissions: ClassVar = [
            ("refund_payment", _("Can refund payments")),
            ("check_payment", _("Can check payments at YooKassa")),
            ("view_revenue", _("Can see the revenue and take it along as a table")),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def was_deleted(self) -> bool:
        """Whether there is no such row any more, and this only says what it would (`payments.ledger.deleted_rows`)."""
        return bool(self._state.adding)


class Appointment(Stamped):
    user = models.ForeignKey(User, models.DO_NOTHING, db_constraint=False)
    profile = models.ForeignKey(Profile, models.DO_NOTHING, db_constraint=False, null=True)
    appointment_type = models.ForeignKey(AppointmentType, models.DO_NOTHING, db_constraint=False)
    scheduled_at = models.DateTimeField(_("time"))
    status = DefaultedTextField(_("status"), default="scheduled")
    payment = models.ForeignKey(Payment, models.DO_NOTHING, db_constraint=False, null=True, related_name="appointments")

    objects: ClassVar[models.Manager["Appointment"]] = models.Manager()

    class Meta:
        managed = False
        db_table = 'public"."appointments'
        default_permissions = ()
        verbose_name = _("consultation")
        verbose_name_plural = _("consultations")

    def __str__(self) -> str:
        return str(self.id)


class PackagePurchase(Stamped):
    user = models.ForeignKey(User, models.DO_NOTHING, db_constraint=False)
    package = models.ForeignKey(Package, models.DO_NOTHING, db_constraint=False)
    sessions_remaining = models.IntegerField(_("sessions left"))
    payment = models.ForeignKey(Payment, models.DO_NOTHING, db_constraint=False, null=True, related_name="purchases")
    purchased_at = models.DateTimeField(_("bought"), null=True)
    expires_at = models.DateTimeField(_("valid until"), null=True)

    objects: ClassVar[models.Manager["PackagePurchase"]] = models.Manager()

    class Meta:
        managed = False
        db_table = 'public"."package_purchases'
        default_permissions = ()
        verbose_name = _("bought package")
        verbose_name_plural = _("bought packages")

    def __str__(self) -> str:
        return str(self.id)
