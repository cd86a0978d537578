"""Keeps the roll-up small and true: old hours go, ids that no message has are closed, failures follow the archive."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from bridge.models import FailedMessage, RolledHour, RolledQueue
from bridge.pgmq import pgmq_queue
from bridge.rights import queue_tables, require_sight
from bridge.rollup.passing import all_queues, left_alone
from bridge.rollup.ready import is_ready

# How long an id may be missing from queue and archive before it is taken for one that no message will have.
PATIENCE_SECONDS = 3600.0
# Each costs a look into an index; fewer are not worth a look through the queue.
MOST_GAPS = 500
# How long hours are kept: a year, and a month to compare it with.
KEPT_DAYS = 400
# Failures of one transaction.
CHUNK = 5000


def tidy() -> None:
    """Once an hour, for all queues."""
    if not is_ready():
        return
    RolledHour.objects.filter(hour__lt=timezone.now() - timedelta(days=KEPT_DAYS)).delete()
    names = all_queues()
    for name in names:
        with left_alone(name, "its roll-up is not tidied up"):
            tidy_queue(name)
    if names:
        forget_dropped(names)


def tidy_queue(name: str, *, patience: float = PATIENCE_SECONDS, gaps: int = MOST_GAPS) -> None:
    require_sight(*queue_tables(name))
    pgmq = pgmq_queue(name)
    with transaction.atomic():
        pgmq.sweep(patience=patience, gaps=gaps)
    after: int | None = -(2**63)
    while after is not None:
        after = pgmq.settle_failures(after=after, limit=CHUNK)


def forget_dropped(names: list[str]) -> None:
    """Nobody can act on what failed in a queue that is gone. Hours and totals stay: they were true."""
    FailedMessage.objects.exclude(queue__in=names).delete()
    RolledQueue.objects.exclude(queue__in=names).delete()
