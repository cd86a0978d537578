"""One glance at all queues of which nothing was heard: what nearly every turn of an idle bridge comes to.

A look at one queue is three questions, each a transaction of its own, so that whatever is found can be leased. A glance
leases nothing: it is one transaction for all of them together, and one question to the broker.
"""

import logging
import time
from collections.abc import Sequence

from django.conf import settings
from django.db import DatabaseError, transaction

from bridge.daemon.drain import Drain
from bridge.pgmq import Outlook, QueueMissing
from bridge.postgres import first_line, is_outage

logger = logging.getLogger(__name__)

# How soon a message that is due, but locked by somebody else's transaction, is looked at again.
LEAST_SLEEP = 0.02


def glance_at(drains: Sequence[Drain]) -> dict[str, Outlook]:
    """The outlook of each queue; none where one of them has trouble of its own, which a look at it will name.

    Raises `BrokerAway`, and Django's errors when Postgres is away, as a look does.
    """
    # Whether it is there is found out before there is a message, and said then.
    drains[0].observe(time.monotonic())
    try:
        for drain in drains:
            drain.unhide()
        with transaction.atomic():
            return {drain.queue.name: drain.outlook() for drain in drains}
    except QueueMissing as missing:
        logger.debug("%s", missing)
    except DatabaseError as error:
        if is_outage(error):
            raise
        logger.debug("each queue is looked at by itself: %s", first_line(error))
    return {}


def has_work(outlook: Outlook) -> bool:
    """Whether a look is to follow now. Of what is held a look knows what to do, and when to come again."""
    return outlook.is_held or (outlook.due is not None and outlook.due <= 0)


def until_due(outlook: Outlook) -> float:
    """Seconds until there may be something in a queue that is not held."""
    interval = float(settings.WORKER_INTERVAL_MS) / 1000
    return interval if outlook.due is None else min(interval, max(LEAST_SLEEP, outlook.due))
