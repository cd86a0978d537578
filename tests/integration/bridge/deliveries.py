"""Steps of a delivery, for tests of what the next step finds."""

from django.db import connection

from bridge.message import Delivery, Message
from bridge.outcome import describe_error
from bridge.pgmq import PgmqQueue

ERROR = describe_error(TimeoutError("no answer"))


def read_one(queue: PgmqQueue, *, lease: int = 60) -> Message:
    (delivery,) = queue.read(limit=1, lease=lease)
    message = queue.load(delivery.token)
    assert message is not None
    return message


def claim(queue: PgmqQueue, message: Delivery | Message, *, attempts: int = 1) -> Message:
    claimed = queue.claim(message.token, lease=60, attempts=attempts, trace_id="trace")
    assert claimed is not None
    return claimed


def make_due(queue: PgmqQueue) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE pgmq.q_{queue.name} SET vt = now() - interval '1 second'")
