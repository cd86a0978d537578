"""What beat asks of the bridge, and the task that carries bundles."""

import logging
import time
from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from bridge.holds import forget_ended
from bridge.hung import end_hung_listeners as end_hung
from bridge.kept import forget_vanished
from bridge.models import BridgeProcess
from bridge.operations.handed_over import TASK, carry_out, forsaken
from bridge.pgmq import QueueMissing, pgmq_queue
from bridge.postgres import is_locked, is_outage
from bridge.queues import creation, registry
from bridge.rights import RowsHidden, may_conclude, queue_tables
from bridge.rollup.news import Quiet
from bridge.rollup.passing import roll_up, roll_up_all
from bridge.rollup.ready import is_ready
from bridge.rollup.upkeep import tidy
from bridge.worker.bundle import deliver_bundle

__all__ = [
    "add_to_rollup",
    "carry_out_act",
    "carry_out_forsaken_acts",
    "deliver_bundle",
    "end_hung_listeners",
    "forget_dead_bridges",
    "prune_archives",
    "tidy_rollup",
]

logger = logging.getLogger(__name__)

BATCH = 5000
MOST_BATCHES = 200
FORGET_AFTER = timedelta(days=1)
# Of each queue, before its archive is pruned; beat's own passes have usually left nothing to do.
ROLL_UP_SECONDS = 60.0

_quiet = Quiet()


@shared_task(name="bridge.prune_archives")
def prune_archives() -> None:
    """Delete what is older than `BRIDGE_ARCHIVE_DAYS` from the archives of our queues, in short transactions.

    Only what is in the roll-up, so that is brought up to date first.
    """
    if not is_ready():
        logger.warning("nothing old is deleted from archives before `migrate` has made the tables of the roll-up")
        return
    for queue in registry:
        if not may_conclude("nothing old is deleted", *queue_tables(queue.name)):
            continue
        try:
            deleted = _prune(queue.name)
        except QueueMissing as missing:
            logger.warning("%s. %s", missing, creation(queue.name))
        except RowsHidden as hidden:
            logger.error("%s: nothing old is deleted: %s", queue.name, hidden)
        except DatabaseError as error:
            if is_outage(error) and not is_locked(error):
                raise
            # A right that we lack on one archive must not let the others grow.
            logger.error("%s: its archive could not be pruned: %s", queue.name, str(error).strip())
        else:
            if deleted:
                text = "%s: %s archived messages older than %s days deleted"
                logger.info(text, queue.name, deleted, settings.BRIDGE_ARCHIVE_DAYS)


def _prune(queue: str) -> int:
    roll_up(queue, until=time.monotonic() + ROLL_UP_SECONDS)
    pgmq, deleted = pgmq_queue(queue), 0
    for _ in range(MOST_BATCHES):
        batch = pgmq.prune(days=settings.BRIDGE_ARCHIVE_DAYS, limit=BATCH)
        deleted += batch
        if batch < BATCH:
            break
    return deleted


@shared_task(name="bridge.forget_dead_bridges")
def forget_dead_bridges() -> None:
    """Delete the rows of processes that ended, or fell silent, a day ago, what is kept for lost messages, old holds."""
    BridgeProcess.objects.filter(seen_at__lt=timezone.now() - FORGET_AFTER).delete()
    forget_vanished()
    forget_ended(older_than=FORGET_AFTER)


@shared_task(name="bridge.add_to_rollup")
def add_to_rollup() -> None:
    """Add to the roll-up what was archived since the last time."""
    if not _quiet.lasts():
        _quiet.found(roll_up_all())


@shared_task(name="bridge.tidy_rollup")
def tidy_rollup() -> None:
    """Forget what the roll-up keeps too long, and bring its failed messages in line with the archives."""
    tidy()


@shared_task(name="bridge.end_hung_listeners")
def end_hung_listeners() -> None:
    """End the session of a bridge that is stopped and listens: what is sent to it would hold back vacuum."""
    end_hung()


@shared_task(name=TASK)
def carry_out_act(action_id: int, *, from_the_start: bool = False) -> None:
    """Go on with what an operator asked for, and let another task go on after that: others have their turn between."""
    if carry_out(action_id, from_the_start=from_the_start):
        carry_out_act.delay(action_id)


@shared_task(name="bridge.carry_out_forsaken_acts")
def carry_out_forsaken_acts() -> None:
    """Go on with acts whose task was lost with the broker or with its worker."""
    for action_id in forsaken():
        carry_out_act.delay(action_id, from_the_start=True)
