"""The row of a service: locked, opened, closed. Every time in it is the database's."""

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import TracebackType

from django.db import ProgrammingError, connection, transaction
from django.utils import translation
from psycopg2.errors import InsufficientPrivilege, UndefinedColumn, UndefinedTable

from bridge import holds
from bridge.breaker.advice import advice
from bridge.breaker.pace import pause
from bridge.breaker.services import services
from bridge.errors import ServiceAway
from bridge.models import OutsideService, QueueHold
from bridge.pgmq import QueueMissing, pgmq_queue
from bridge.queues import queues_needing

logger = logging.getLogger(__name__)

MOST_CHARACTERS = 500
_NOT_THERE = (UndefinedTable, UndefinedColumn, InsufficientPrivilege)
# Servers repeat whom a mail was for.
_ADDRESS = re.compile(r"<?[^\s<>()\[\]\"',;:]+@[^\s<>()\[\]\"',;:]+>?")
_NO_TRIAL = {"trial_queue": "", "trial_msg_id": None, "trial_attempts": None, "trial_until": None}


def database_now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


class IfThereAreRows:
    """Does its block, or nothing before `migrate` has made the table: then there is no breaker, as before."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        is_missing = isinstance(error, ProgrammingError) and isinstance(error.__cause__, _NOT_THERE)
        if is_missing:
            logger.debug("no breaker: %s", error)
        return is_missing


@contextmanager
def locked(name: str) -> Iterator[tuple[OutsideService, datetime]]:
    """The row of a service and the time, for a block that is one transaction."""
    with transaction.atomic():
        OutsideService.objects.bulk_create([OutsideService(name=name)], ignore_conflicts=True)
        yield OutsideService.objects.select_for_update().get(pk=name), database_now()


def cause_of(name: str) -> str:
    """What the holds of a service are called."""
    return holds.SERVICE + name


def open_breaker(row: OutsideService, away: ServiceAway, now: datetime) -> None:
    """Hold every queue that needs the service, from the commit on."""
    row.is_open, row.since = True, now
    row.failing, row.failing_since = [], None
    row.probes = row.told_nothing = 0
    row.prober, row.probing_until, row.tried = "", None, []
    _set(row, _NO_TRIAL)
    describe(row, away.kind, away.why)
    row.probe_at = now + timedelta(seconds=pause(row.kind, 0))
    queues = hold_queues(row)
    transaction.on_commit(lambda: _tell_opened(row, queues))


def hold_queues(row: OutsideService) -> list[str]:
    """Hold whatever needs the service and is not held; also a queue that a new version brought, or somebody let go."""
    queues = [queue.name for queue in queues_needing(row.name)]
    for queue in queues:
        holds.place(queue, cause_of(row.name), by="breaker", why=row.why)
    return queues


def close_breaker(row: OutsideService, now: datetime) -> None:
    """Let every queue go on that waited for the service."""
    since, row.is_open, row.since, row.closed_at = row.since, False, None, now
    row.failing, row.failing_since = [], None
    row.probe_at, row.prober, row.probing_until, row.tried = None, "", None, []
    _set(row, _NO_TRIAL)
    row.save()
    held = QueueHold.objects.filter(cause=cause_of(row.name)).order_by("queue").values_list("queue", flat=True)
    queues = [queue for queue in held if holds.lift(queue, cause_of(row.name))]
    seconds = (now - since).total_seconds() if since else 0.0
    transaction.on_commit(lambda: _tell_closed(row, queues, seconds))


def describe(row: OutsideService, kind: str, why: str) -> None:
    """Note in which way it fails, without anybody's address."""
    row.kind, row.why = str(kind), _ADDRESS.sub("…", why)[:MOST_CHARACTERS]


def end_trial(row: OutsideService) -> None:
    """Let nothing through any more."""
    if row.trial_queue:
        holds.let_through(row.trial_queue, cause_of(row.name), None)
    _set(row, _NO_TRIAL)


def waiting_in(queues: list[str]) -> int:
    """How many messages wait there."""
    found = 0
    for queue in queues:
        try:
            counts = pgmq_queue(queue).counts()
        except QueueMissing:
            continue
        found += counts.ready + counts.retrying + counts.in_line
    return found


def _set(row: OutsideService, values: Mapping[str, object]) -> None:
    for name, value in values.items():
        setattr(row, name, value)


def _tell_opened(row: OutsideService, queues: list[str]) -> None:
    with translation.override("en"):
        logger.error(
            "%s (%s) does not do its part (%s), nothing is attempted until it does; %s messages wait in %s: %s. %s",
            *(services.label(row.name), row.name, row.kind, waiting_in(queues), ", ".join(queues) or "no queue"),
            *(row.why.rstrip(". "), advice(row.kind)),
            extra={"event": "service_away", "service": row.name},
        )


def _tell_closed(row: OutsideService, queues: list[str], seconds: float) -> None:
    with translation.override("en"):
        logger.warning(
            "%s (%s) does its part again after %d s; %s messages go on in %s",
            *(services.label(row.name), row.name, seconds, waiting_in(queues), ", ".join(queues) or "no queue"),
            extra={"event": "service_back", "service": row.name, "seconds": round(seconds, 1)},
        )
