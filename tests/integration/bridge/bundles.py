"""Messages of which a test sends, reads and looks at several at once."""

from collections.abc import Sequence
from typing import Any

from bridge.message import Delivery
from bridge.pgmq import PgmqQueue
from sandbox.probe.models import ProbeRun
from tests.integration.bridge.conftest import archived


def send(queue: PgmqQueue, *bodies: Any) -> list[int]:
    return [queue.send(body) for body in bodies]


def read(queue: PgmqQueue, number: int) -> list[Delivery]:
    deliveries = queue.read(limit=number, lease=60)
    assert len(deliveries) == number
    return deliveries


def outcomes(queue: PgmqQueue, ids: Sequence[int]) -> list[tuple[str, int]]:
    histories = [archived(queue, msg_id) for msg_id in ids]
    return [(history["outcome"], history["attempts"]) for history in histories]


def recorded(*ids: int) -> list[bool]:
    return [ProbeRun.objects.filter(msg_id=msg_id, recorded=True).count() == 1 for msg_id in ids]
