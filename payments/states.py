"""The states of a payment, a refund, a notification, and which change may follow which."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class PaymentStatus(models.TextChoices):
    """`public.payments.status`: what the front end reads. Anybody may have written it, so it proves nothing."""

    PENDING = "pending", _("not started")
    PROCESSING = "processing", _("waiting for the payer")
    COMPLETED = "completed", _("paid")
    FAILED = "failed", _("not paid")
    CANCELLED = "cancelled", _("called off")
    REFUNDED = "refunded", pgettext_lazy("status", "refunded")


class ProviderStatus(models.TextChoices):
    """How far a payment got at the provider, as far as we know; the last two and `rejected` are final there."""

    UNKNOWN = "", _("not created yet")
    PENDING = "pending", _("waiting for the payer")
    WAITING_FOR_CAPTURE = "waiting_for_capture", _("reserved, not captured")
    SUCCEEDED = "succeeded", _("paid")
    CANCELED = "canceled", _("cancelled")
    # Ours: the provider refused to create it, or never heard of it.
    REJECTED = "rejected", _("refused by the provider")


# Never backwards: what was seen last decides only where the order of states allows it, as answers overtake each other.
PROVIDER_TRANSITIONS: dict[ProviderStatus, frozenset[ProviderStatus]] = {
    ProviderStatus.UNKNOWN: frozenset(
        {
            ProviderStatus.PENDING,
            ProviderStatus.WAITING_FOR_CAPTURE,
            ProviderStatus.SUCCEEDED,
            ProviderStatus.CANCELED,
            ProviderStatus.REJECTED,
        }
    ),
    ProviderStatus.PENDING: frozenset(
        {ProviderStatus.WAITING_FOR_CAPTURE, ProviderStatus.SUCCEEDED, ProviderStatus.CANCELED}
    ),
    ProviderStatus.WAITING_FOR_CAPTURE: frozenset({ProviderStatus.SUCCEEDED, ProviderStatus.CANCELED}),
    ProviderStatus.SUCCEEDED: frozenset(),
    ProviderStatus.CANCELED: frozenset(),
    # A payment that was given up as never created, and then found at the provider after all.
    ProviderStatus.REJECTED: frozenset(
        {
            ProviderStatus.PENDING,
            ProviderStatus.WAITING_FOR_CAPTURE,
            ProviderStatus.SUCCEEDED,
            ProviderStatus.CANCELED,
        }
    ),
}
OPEN = frozenset({ProviderStatus.UNKNOWN, ProviderStatus.PENDING, ProviderStatus.WAITING_FOR_CAPTURE})


def may_follow(new: ProviderStatus, old: ProviderStatus) -> bool:
    """Whether a payment that was `old` can be `new` now."""
    return new in PROVIDER_TRANSITIONS[old]


def payment_status(provider: ProviderStatus, *, fully_refunded: bool) -> PaymentStatus:
    """What `public.payments.status` must say about a payment that the provider sees as `provider`."""
    match provider:
        case ProviderStatus.UNKNOWN:
            return PaymentStatus.PENDING
        case ProviderStatus.PENDING | ProviderStatus.WAITING_FOR_CAPTURE:
            return PaymentStatus.PROCESSING
        case ProviderStatus.SUCCEEDED:
            return PaymentStatus.REFUNDED if fully_refunded else PaymentStatus.COMPLETED
        case ProviderStatus.CANCELED:
            return PaymentStatus.FAILED
        case ProviderStatus.REJECTED:
            # Not `failed`: Supabase mails that to a payer who never saw a payment form.
            return PaymentStatus.CANCELLED


class OrderKind(models.TextChoices):
    APPOINTMENT = "appointment", _("consultation")
    PACKAGE = "package", _("package")


class RefundStatus(models.TextChoices):
    """`requested` and `pending` hold their amount back; `canceled` and `rejected` give it free again."""

    REQUESTED = "requested", _("on its way to the provider")
    PENDING = "pending", _("being made")
    SUCCEEDED = "succeeded", pgettext_lazy("status", "refunded")
    CANCELED = "canceled", _("did not go through")
    REJECTED = "rejected", _("refused by the provider")


HOLDING_MONEY = (RefundStatus.REQUESTED, RefundStatus.PENDING, RefundStatus.SUCCEEDED)
REFUND_TRANSITIONS: dict[RefundStatus, frozenset[RefundStatus]] = {
    RefundStatus.REQUESTED: frozenset(
        {RefundStatus.PENDING, RefundStatus.SUCCEEDED, RefundStatus.CANCELED, RefundStatus.REJECTED}
    ),
    RefundStatus.PENDING: frozenset({RefundStatus.SUCCEEDED, RefundStatus.CANCELED}),
    RefundStatus.SUCCEEDED: frozenset(),
    RefundStatus.CANCELED: frozenset(),
    # An attempt whose answer was given up may reach the provider after another one was refused.
    RefundStatus.REJECTED: frozenset({RefundStatus.PENDING, RefundStatus.SUCCEEDED, RefundStatus.CANCELED}),
}


class NotificationStatus(models.TextChoices):
    STORED = "stored", _("waits for its check")
    PROCESSED = "processed", _("checked")
    IGNORED = "ignored", _("nothing to do")
    REFUSED = "refused", _("unknown sender")
    FAILED = "failed", _("the check failed")


class Attention(models.TextChoices):
    """Why a person must look at a payment, the gravest first: money that may be nobody's before papers."""

    ROW_DELETED = "row_deleted", _("paid, and its row was deleted")
    PAID_TWICE = "paid_twice", _("paid twice for one order")
    MISMATCH = "mismatch", _("the provider's payment differs from ours")
    REFUND_FAILED = "refund_failed", _("a refund did not go through")
    SLOT_TAKEN = "slot_taken", _("paid, but the time was taken")
    SLOT_PASSED = "slot_passed", _("paid, but the time had passed")
    NOT_FULFILLED = "not_fulfilled", _("paid, but nothing was given for it")
    WAITS_FOR_CAPTURE = "waits_for_capture", _("the money is reserved and not captured")
    RECEIPT_FAILED = "receipt_failed", _("the fiscal receipt was not registered")
    REFUND_RECEIPT_FAILED = "refund_receipt_failed", _("the fiscal receipt of a refund was not registered")
    REFUND_RECEIPT_MISSING = "refund_receipt_missing", _("a refund went out without its fiscal receipt")
    NOT_CREATED = "not_created", _("the provider refused to create the payment")
    CHECK_FAILED = "check_failed", _("the check at the provider failed for good")
    ROW_REFUSED = "row_refused", _("the site's table does not take what YooKassa says")


GRAVITY = {reason.value: place for place, reason in enumerate(Attention)}
# Three answers to one question, why nothing was given: the newest is the true one, and what a person did about one of
# them they did about all.
NOTHING_GIVEN = frozenset({Attention.SLOT_TAKEN, Attention.SLOT_PASSED, Attention.NOT_FULFILLED})
# How things stand, seen anew at each check. What a person has dealt with does not come back by that. The others are
# things that happen: a second refund that fails is news.
STANDING = NOTHING_GIVEN | {
    Attention.ROW_DELETED,
    Attention.PAID_TWICE,
    Attention.MISMATCH,
    Attention.WAITS_FOR_CAPTURE,
    Attention.RECEIPT_FAILED,
    Attention.REFUND_RECEIPT_FAILED,
}


class Door(models.TextChoices):
    """Through which door an event came in."""

    API = "api", _("front end")
    WEBHOOK = "webhook", _("notification")
    QUEUE = "queue", _("queue")
    RECONCILIATION = "reconciliation", _("reconciliation")
    STAFF = "staff", _("staff")


class EventKind(models.TextChoices):
    CREATED = "created", _("payment started")
    PROVIDER_CREATED = "provider_created", _("created at YooKassa")
    PROVIDER_REFUSED = "provider_refused", _("YooKassa refused it")
    PROVIDER_AWAY = "provider_away", _("YooKassa was not reachable")
    NOTIFIED = "notified", _("notification received")
    CHECKED = "checked", _("checked at YooKassa")
    STATUS_CHANGED = "status_changed", _("status changed")
    STATUS_CORRECTED = "status_corrected", _("status written by somebody else, corrected")
    HELD = "held", _("paid, the time is kept for the client")
    FULFILLED = "fulfilled", _("given to the customer")
    MERGED = "merged", _("a second booking of the same consultation was removed")
    ATTENTION = "attention", _("needs attention")
    ATTENTION_CLEARED = "attention_cleared", _("attention cleared")
    REFUND_REQUESTED = "refund_requested", _("refund requested")
    REFUND_CHANGED = "refund_changed", _("refund changed")
    RECEIPT_CHANGED = "receipt_changed", _("receipt changed")
