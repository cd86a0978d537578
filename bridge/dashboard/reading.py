"""What the sections and the lines on top ask Postgres about queues, each once for a page."""

from dataclasses import dataclass

from django.db.models import Count

from bridge.holds import Hold, in_force
from bridge.models import KeptOutcome
from bridge.pgmq import Counts, QueueMissing, pgmq_queue
from bridge.queues import registry
from bridge.rollup.failures import FailureGroup, failure_groups
from bridge.rollup.reading import Day, day
from bridge.rollup.ready import is_ready
from bridge.wakeup import without_wakeup
from staff.sections import once

# Of a queue that is deeper nobody needs the last digit, and to count it would take longer than the page may.
MOST_WAITING = 20_000
# Of each queue, as lines on top; the page of the queue has all.
MOST_GROUPS = 4


@dataclass(frozen=True, slots=True)
class QueueNow:
    """A queue that we handle. `counts` is `None` where Postgres has no such queue."""

    name: str
    counts: Counts | None
    holds: tuple[Hold, ...] = ()


@once
def queues_now() -> list[QueueNow]:
    return [_read(queue.name) for queue in registry]


@once
def holds_now() -> dict[str, list[Hold]]:
    return in_force()


@once
def day_of(name: str) -> Day | None:
    """`None` while `migrate` has not made its tables."""
    return day(name) if is_ready() else None


@once
def groups_of(name: str) -> list[FailureGroup]:
    """What failed and is open, by its kind, the largest first; none where the queue is missing, which is told apart."""
    try:
        return failure_groups(name, most=MOST_GROUPS + 1) if is_ready() else []
    except QueueMissing:
        return []


@once
def sleepers() -> set[str]:
    """The queues that nothing wakes the bridge for."""
    return without_wakeup([queue.name for queue in registry])


@once
def kept_outcomes() -> list[tuple[str, int]]:
    """How many outcomes wait until Postgres lets us write them, by queue."""
    return list(KeptOutcome.objects.order_by("queue").values_list("queue").annotate(Count("pk")))


def _read(name: str) -> QueueNow:
    holds = tuple(holds_now().get(name, ()))
    try:
        return QueueNow(name, pgmq_queue(name).counts(most=MOST_WAITING), holds)
    except QueueMissing:
        return QueueNow(name, None, holds)
