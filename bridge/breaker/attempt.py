"""How a handler asks a service outside, and what a failure of that means for the attempt."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from celery.exceptions import SoftTimeLimitExceeded

from bridge.breaker.record import is_known_away, note_answer
from bridge.breaker.services import Verdict, services
from bridge.errors import ServiceAway
from bridge.message import Message

logger = logging.getLogger(__name__)

# For each step of a probe that a worker waits for.
PATIENCE_SECONDS = 3.0


@contextmanager
def asking(
    service: str, message: Message, judge: Callable[[Exception], Verdict | None], *, is_calm: bool = False
) -> Iterator[None]:
    """Ask `service` for this message inside the block.

    What the block raises becomes `ServiceAway` when `judge` says that it is about the service. A block that ends well
    is noted as an answer, unless the caller has seen, since the attempt began, that there is nothing to note
    (`is_calm`, by `bridge.breaker.record.IN_TROUBLE`). A service that nobody registered has no breaker.
    """
    if service not in services:
        yield
        return
    try:
        yield
    except SoftTimeLimitExceeded as error:
        raise ServiceAway(service, "no answer within the time of an attempt") from error
    except Exception as error:
        verdict = judge(error)
        if verdict is None:
            raise
        raise ServiceAway(service, verdict.why, kind=verdict.kind) from error
    if not is_calm:
        note_answer(service, message)


def is_confirmed(away: ServiceAway) -> bool:
    """Whether the service is away, seen without a message: for one that would end because of this failure.

    An outage must not end a message that met nothing else. Refusals wait for a person, who finds the message among
    those that failed.
    """
    service = services.get(away.service)
    if service is None or not service.probe or not away.kind.ends_by_itself:
        return False
    if isinstance(away.__cause__, SoftTimeLimitExceeded) or is_known_away(away.service):
        # No time is left to ask, or no need.
        return False
    try:
        return service.look(PATIENCE_SECONDS) is not None
    except SoftTimeLimitExceeded:
        return True
    except Exception:
        logger.exception("the probe of %s is broken", service.name)
        return False
