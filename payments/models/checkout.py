"""What was ordered and what the provider says about it: the part of a payment that nobody else can write."""

from decimal import Decimal
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from payments.models.supabase import Payment
from payments.states import Attention, OrderKind, ProviderStatus


class Checkout(models.Model):
    """One payment at the provider, and the order it pays for, frozen when the payment was started.

    The order is kept here because `public.payments.metadata` may be edited by the payer: what is given for the money
    must be what the price was computed for. `request_body` is stored before the provider is called; together with
    the payment's id as idempotence key it can be sent again without making a second payment.
    """

    payment = models.OneToOneField(
        Payment,
        models.DO_NOTHING,
        db_constraint=False,
        primary_key=True,
        related_name="checkout",
        verbose_name=_("payment"),
    )
    user_id = models.UUIDField(_("customer"))
    amount = models.DecimalField(_("amount"), max_digits=10, decimal_places=2)
    currency = models.CharField(_("currency"), max_length=3, default="RUB")

    kind = models.CharField(_("what for"), max_length=20, choices=OrderKind.choices, blank=True, default="")
    appointment_type_id = models.UUIDField(_("kind of consultation"), null=True)
    appointment_id = models.UUIDField(_("consultation"), null=True)
    scheduled_at = models.DateTimeField(_("time"), null=True)
    profile_id = models.UUIDField(_("family member"), null=True)
    package_id = models.UUIDField(_("package"), null=True)

    request_body = models.JSONField(_("request to YooKassa"), null=True)
    external_id = models.CharField(_("id at YooKassa"), max_length=64, null=True, unique=True)  # noqa: DJ001 # Unique.
    confirmation_token = models.CharField(_("token of the payment form"), max_length=255, blank=True, default="")

    provider_status = models.CharField(
        _("status at YooKassa"), max_length=30, choices=ProviderStatus.choices, blank=True, default=""
    )
    test = models.BooleanField(_("test payment"), default=False)
    method_type = models.CharField(_("method"), max_length=50, blank=True, default="")
    method_title = models.CharField(_("method as the payer knows it"), max_length=255, blank=True, default="")
    cancellation_party = models.CharField(_("refused by"), max_length=50, blank=True, default="")
    cancellation_reason = models.CharField(_("reason of the refusal"), max_length=100, blank=True, default="")
    receipt_registration = models.CharField(_("fiscal receipt"), max_length=20, blank=True, default="")
    income_amount = models.DecimalField(_("income after commission"), max_digits=10, decimal_places=2, null=True)
    refunded_amount = models.DecimalField(
        _("refunded"), max_digits=10, decimal_places=2, default=Decimal(0)
    )  # As the provider counts it.
    provider_created_at = models.DateTimeField(_("created at YooKassa"), null=True)
    captured_at = models.DateTimeField(_("paid at"), null=True)
    expires_at = models.DateTimeField(_("expires"), null=True)

    checked_at = models.DateTimeField(_("last check"), null=True)
    next_check_at = models.DateTimeField(_("next check"), null=True)
    checks = models.PositiveIntegerField(_("checks"), default=0)

    # Paid and not given yet: since when the time is kept for the payer, and when a machine gives it at the latest.
    held_at = models.DateTimeField(_("time kept since"), null=True)
    give_at = models.DateTimeField(_("is given at the latest at"), null=True)

    attention = models.CharField(_("needs attention"), max_length=30, choices=Attention.choices, blank=True, default="")
    attention_note = models.TextField(_("what is wrong"), blank=True, default="")
    attention_since = models.DateTimeField(_("since"), null=True)

    created_at = models.DateTimeField(_("started"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    objects: ClassVar[models.Manager["Checkout"]] = models.Manager()

    class Meta:
        default_permissions = ()
        verbose_name = _("checkout")
        verbose_name_plural = _("checkouts")
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="checkout_amount_positive"),
            models.CheckConstraint(
                condition=Q(refunded_amount__gte=0, refunded_amount__lte=F("amount")),
                name="checkout_refunded_within_amount",
            ),
            models.CheckConstraint(
                condition=Q(provider_status__in=ProviderStatus.values), name="checkout_provider_status_known"
            ),
            models.CheckConstraint(
                condition=Q(provider_status__in=("", "rejected")) | Q(external_id__isnull=False),
                name="checkout_known_to_provider_has_id",
            ),
            models.CheckConstraint(
                condition=Q(provider_status="succeeded") | Q(refunded_amount=0), name="checkout_only_paid_is_refunded"
            ),
            models.CheckConstraint(
                condition=Q(attention="", attention_since__isnull=True)
                | ~Q(attention="") & Q(attention_since__isnull=False),
                name="checkout_attention_has_time",
            ),
            models.CheckConstraint(
                condition=Q(held_at__isnull=True, give_at__isnull=True)
                | Q(held_at__isnull=False, give_at__isnull=False, provider_status="succeeded"),
                name="checkout_only_paid_is_held",
            ),
            models.CheckConstraint(
                condition=Q(kind="")
                | Q(kind=OrderKind.APPOINTMENT, appointment_type_id__isnull=False, package_id__isnull=True)
                | Q(kind=OrderKind.PACKAGE, package_id__isnull=False, appointment_type_id__isnull=True),
                name="checkout_order_is_whole",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["next_check_at"], condition=Q(next_check_at__isnull=False), name="checkout_due"),
            models.Index(fields=["give_at"], condition=Q(give_at__isnull=False), name="checkout_held"),
            models.Index(fields=["user_id", "created_at"], name="checkout_user"),
            models.Index(fields=["attention_since"], condition=~Q(attention=""), name="checkout_attention"),
            # The money of a day is looked at every few seconds by whoever has the home page open.
            models.Index(fields=["captured_at"], condition=Q(captured_at__isnull=False), name="checkout_captured"),
        ]

    def __str__(self) -> str:
        return str(self.payment_id)
