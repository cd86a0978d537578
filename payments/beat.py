"""What beat asks of this package. Each run is safe to repeat and to miss: the next one finds what is left."""

import logging

from celery import shared_task

from payments import idempotency
from payments.checking import due as due_checks
from payments.checking import held, reconcile
from payments.ledger import attention
from payments.provider import ProviderNotConfigured
from payments.yookassa.errors import Rejected, Unavailable

logger = logging.getLogger(__name__)


@shared_task(name="payments.queue_due_checks")
def queue_due_checks() -> None:
    """Queue a check of each open payment whose time has come."""
    attention.take_over_marks()
    queued = due_checks.queue_due_checks()
    if queued:
        logger.info("%s payments are due for a check", queued)


@shared_task(name="payments.give_held")
def give_held() -> None:
    """Give what is paid and waits for its time or its row, and make one of double bookings."""
    held.give_all_held()


@shared_task(name="payments.queue_lost_notifications")
def queue_lost_notifications() -> None:
    """Queue the checks of notifications that vanished from the queue."""
    due_checks.queue_lost_notifications()


@shared_task(name="payments.compare_recent")
def compare_recent(hours: int) -> None:
    """Compare YooKassa's payments and refunds of the last `hours` with ours."""
    try:
        reconcile.compare_recent(hours=hours)
    except ProviderNotConfigured as error:
        logger.debug("nothing to compare: %s", error)
    except Unavailable as error:
        logger.warning("payments could not be compared, the next run tries again: %s", error)
    except Rejected as error:
        logger.error("payments could not be compared; look at YUKASSA_SHOP_ID and YUKASSA_SECRET_KEY: %s", error)


@shared_task(name="payments.flag_unfulfilled")
def flag_unfulfilled() -> None:
    """Mark payments that are paid and brought their payer nothing, or whose row is gone."""
    due_checks.flag_unfulfilled()
    due_checks.flag_deleted_rows()


@shared_task(name="payments.forget_old_keys")
def forget_old_keys() -> None:
    """Delete the idempotency keys that nobody will come back with."""
    idempotency.forget_old_keys()
