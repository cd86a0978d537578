"""Mails by status, for a monitor."""

from collections.abc import Iterator

from django.db.models import Count
from prometheus_client.metrics_core import Metric

from bridge.scraping import Part, by_state
from notifications.models import EmailMessage


def _mails() -> Iterator[Metric]:
    yield from by_state("mails", "Mails of the log by status.", "mails")


PARTS = (Part("mails", _mails),)


def _count_mails() -> dict[str, int]:
    return dict(EmailMessage.objects.order_by().values_list("status").annotate(Count("pk")))


COUNTS = {"mails": _count_mails}
