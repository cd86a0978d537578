"""Supabase's tables that a payment touches, unmanaged, and our own rows about it."""

from payments.models.attention import PaymentAttention
from payments.models.checkout import Checkout
from payments.models.fulfilment import Fulfilment
from payments.models.idempotency import IdempotencyKey
from payments.models.notification import ProviderNotification
from payments.models.refund import Refund
from payments.models.supabase import (
    Appointment,
    AppointmentType,
    Package,
    PackagePurchase,
    Payment,
    Profile,
    User,
)
from payments.models.timeline import PaymentEvent
from payments.models.turn import Turn

__all__ = [
    "Appointment",
    "AppointmentType",
    "Checkout",
    "Fulfilment",
    "IdempotencyKey",
    "Package",
    "PackagePurchase",
    "Payment",
    "PaymentAttention",
    "PaymentEvent",
    "Profile",
    "ProviderNotification",
    "Refund",
    "Turn",
    "User",
]
