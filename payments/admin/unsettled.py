"""Which payments, refunds and notifications still need a person, and which did once and were made good since."""

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from payments.models import Checkout, PaymentAttention, ProviderNotification, Refund
from payments.states import HOLDING_MONEY, Attention, NotificationStatus, RefundStatus

_NOT_MADE = (RefundStatus.CANCELED, RefundStatus.REJECTED)


def open_refunds(refunds: QuerySet[Refund]) -> QuerySet[Refund]:
    return refunds.filter(~_given_back_since(), status__in=_NOT_MADE)


def settled_refunds(refunds: QuerySet[Refund]) -> QuerySet[Refund]:
    return refunds.filter(_given_back_since(), status__in=_NOT_MADE)


def open_notifications(rows: QuerySet[ProviderNotification]) -> QuerySet[ProviderNotification]:
    return rows.filter(~_checked_since(), status=NotificationStatus.FAILED)


def settled_notifications(rows: QuerySet[ProviderNotification]) -> QuerySet[ProviderNotification]:
    return rows.filter(_checked_since(), status=NotificationStatus.FAILED)


def _given_back_since() -> Q:
    """The money went back another time, or somebody has dealt with it: then the payment bears no mark any more."""
    later = Refund.objects.filter(payment_id=OuterRef("payment_id"), created_at__gt=OuterRef("created_at"))
    mark = PaymentAttention.objects.filter(payment_id=OuterRef("payment_id"), settled_at__isnull=True)
    return Q(Exists(later.filter(status__in=HOLDING_MONEY))) | ~Q(Exists(mark.filter(reason=Attention.REFUND_FAILED)))


def _checked_since() -> Q:
    """The payment was asked about after this check had failed, whoever asked."""
    failed = Coalesce(OuterRef("processed_at"), OuterRef("received_at"))
    return Q(Exists(Checkout.objects.filter(pk=OuterRef("payment_id"), checked_at__gt=failed)))
