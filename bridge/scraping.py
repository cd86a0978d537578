"""What each package tells a monitor when it is asked: parts, of which one may fail without the others."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from bridge.counted import counted

# All names begin with it.
PREFIX = "balansity_"


@dataclass(frozen=True, slots=True)
class Part:
    """A few metrics that come from one place. `collect` reads them from Postgres, and is stopped when it takes long.

    Labels hold names of ours, and nothing that strangers write or that tells of a family.
    """

    name: str
    collect: Callable[[], Iterable[Metric]]


def gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + name, text, labels=labels)


def by_state(name: str, text: str, what: str, *, label: str = "status") -> Iterator[Metric]:
    """A gauge of rows by state, and how old the count is."""
    found = counted(what)
    metric = gauge(name, text, label)
    age = gauge("counted_age_seconds", "Age of the counts by status, which beat makes once a minute.", "what")
    if found is not None:
        for state, count in sorted(found.by_state.items()):
            metric.add_metric([state], count)
        age.add_metric([what], max(0.0, (timezone.now() - found.at).total_seconds()))
    yield from (metric, age)
