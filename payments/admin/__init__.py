"""Payments, refunds and notifications in the admin. Importing this registers them."""

from payments.admin.messages import payment_subjects
from payments.admin.notifications import ProviderNotificationAdmin
from payments.admin.payments import PaymentAdmin
from payments.admin.refunds import RefundAdmin

__all__ = ["PaymentAdmin", "ProviderNotificationAdmin", "RefundAdmin", "payment_subjects"]
