"""Lets the packages that handle queues keep their own rows in step with what becomes of a message."""

import logging
from collections.abc import Callable

from django.db import transaction

from bridge.postgres import is_outage
from bridge.trace import event

logger = logging.getLogger(__name__)


def tell_journal(queue: str, note: Callable[[], None]) -> None:
    """Let the journal of a queue write; what it cannot write must not keep the message from its outcome."""
    try:
        with transaction.atomic():
            note()
    except Exception as error:  # A journal's mistake: the ledger stays right, the log has the traceback.
        if is_outage(error):
            raise
        logger.exception("%s: the journal could not note the outcome", queue, extra=event("journal_failed"))
