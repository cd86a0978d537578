"""The colours of what happens to payments, refunds and notifications."""

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from payments.models import ProviderNotification, Refund
from payments.states import NotificationStatus, PaymentStatus, RefundStatus
from staff.badges import Tone, badge

_OF_PAYMENT = {
    PaymentStatus.PENDING: Tone.QUIET,
    PaymentStatus.PROCESSING: Tone.UNDERWAY,
    PaymentStatus.COMPLETED: Tone.GOOD,
    PaymentStatus.FAILED: Tone.BAD,
    PaymentStatus.CANCELLED: Tone.QUIET,
    PaymentStatus.REFUNDED: Tone.BACK,
}
_OF_REFUND = {
    RefundStatus.REQUESTED: Tone.UNDERWAY,
    RefundStatus.PENDING: Tone.UNDERWAY,
    RefundStatus.SUCCEEDED: Tone.BACK,
    RefundStatus.CANCELED: Tone.BAD,
    RefundStatus.REJECTED: Tone.BAD,
}
_OF_NOTIFICATION = {
    NotificationStatus.STORED: Tone.UNDERWAY,
    NotificationStatus.PROCESSED: Tone.GOOD,
    NotificationStatus.IGNORED: Tone.QUIET,
    NotificationStatus.REFUSED: Tone.LATE,
    NotificationStatus.FAILED: Tone.BAD,
}


def payment_badge(status: PaymentStatus) -> SafeString:
    return badge(status.label, _OF_PAYMENT[status])


def attention_badge() -> SafeString:
    return badge(_("attention"), Tone.LATE)


def refund_badge(refund: Refund) -> SafeString:
    return badge(refund.get_status_display(), _OF_REFUND[RefundStatus(refund.status)])


def notification_badge(notification: ProviderNotification) -> SafeString:
    return badge(notification.get_status_display(), _OF_NOTIFICATION[NotificationStatus(notification.status)])
