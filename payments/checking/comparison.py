"""A payment as we have it beside the same payment at YooKassa. Looks only: nothing is sent and nothing written."""

from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Sum

from payments.checking.turns import take_turn
from payments.errors import PaymentMissing, ProviderMismatch
from payments.models import Checkout, Payment, Refund
from payments.provider import provider
from payments.states import PaymentStatus, ProviderStatus, RefundStatus, payment_status
from payments.yookassa.errors import Rejected
from payments.yookassa.objects import ProviderPayment


@dataclass(frozen=True, slots=True)
class Method:
    """How was paid, in YooKassa's words; both are empty before the payer chose."""

    kind: str
    title: str


Value = str | bool | Decimal | Method | None
# What no check ever takes over from YooKassa: a payment of another amount, or another payment.
_NEVER_TAKEN_OVER = frozenset({"amount", "currency", "external_id", "payment_id"})


@dataclass(frozen=True, slots=True)
class Compared:
    """One property; `ours` and `theirs` are the same when nothing is wrong."""

    name: str
    ours: Value
    theirs: Value

    @property
    def differs(self) -> bool:
        return self.ours != self.theirs

    @property
    def is_beyond_checks(self) -> bool:
        """Whether a check will not mend the difference."""
        return self.differs and self.name in _NEVER_TAKEN_OVER


def compare_payment(payment: Payment) -> list[Compared]:
    """Ask YooKassa and put both sides next to each other.

    Raises `PaymentMissing` for a payment that has no id there yet, `ProviderMismatch` when YooKassa does not know it,
    `Unavailable` and `Rejected` from the adapter, `AskedLately` and `ProviderNotConfigured`.
    """
    checkout = Checkout.objects.filter(pk=payment.pk).first()
    external_id = checkout.external_id if checkout is not None else payment.external_payment_id
    if not external_id:
        raise PaymentMissing(f"the payment {payment.pk} has no id at YooKassa")
    client = provider()
    take_turn(payment.pk)
    try:
        seen = client.get_payment(external_id)
    except Rejected as error:
        if error.http_status == 404:
            raise ProviderMismatch(f"YooKassa does not know the payment {external_id}") from error
        raise
    return compare(payment, checkout, seen)


def compare(payment: Payment, checkout: Checkout | None, seen: ProviderPayment) -> list[Compared]:
    """Put both sides next to each other. Without a checkout ours is what the row says."""
    known = seen.status in ProviderStatus.values
    shown = payment_status(
        ProviderStatus(seen.status) if known else ProviderStatus.PENDING,
        fully_refunded=seen.refunded_amount >= seen.amount,
    )
    row = Compared("row_status", PaymentStatus(payment.status).value, shown.value)
    if checkout is None:
        return [
            Compared("external_id", payment.external_payment_id, seen.id),
            row,
            Compared("amount", payment.amount, seen.amount),
            Compared("currency", payment.currency, seen.currency),
        ]
    back = Refund.objects.filter(payment_id=payment.pk, status=RefundStatus.SUCCEEDED).aggregate(sum=Sum("amount"))
    return [
        Compared("external_id", checkout.external_id, seen.id),
        Compared("payment_id", str(payment.pk), seen.metadata.get("payment_id")),
        Compared("status", checkout.provider_status, seen.status),
        row,
        Compared("amount", checkout.amount, seen.amount),
        Compared("currency", checkout.currency, seen.currency),
        Compared("refunded_amount", back["sum"] or Decimal(0), seen.refunded_amount),
        Compared(
            "method",
            Method(checkout.method_type, checkout.method_title),
            Method(seen.method_type, seen.method_title),
        ),
        Compared("cancellation_reason", checkout.cancellation_reason, seen.cancellation_reason),
        Compared("receipt_registration", checkout.receipt_registration, seen.receipt_registration),
        Compared("test", checkout.test, seen.test),
    ]
