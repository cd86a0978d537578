"""A service of the test's own for the breaker, and messages that met its outage."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from django.utils import timezone

from bridge.breaker.services import Service, services
from bridge.diagnosis import Finding, error
from bridge.errors import Away, ServiceAway
from bridge.message import History, Message, Token
from bridge.queues import registry
from sandbox.probe.apps import QUEUE

NAME = "lab"
AWAY = error("lab.unreachable", "The lab cannot be reached.")
REFUSED = error("lab.refused", "The lab refuses our key.")


class Lab:
    """What its probe finds, and how often it was asked."""

    finds: Iterable[Finding] = (AWAY,)
    asked = 0


lab = Lab()


def look(seconds: float | None) -> Iterator[Finding]:
    lab.asked += 1
    yield from lab.finds


@contextmanager
def laboratory(*, has_probe: bool = True) -> Iterator[Lab]:
    """The queue of the probe needs the service `lab` inside the block."""
    queue, before = registry.get(QUEUE), services._services.get(NAME)
    lab.finds, lab.asked = (AWAY,), 0
    probe = f"{__name__}.look" if has_probe else ""
    services._services[NAME] = Service(NAME, "The lab", probe, frozenset({"lab.refused"}))
    registry._queues[QUEUE] = replace(queue, services=(NAME,))
    try:
        yield lab
    finally:
        registry._queues[QUEUE] = queue
        del services._services[NAME]
        if before is not None:
            services._services[NAME] = before


def message(msg_id: int, *, began: datetime | None = None, attempts: int = 1) -> Message:
    """A message of the probe's queue amid an attempt that began then, by default now."""
    began = began or timezone.now()
    history = History(attempts=attempts, last_attempt_at=began.isoformat())
    return Message(QUEUE, Token(msg_id, began), 1, began, {}, history)


def away(kind: Away = Away.AWAY, why: str = "no connection") -> ServiceAway:
    return ServiceAway(NAME, why, kind=kind)
