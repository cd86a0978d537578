"""Relative to `api/`."""

from django.urls import path

from payments.api.customers import CreatePaymentView, PaymentsView, PaymentView, VerifyPaymentView
from payments.api.staff import RefundPaymentView
from payments.webhook.view import receive_notification

urlpatterns = [
    path("payments", PaymentsView.as_view(), name="payments"),
    path("payments/create", CreatePaymentView.as_view(), name="payment-create"),
    path("payments/verify", VerifyPaymentView.as_view(), name="payment-verify"),
    path("payments/<uuid:payment_id>", PaymentView.as_view(), name="payment"),
    path("payments/<uuid:payment_id>/refund", RefundPaymentView.as_view(), name="payment-refund"),
    path("webhook/yookassa", receive_notification, name="yookassa-webhook"),
]
