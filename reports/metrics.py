"""Reports by status, for a monitor."""

from collections.abc import Iterator

from django.db.models import Count
from prometheus_client.metrics_core import Metric

from bridge.scraping import Part, by_state
from reports.models import Report


def _reports() -> Iterator[Metric]:
    yield from by_state("reports", "Reports by status.", "reports")


PARTS = (Part("reports", _reports),)


def _count_reports() -> dict[str, int]:
    return dict(Report.objects.order_by().values_list("status").annotate(Count("pk")))


COUNTS = {"reports": _count_reports}
