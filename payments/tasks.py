"""The payment task of the bridge, and what beat asks of this package.

A message says where to look, the provider says what is true. Each run that beat asks for is safe to repeat and to miss:
the next one finds what is left.
"""

import logging
from collections.abc import Callable

from celery import shared_task

from bridge.breaker import asking
from bridge.message import Message
from bridge.worker.task import queue_task
from payments import idempotency
from payments.checking import due, held, reconcile, turns
from payments.checking.apply import apply_observation
from payments.checking.ask import was_checked_since
from payments.checking.sync import send_and_ask
from payments.errors import ProviderNotConfigured
from payments.ledger.marks import take_over_marks
from payments.provider import YOOKASSA, judge_outage
from payments.queue import QUEUE, ProcessingRequest
from payments.states import Door
from payments.webhook.journal import has_news, is_own_message, settle_notification
from payments.webhook.store import forget_strangers
from payments.yookassa.errors import Rejected, Unavailable

logger = logging.getLogger(__name__)


@queue_task("payments.process", queue=QUEUE)
def process(message: Message) -> Callable[[], None]:
    """Check the payment that a message names, and send the refunds that staff asked for; not too often."""
    request = ProcessingRequest.parse(message.body)
    payment_id, notification_id = request.payment_id, request.notification_id
    if request.give:
        return lambda: held.give_held(payment_id, door=Door.QUEUE)
    known = request.action == "verify" and not has_news(notification_id=notification_id, payment_id=payment_id)
    wanted = not (known or was_checked_since(message.enqueued_at, payment_id=payment_id))
    is_told = is_own_message(message.msg_id, notification_id=notification_id)
    news_at = message.enqueued_at if is_told else None
    observation = None
    if wanted:
        with asking(YOOKASSA, message, judge_outage):
            observation = send_and_ask(payment_id, news_at=news_at)

    def record() -> None:
        if observation is not None:
            apply_observation(observation, door=Door.WEBHOOK if notification_id else Door.QUEUE)
        if notification_id is not None:
            settle_notification(notification_id=notification_id, payment_id=payment_id)

    return record


@shared_task(name="payments.queue_due_checks")
def queue_due_checks() -> None:
    """Queue a check of each open payment whose time has come."""
    take_over_marks()
    queued = due.queue_due_checks()
    if queued:
        logger.info("%s payments are due for a check", queued)


@shared_task(name="payments.give_held")
def give_held() -> None:
    """Give what is paid and waits for its time or its row, and make one of double bookings."""
    held.give_all_held()


@shared_task(name="payments.queue_lost_notifications")
def queue_lost_notifications() -> None:
    """Queue the checks of notifications that vanished from the queue."""
    due.queue_lost_notifications()


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
    due.flag_unfulfilled()
    due.flag_deleted_rows()


@shared_task(name="payments.forget_old_keys")
def forget_old_keys() -> None:
    """Delete the idempotency keys that nobody will come back with, when YooKassa was asked about what, and what
    strangers told us of payments that are not ours.
    """
    idempotency.forget_old_keys()
    forget_strangers()
    turns.forget_turns()
