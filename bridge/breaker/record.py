"""What workers know of a service: that a message met trouble with it, or that it answered."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from bridge.breaker.pace import pause
from bridge.breaker.rows import (
    IfThereAreRows,
    close_breaker,
    describe,
    end_trial,
    locked,
    open_breaker,
)
from bridge.breaker.services import services
from bridge.errors import ServiceAway
from bridge.message import Message
from bridge.models import OutsideService
from bridge.postgres import first_line
from bridge.queues import queues_needing

logger = logging.getLogger(__name__)

# So many failures of different messages in a row, and none that was answered in between, are the service's.
IN_A_ROW = 3
# So long no trial counts: what the probe does not see, an outage may still be, and one of a night or of a long weekend
# would use up all the attempts of the few messages that wait. What fails by itself keeps nobody waiting meanwhile, as
# the next message that comes is tried before it.
UNCOUNTED_FOR = timedelta(days=4)

PutBack = Callable[[datetime], None]

# Whether a service was in trouble before an attempt began, so that its answer is to be noted. To be looked at after
# that beginning, in a statement that is made anyway; its placeholders are those of `answer_values`.
IN_TROUBLE = """EXISTS (
    SELECT FROM bridge_outsideservice
    WHERE name = %(service)s AND (is_open AND since < %(began)s OR NOT is_open AND failing_since < %(began)s))"""


def note_failure(away: ServiceAway, message: Message, *, put_back: PutBack, is_sure: bool = False) -> bool:
    """Note that an attempt met trouble with a service; whether it does not count and was put back.

    It counts while the breaker is closed, up to the failure that opens it. `is_sure`: that the service is away was
    seen without a message, so it is opened by this one alone. `put_back` is called in the transaction that changes the
    row, with the time at which the service is asked next.
    """
    if message.queue not in (queue.name for queue in queues_needing(away.service)) or away.service not in services:
        # It would be held by nothing, and come again and again.
        return False
    with IfThereAreRows(), locked(away.service) as (row, now):
        if row.is_open:
            if _is_on_trial(row, message):
                describe(row, away.kind, away.why)
                end_trial(row)
                row.told_nothing, row.probe_at = 0, now + timedelta(seconds=pause(row.kind, row.probes))
                if _is_its_own_fault(row, away, now):
                    row.save()
                    return False
        elif row.closed_at is None or _began(message) >= row.closed_at:
            failing = [message.queue, message.msg_id]
            row.failing_since = row.failing_since if row.failing else now
            row.failing = row.failing if failing in row.failing else [*row.failing, failing]
            if not is_sure and len(row.failing) < IN_A_ROW:
                row.save()
                return False
            open_breaker(row, away, now)
        # Otherwise it met an outage that is over, as it began before the end of that.
        row.save()
        put_back(row.probe_at or now)
        return True
    return False


def note_answer(service: str, message: Message) -> None:
    """Note that the service did its part for a message. Never fails: what was done must get its outcome.

    An attempt that began before the first failure proves nothing about the time after it.
    """
    began = _began(message)
    try:
        with IfThereAreRows():
            if not _in_trouble(service, message):
                return
            with locked(service) as (row, now):
                if row.is_open and row.since is not None and row.since < began:
                    close_breaker(row, now)
                elif row.failing_since is not None and row.failing_since < began:
                    row.failing, row.failing_since = [], None
                    row.save()
    except (DatabaseError, InterfaceError) as error:
        logger.warning("that %s answered could not be noted: %s", service, first_line(error))


def answer_values(service: str, message: Message) -> dict[str, Any]:
    return {"service": service, "began": _began(message)}


def _in_trouble(service: str, message: Message) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {IN_TROUBLE}", answer_values(service, message))
        return bool(cursor.fetchone()[0])


def is_known_away(service: str) -> bool:
    """Whether the breaker is open by now."""
    with IfThereAreRows():
        return OutsideService.objects.filter(pk=service, is_open=True).exists()
    return False


def _is_its_own_fault(row: OutsideService, away: ServiceAway, now: datetime) -> bool:
    """Whether the trial counts: the probe has long been content, so it may be this message that fails, and for ever."""
    service = services.get(row.name)
    is_content = service is not None and bool(service.probe) and away.kind.ends_by_itself
    return is_content and row.since is not None and now > row.since + UNCOUNTED_FOR * settings.BRIDGE_DELAY_SCALE


def _is_on_trial(row: OutsideService, message: Message) -> bool:
    return (row.trial_queue, row.trial_msg_id) == (message.queue, message.msg_id)


def _began(message: Message) -> datetime:
    """When this attempt began, as Postgres noted with its claim."""
    began = message.history.last_attempt_at
    return datetime.fromisoformat(began) if began else message.enqueued_at
