"""Payments as the HTTP API shows and takes them."""

from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from payments.api.amounts import CENT, AmountField
from payments.models import Payment, Refund
from payments.selectors import proven_status
from payments.states import PaymentStatus


class UtcTime(serializers.DateTimeField):
    """As Supabase's REST layer writes times, which the front end compares them with."""

    def to_representation(self, value: datetime) -> str:
        return value.astimezone(UTC).isoformat()


class CreatePaymentSerializer(serializers.Serializer[Any]):
    amount = AmountField()
    currency = serializers.ChoiceField(choices=["RUB"], default="RUB")
    metadata = serializers.DictField(
        help_text="What is paid for: `type` is `appointment`, with `appointment_type_id` and `scheduled_at` (or "
        "`appointment_id` of a booked one) and perhaps `profile_id`; or `package`, with `package_id`."
    )


class StartedPaymentSerializer(serializers.Serializer[Any]):
    payment_id = serializers.UUIDField()
    confirmation_token = serializers.CharField(help_text="For the payment form of YooKassa.")


class PaymentSerializer(serializers.ModelSerializer[Payment]):
    """The row as Supabase's REST layer shows it; `status` is what the provider proves, as far as it was asked."""

    # numeric(10,2) as a JSON number: so few digits survive a float exactly.
    amount = serializers.FloatField(read_only=True)
    status = serializers.SerializerMethodField()
    # Supabase's columns may be NULL.
    created_at = UtcTime(read_only=True, allow_null=True)
    updated_at = UtcTime(read_only=True, allow_null=True)

    class Meta:
        model = Payment
        fields = (
            *("id", "user_id", "amount", "currency", "status", "payment_method", "external_payment_id"),
            *("metadata", "created_at", "updated_at"),
        )
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(choices=PaymentStatus.choices))
    def get_status(self, row: Payment) -> str:
        return proven_status(row) or row.status


class VerifyPaymentSerializer(serializers.Serializer[Any]):
    payment_id = serializers.UUIDField()


class VerifiedPaymentSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=PaymentStatus.choices)
    payment = PaymentSerializer()


class NewRefundSerializer(serializers.Serializer[Any]):
    amount = AmountField(least=CENT, required=False, allow_null=True, default=None)
    reason = serializers.CharField(max_length=250, help_text="For the timeline of the payment.")


class RefundSerializer(serializers.ModelSerializer[Refund]):
    """A refund. `requested` is on its way to the provider; the payment's page and its timeline tell how it ends."""

    amount = serializers.FloatField(read_only=True)
    created_at = UtcTime(read_only=True)

    class Meta:
        model = Refund
        fields = ("id", "payment_id", "amount", "currency", "status", "reason", "created_at")
        read_only_fields = fields


class AcceptedRefundSerializer(serializers.Serializer[Any]):
    refund = RefundSerializer()
