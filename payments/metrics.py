"""Payments, refunds and YooKassa's notifications by status, for a monitor: numbers, and nobody's money."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from django.db.models import Count, Model
from django.utils import timezone
from prometheus_client.metrics_core import Metric

from bridge.scraping import Part, by_state, gauge
from payments.models import Checkout, PaymentAttention, ProviderNotification, Refund
from payments.states import Attention

# Of the newest notifications; what is older says nothing of how fast they are checked now.
RECENT, MOST_RECENT = timedelta(hours=1), 1000


def _payments() -> Iterator[Metric]:
    yield from by_state("payments", "Payments by what YooKassa says of them.", "payments")


def _refunds() -> Iterator[Metric]:
    yield from by_state("refunds", "Refunds by status.", "refunds")


def _attention() -> Iterator[Metric]:
    metric = gauge("payments_attention", "Payments that wait for a person, by reason.", "reason")
    open_marks = PaymentAttention.objects.filter(settled_at=None)
    counts = dict(open_marks.order_by().values_list("reason").annotate(Count("pk")))
    for reason in Attention:
        metric.add_metric([reason.value], counts.get(reason.value, 0))
    yield metric


def _webhook() -> Iterator[Metric]:
    yield from by_state("webhook_notifications", "Notifications of YooKassa by status.", "notifications")
    newest = ProviderNotification.objects.filter(received_at__gt=timezone.now() - RECENT, trusted=True)
    times = newest.order_by("-received_at").values_list("received_at", "processed_at")[:MOST_RECENT]
    seconds = sorted((done - came).total_seconds() for came, done in times if done is not None)
    latency = gauge(
        "webhook_check_seconds", "From a notification's arrival to its check, over the last hour.", "quantile"
    )
    for quantile in (0.5, 0.95):
        if seconds:
            latency.add_metric([str(quantile)], seconds[min(int(len(seconds) * quantile), len(seconds) - 1)])
    yield latency


PARTS = (
    Part("payments", _payments),
    Part("refunds", _refunds),
    Part("attention", _attention),
    Part("webhook", _webhook),
)


def _by(model: type[Model], field: str) -> dict[str, int]:
    """What is not known to YooKassa yet has no status there."""
    rows = model._default_manager.order_by().values_list(field).annotate(Count("pk"))
    return {state or "not_created": count for state, count in rows}


COUNTS = {
    "payments": partial(_by, Checkout, "provider_status"),
    "refunds": partial(_by, Refund, "status"),
    "notifications": partial(_by, ProviderNotification, "status"),
}
