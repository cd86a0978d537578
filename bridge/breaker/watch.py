"""Whose turn it is to look whether a service is back, and what follows from the look. Every function is a transaction.

What a probe sees is not all: a mail server may let us in and take no mail. So when the probe is content, or there is
none, one message is let through as the trial. Its success closes the breaker, and no attempt of it is counted when it
fails. Where none waits, the probe's word is enough.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import transaction

from bridge import holds
from bridge.breaker.pace import pause
from bridge.breaker.rows import (
    IfThereAreRows,
    cause_of,
    close_breaker,
    database_now,
    describe,
    end_trial,
    hold_queues,
)
from bridge.breaker.services import Verdict, services
from bridge.models import OutsideService
from bridge.pgmq import QueueMissing, pgmq_queue
from bridge.queues import Queue, queues_needing, registry

logger = logging.getLogger(__name__)

# Renewed while the probe goes on, so another process takes over from one that was killed.
LEASE_SECONDS = 5.0
# Messages that end without having asked the service tell nothing: strangers can have any number of those.
MOST_TOLD_NOTHING = 5


def open_services() -> list[str]:
    """The names of those that are away."""
    with IfThereAreRows():
        return list(OutsideService.objects.filter(is_open=True).order_by("name").values_list("name", flat=True))
    return []


def lift_forgotten() -> None:
    """Let queues go on that are held for a service which is not away: somebody changed its row, and that alone."""
    # In this order: what is held for a service that is away was held after it.
    held = [hold for each in holds.in_force().values() for hold in each if hold.service]
    away = {cause_of(name) for name in open_services()} if held else set()
    for hold in held:
        if hold.cause not in away and holds.lift(hold.queue, hold.cause):
            logger.warning("%s goes on: it was held for a service that is not away (%s)", hold.queue, hold.cause)


def take_turn(name: str, who: str) -> bool:
    """Whether `who` is to probe this service now; looks after its trial meanwhile."""
    with _open_row(name, waits=False) as (row, now):
        if row is None:
            return False
        service = services.get(name)
        if service is None:
            # Nobody here needs it any more: another provider was chosen.
            close_breaker(row, now)
            return False
        if row.trial_msg_id is not None:
            if _trial_is_over(row, now):
                row.told_nothing += 1
                _try_one(row, now)
            return False
        if _is_later(row.probe_at, now) or _is_later(row.probing_until, now):
            return False
        hold_queues(row)
        row.probes += 1
        # Set now: whoever is killed amid the probe must not let the next one hurry.
        row.probe_at = now + timedelta(seconds=pause(row.kind, row.probes))
        if not service.probe:
            _try_one(row, now)
            return False
        row.prober, row.probing_until = who, now + timedelta(seconds=LEASE_SECONDS)
        row.save()
        return True


def renew_turn(name: str, who: str) -> None:
    """Say that the probe still goes on."""
    with _open_row(name) as (row, now):
        if row is not None and row.prober == who:
            row.probing_until = now + timedelta(seconds=LEASE_SECONDS)
            row.save(update_fields=["probing_until"])


def end_turn(name: str, who: str, verdict: Verdict | None) -> None:
    """Say what the probe saw. Without effect when another process has taken over."""
    with _open_row(name) as (row, now):
        if row is None or row.prober != who:
            return
        row.prober, row.probing_until = "", None
        if verdict is None:
            _try_one(row, now)
            return
        describe(row, verdict.kind, verdict.why)
        row.probe_at = now + timedelta(seconds=pause(row.kind, row.probes))
        row.save()


@contextmanager
def _open_row(name: str, *, waits: bool = True) -> Iterator[tuple[OutsideService | None, datetime]]:
    """The row of a service that is away, `None` for another, or, unless it `waits`, while somebody else changes it."""
    with transaction.atomic():
        free = OutsideService.objects.select_for_update(skip_locked=not waits)
        row = free.filter(pk=name, is_open=True).first()
        yield row, database_now()


def _try_one(row: OutsideService, now: datetime) -> None:
    """Let one message through, or close the breaker where there is nothing that could tell more."""
    end_trial(row)
    found = _candidate(row) if row.told_nothing < MOST_TOLD_NOTHING else None
    if found is None:
        close_breaker(row, now)
        return
    queue, msg_id, attempts = found
    row.trial_queue, row.trial_msg_id, row.trial_attempts = queue.name, msg_id, attempts
    row.trial_until = now + timedelta(seconds=queue.run_lease)
    row.tried = [*row.tried, msg_id][-20:]
    row.save()
    holds.let_through(queue.name, cause_of(row.name), msg_id)


def _candidate(row: OutsideService) -> tuple[Queue, int, int] | None:
    """One that nothing else holds back."""
    held = holds.in_force()
    for queue in queues_needing(row.name):
        if any(hold.cause != cause_of(row.name) for hold in held.get(queue.name, [])):
            continue
        try:
            found = pgmq_queue(queue.name).candidate(most_attempts=queue.most_attempts, tried=row.tried)
        except QueueMissing:
            continue
        if found is not None:
            return queue, *found
    return None


def _trial_is_over(row: OutsideService, now: datetime) -> bool:
    """Its attempt has ended, and neither was the service there nor away for it; or nobody came to make one."""
    if not _is_later(row.trial_until, now) or row.trial_queue not in registry or row.trial_msg_id is None:
        return True
    try:
        standing = pgmq_queue(row.trial_queue).standing(row.trial_msg_id)
    except QueueMissing:
        return True
    if standing is None:
        return True
    attempts, is_running = standing
    return attempts > (row.trial_attempts or 0) and not is_running


def _is_later(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and moment > now
