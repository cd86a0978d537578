"""Queues, what ended in them, services outside and processes, for a monitor."""

from collections import Counter
from collections.abc import Iterator, Sequence

from django.db import connection
from django.utils import timezone
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from bridge.breaker import states
from bridge.histogram import BOUNDS, Histogram
from bridge.holds import in_force
from bridge.models import KeptOutcome, RolledQueue
from bridge.pgmq import pgmq_queue, queue_names
from bridge.processes.pulse import Kind
from bridge.processes.rows import living
from bridge.queues import registry
from bridge.rights import RowsHidden, queue_tables, require_sight
from bridge.rollup.failures import count_failures
from bridge.rollup.reading import ever
from bridge.scraping import PREFIX, Part, gauge

# Those of others have no end.
MOST_QUEUES = 50
# A backlog of more is an estimate: this page has to be quick.
MOST_COUNTED = 20_000

_THERE = """
SELECT name FROM unnest(%s::text[]) AS name
WHERE to_regclass(format('pgmq.%%I', lower('q_' || name))) IS NOT NULL
  AND to_regclass(format('pgmq.%%I', lower('a_' || name))) IS NOT NULL
"""


def _depths() -> Iterator[Metric]:
    messages = gauge("queue_messages", "Messages of a queue by what they wait for.", "queue", "state")
    oldest = gauge("queue_oldest_age_seconds", "Age of the oldest message that is due, 0 if none is.", "queue")
    missing = gauge("queue_missing", "Whether a queue that we handle does not exist in the database.", "queue")
    names = _queues()
    for queue in registry:
        missing.add_metric([queue.name], queue.name not in names)
    for name in _seen(names):
        counts = pgmq_queue(name).counts(most=MOST_COUNTED)
        for state in ("ready", "retrying", "running", "in_line", "delayed"):
            messages.add_metric([name, state], getattr(counts, state))
        oldest.add_metric([name], counts.oldest_seconds or 0)
    yield from (messages, oldest, missing)


def _queues() -> list[str]:
    """Those that there are: ours first, and some of others."""
    with connection.cursor() as cursor:
        cursor.execute(_THERE, [[queue.name for queue in registry]])
        ours = {name for (name,) in cursor.fetchall()}
    others = [name for name in queue_names() if name not in registry]
    return [*(queue.name for queue in registry if queue.name in ours), *others][:MOST_QUEUES]


def _seen(names: list[str]) -> list[str]:
    """Those whose rows we all see: what is not seen is not 0. The doctor says which right is missing."""
    try:
        require_sight(*(table for name in names for table in queue_tables(name)), "pgmq.meta")
    except RowsHidden:
        return [name for name in names if _is_seen(name)]
    return names


def _is_seen(name: str) -> bool:
    try:
        require_sight(*queue_tables(name))
    except RowsHidden:
        return False
    return True


def _ended() -> Iterator[Metric]:
    labels = ("queue", "outcome", "reason")
    messages = CounterMetricFamily(PREFIX + "messages", "Messages that ended, by outcome and reason.", labels=labels)
    attempts = CounterMetricFamily(PREFIX + "attempts", "Attempts that messages took which ended.", labels=labels)
    waiting = HistogramMetricFamily(
        PREFIX + "message_waiting_seconds", "From when a message was sent to its first attempt.", labels=["queue"]
    )
    running = HistogramMetricFamily(
        PREFIX + "message_running_seconds", "How long the last attempt of a message took.", labels=["queue"]
    )
    for name, all_ended in ever(*_seen(_queues())).items():
        for ended in all_ended:
            messages.add_metric([name, ended.outcome, ended.reason], ended.count)
            attempts.add_metric([name, ended.outcome, ended.reason], ended.attempts)
        _add(waiting, name, [ended.waiting for ended in all_ended])
        _add(running, name, [ended.running for ended in all_ended])
    yield from (messages, attempts, waiting, running)


def _add(metric: HistogramMetricFamily, queue: str, histograms: Sequence[Histogram]) -> None:
    whole = sum(histograms, start=Histogram())
    buckets: list[tuple[str, float]] = []
    before = 0
    for bound, count in zip((*(f"{bound:g}" for bound in BOUNDS), "+Inf"), whole.counts, strict=True):
        before += count
        buckets.append((bound, before))
    metric.add_metric([queue], buckets=buckets, sum_value=whole.seconds)


def _failures() -> Iterator[Metric]:
    open_failures = gauge("open_failures", "Messages that failed and that nobody put back or discarded.", "queue")
    names = [name for name in _seen(_queues()) if name in registry]
    for name in names:
        open_failures.add_metric([name], count_failures(name))
    yield open_failures
    kept = gauge("kept_outcomes", "Outcomes that Postgres refused to write, and that are tried again.", "queue")
    counts = Counter(KeptOutcome.objects.values_list("queue", flat=True)[:10_000])
    for queue in registry:
        kept.add_metric([queue.name], counts[queue.name])
    yield kept


def _rollup() -> Iterator[Metric]:
    lag = gauge("rollup_lag_seconds", "Since when the roll-up of a queue was complete last.", "queue")
    now = timezone.now()
    for row in RolledQueue.objects.filter(queue__in=_queues()).exclude(complete_at=None):
        lag.add_metric([row.queue], max(0.0, (now - row.complete_at).total_seconds()) if row.complete_at else 0.0)
    yield lag


def _holds() -> Iterator[Metric]:
    held = gauge("queue_held", "Whether a queue is not worked on, by what holds it.", "queue", "cause")
    for holds in in_force().values():
        for hold in holds:
            held.add_metric([hold.queue, hold.cause], 1)
    yield held


def _services() -> Iterator[Metric]:
    is_open = gauge("service_away", "Whether a service outside is known to be away.", "service")
    waiting = gauge("service_waiting_messages", "Messages that wait for a service that is away.", "service")
    for state in states():
        is_open.add_metric([state.name], int(state.is_open))
        waiting.add_metric([state.name], state.waiting)
    yield from (is_open, waiting)


def _processes() -> Iterator[Metric]:
    living_ones = gauge("processes", "Processes that renewed their row lately, by kind.", "kind")
    for kind in Kind:
        living_ones.add_metric([kind.value], len(living(kind)))
    yield living_ones


PARTS = (
    Part("queues", _depths),
    Part("ended", _ended),
    Part("failures", _failures),
    Part("rollup", _rollup),
    Part("holds", _holds),
    Part("services", _services),
    Part("processes", _processes),
)
