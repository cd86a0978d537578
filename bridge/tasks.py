"""What beat asks of the bridge, and the task that carries bundles."""

import logging
from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from bridge.hung import end_hung_listeners as end_hung
from bridge.kept import forget_vanished
from bridge.models import BridgeProcess
from bridge.pgmq import QueueMissing, pgmq_queue
from bridge.postgres import is_outage
from bridge.queues import creation, registry
from bridge.rights import may_conclude, queue_tables
from bridge.worker.bundle import deliver_bundle

__all__ = ["deliver_bundle", "end_hung_listeners", "forget_dead_bridges", "prune_archives"]

logger = logging.getLogger(__name__)

BATCH = 5000
MOST_BATCHES = 200
FORGET_AFTER = timedelta(days=1)


@shared_task(name="bridge.prune_archives")
def prune_archives() -> None:
    """Delete what is older than `BRIDGE_ARCHIVE_DAYS` from the archives of our queues, in short transactions."""
    for queue in registry:
        if not may_conclude("nothing old is deleted", *queue_tables(queue.name)):
            continue
        pgmq, deleted = pgmq_queue(queue.name), 0
        try:
            for _ in range(MOST_BATCHES):
                batch = pgmq.prune(days=settings.BRIDGE_ARCHIVE_DAYS, limit=BATCH)
                deleted += batch
                if batch < BATCH:
                    break
        except QueueMissing as missing:
            logger.warning("%s. %s", missing, creation(queue.name))
        except DatabaseError as error:
            if is_outage(error):
                raise
            # A right that we lack on one archive must not let the others grow.
            logger.error("%s: its archive could not be pruned: %s", queue.name, str(error).strip())
        if deleted:
            logger.info(
                "%s: %s archived messages older than %s days deleted", queue.name, deleted, settings.BRIDGE_ARCHIVE_DAYS
            )


@shared_task(name="bridge.forget_dead_bridges")
def forget_dead_bridges() -> None:
    """Delete the rows of bridge processes that ended, or fell silent, a day ago, and what is kept for lost messages."""
    BridgeProcess.objects.filter(seen_at__lt=timezone.now() - FORGET_AFTER).delete()
    forget_vanished()


@shared_task(name="bridge.end_hung_listeners")
def end_hung_listeners() -> None:
    """End the session of a bridge that is stopped and listens: what is sent to it would hold back vacuum."""
    end_hung()
