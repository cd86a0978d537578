"""Collects the parts of all packages, each within its time: one that fails is named, and leaves the others."""

import logging
import platform
import time
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType

import django
from django.conf import settings
from django.db import Error, connection, transaction
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from balansity.packages import modules_called
from balansity.redaction import redact
from bridge.errors import BridgeError
from bridge.postgres import POSTGRES_AWAY, first_line, is_outage
from bridge.scraping import PREFIX, Part
from bridge.seldom import Seldom

logger = logging.getLogger(__name__)

# For everything: monitors wait ten seconds, and this holds a thread of the web process.
SECONDS = 3.0
# For one statement of a part.
STATEMENT_SECONDS = 1.0

_told = Seldom()


class EverythingCollector(Collector):
    """All parts, read when asked."""

    def __init__(self, parts: Iterable[Part], *, seconds: float = SECONDS) -> None:
        self._parts, self._seconds = list(parts), seconds

    def collect(self) -> Iterator[Metric]:
        deadline = time.monotonic() + self._seconds
        families: dict[str, Metric] = {}
        failed = GaugeMetricFamily(PREFIX + "scrape_error", "Whether a part could not be read.", labels=["part"])
        took = GaugeMetricFamily(PREFIX + "scrape_duration_seconds", "How long a part took.", labels=["part"])
        is_away = False
        for part in self._parts:
            began = time.monotonic()
            left = deadline - began
            found = None if is_away or left <= 0 else _collect(part, min(left, STATEMENT_SECONDS))
            is_away = is_away or found is AWAY
            for metric in found or ():
                _merge(families, metric)
            failed.add_metric([part.name], int(found is None or found is AWAY))
            took.add_metric([part.name], time.monotonic() - began)
        yield from families.values()
        yield from (failed, took, _build_info())


# Nobody else need ask.
AWAY: list[Metric] = []


def _collect(part: Part, seconds: float) -> list[Metric] | None:
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                # One snapshot for all of it: sums of two tables must belong together, or a counter would fall.
                cursor.execute(
                    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;"
                    " SET LOCAL statement_timeout = %s; SET LOCAL lock_timeout = '200ms'",
                    [f"{int(seconds * 1000)}ms"],
                )
            return list(part.collect())
    except (Error, BridgeError) as error:
        if times := _told.tell(part.name):
            text = "metrics: %s could not be read (%s times since this was said last): %s"
            logger.warning(text, part.name, times, redact(first_line(error)))
        return AWAY if isinstance(error, POSTGRES_AWAY) and is_outage(error) else None


def _merge(families: dict[str, Metric], metric: Metric) -> None:
    """Several parts may have samples of one name, which stand together."""
    known = families.setdefault(metric.name, metric)
    if known is not metric:
        known.samples.extend(metric.samples)


def _build_info() -> Metric:
    metric = GaugeMetricFamily(
        PREFIX + "build_info", "What runs here.", labels=["version", "python", "django", "environment"]
    )
    environment = "sandbox" if settings.SANDBOX else "production"
    metric.add_metric(
        [str(settings.SPECTACULAR_SETTINGS["VERSION"]), platform.python_version(), django.get_version(), environment], 1
    )
    return metric


def all_parts() -> Iterator[Part]:
    """Those of each installed package that has a module `metrics`."""
    for module in _modules():
        yield from module.PARTS


def all_counts() -> dict[str, Callable[[], dict[str, int]]]:
    """What beat counts for them."""
    return {what: count for module in _modules() for what, count in getattr(module, "COUNTS", {}).items()}


def _modules() -> Iterator[ModuleType]:
    # Ours is this room, which has nothing to tell of itself.
    return (module for module in modules_called("metrics") if module.__name__ != __package__)


def registry() -> CollectorRegistry:
    """A registry of its own, so that nothing of the library's gets in."""
    made = CollectorRegistry(auto_describe=False)
    made.register(EverythingCollector(all_parts()))
    return made
