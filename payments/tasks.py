"""The payment task of the bridge: a message says where to look, the provider says what is true."""

from collections.abc import Callable

from bridge.message import Message
from bridge.task import queue_task
from payments.checking.apply import apply_observation
from payments.checking.ask import observe_payment, was_checked_since
from payments.checking.held import give_held
from payments.queue import QUEUE, ProcessingRequest
from payments.states import Door
from payments.webhook.journal import has_news, settle_notification


@queue_task("payments.process", queue=QUEUE)
def process(message: Message) -> Callable[[], None]:
    """Check the payment that a message names, and send the refunds that staff asked for."""
    request = ProcessingRequest.parse(message.body)
    payment_id, notification_id = request.payment_id, request.notification_id
    if request.give:
        return lambda: give_held(payment_id, door=Door.QUEUE)
    known = request.action == "verify" and not has_news(notification_id=notification_id, payment_id=payment_id)
    wanted = not (known or was_checked_since(message.enqueued_at, payment_id=payment_id))
    observation = observe_payment(payment_id) if wanted else None

    def record() -> None:
        if observation is not None:
            apply_observation(observation, door=Door.WEBHOOK if notification_id else Door.QUEUE)
        if notification_id is not None:
            settle_notification(notification_id=notification_id, payment_id=payment_id)

    return record
