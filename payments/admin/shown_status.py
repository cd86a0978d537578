"""The status that staff see: what the provider said, where it was asked, and not what somebody wrote into the row."""

from datetime import timedelta

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce
from django.db.models.lookups import LessThan
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from payments.models import Checkout, Payment, PaymentAttention
from payments.states import OPEN, PaymentStatus, ProviderStatus, payment_status
from staff.badges import Tone, badge

STUCK_AFTER = timedelta(minutes=15)
_TONES = {
    PaymentStatus.PENDING: Tone.QUIET,
    PaymentStatus.PROCESSING: Tone.UNDERWAY,
    PaymentStatus.COMPLETED: Tone.GOOD,
    PaymentStatus.FAILED: Tone.BAD,
    PaymentStatus.CANCELLED: Tone.QUIET,
    PaymentStatus.REFUNDED: Tone.BACK,
}


def checkout_of(payment: Payment) -> Checkout | None:
    """Ours about a payment, or `None` for a row that was never started here."""
    return getattr(payment, "checkout", None)


def shown_status(payment: Payment) -> PaymentStatus:
    """The proven status. For a row that nobody asked the provider about it is only what the row says."""
    checkout = checkout_of(payment)
    if checkout is None:
        return PaymentStatus(payment.status)
    fully = checkout.refunded_amount >= checkout.amount
    return payment_status(ProviderStatus(checkout.provider_status), fully_refunded=fully)


def payment_badge(status: PaymentStatus) -> SafeString:
    return badge(status.label, _TONES[status])


def attention_badge() -> SafeString:
    return badge(_("attention"), Tone.LATE)


def is_unproven(payment: Payment) -> bool:
    """Whether the row claims something that no check has shown."""
    return checkout_of(payment) is None and payment.status != PaymentStatus.PENDING


def is_at_provider(payment: Payment) -> bool:
    """Whether there is anything to ask the provider about: a row that nobody started there names nothing."""
    return checkout_of(payment) is not None or bool(payment.external_payment_id)


def with_marks(payments: QuerySet[Payment]) -> QuerySet[Payment]:
    """Adds `is_marked`: whether a person must look at it."""
    marks = PaymentAttention.objects.filter(payment_id=OuterRef("pk"), settled_at__isnull=True)
    return payments.annotate(is_marked=Exists(marks))


def having_status(status: PaymentStatus) -> Q:
    """The payments for which `shown_status` is `status`."""
    proven = Q(pk__in=[])
    for provider in ProviderStatus:
        here = Q(checkout__provider_status=provider.value)
        if payment_status(provider, fully_refunded=False) == status:
            proven |= here & Q(checkout__refunded_amount__lt=F("checkout__amount"))
        if payment_status(provider, fully_refunded=True) == status:
            proven |= here & Q(checkout__refunded_amount=F("checkout__amount"))
    return proven | Q(checkout__isnull=True, status=status)


def stuck() -> Q:
    """The payments that should have come to an end by now, and did not."""
    waiting = Q(checkout__provider_status__in=[status.value for status in OPEN])
    untouched = Q(checkout__isnull=True, status__in=(PaymentStatus.PENDING, PaymentStatus.PROCESSING))
    began = Coalesce("created_at", "checkout__created_at")
    return (waiting | untouched) & Q(LessThan(began, timezone.now() - STUCK_AFTER))


def is_stuck(payment: Payment) -> bool:
    """The same as `stuck` for one row."""
    checkout = checkout_of(payment)
    if checkout is None:
        waits = payment.status in (PaymentStatus.PENDING, PaymentStatus.PROCESSING)
    else:
        waits = checkout.provider_status in OPEN
    began = payment.created_at or (checkout.created_at if checkout else None)
    return waits and began is not None and began < timezone.now() - STUCK_AFTER
