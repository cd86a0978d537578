"""Pauses of a queue by a person: one at a time, and each beginning, change and end is written down."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction

from bridge import holds
from bridge.errors import BridgeError
from bridge.holds import PAUSE, Hold
from bridge.operations import audit
from bridge.operations.actor import Actor
from bridge.operations.audit import Done
from bridge.queues import registry

# A pause that is forgotten is an outage; whoever wants one without an end leaves it out.
LONGEST = timedelta(days=366)

Until = datetime | timedelta | None


class NotHandled(BridgeError):
    """Nobody here works on that queue, so nobody would obey; `known` are those that are."""

    code = "queue_not_handled"


class EndRefused(BridgeError):
    """The pause would have ended by now, or in more than a year."""

    code = "end_refused"


@dataclass(frozen=True, slots=True)
class PauseDone(Done):
    """`hold`: the pause that is in force now; of `resume`, the one that was. `None`: there was none."""

    hold: Hold | None = None


def pause(queue: str, actor: Actor, reason: str = "", *, until: Until = None) -> PauseDone:
    """Stop work on the queue until somebody resumes it, or until then. A span counts from now, by the database's clock.

    Skipped as `paused_before` when it is paused already: `hold` says by whom.
    """
    name, why = _handled(queue), audit.tidied(reason)
    with transaction.atomic():
        end = _end(until)
        changed = holds.place(name, PAUSE, by=str(actor), why=why, until=end)
        if changed:
            audit.record(actor, "pause", queue=name, filters=_told(end), reason=why)
        hold = paused(name)
    return PauseDone(int(changed), {} if changed else {"paused_before": 1}, hold)


def change_pause(seen: Hold, actor: Actor, reason: str = "", *, until: Until = None) -> PauseDone:
    """Let a pause end otherwise, and for this reason.

    Skipped as `not_paused` when it has ended, and as `changed_before` when it is no longer as it was `seen`.
    """
    why = audit.tidied(reason)
    with transaction.atomic():
        end = _end(until)
        changed = holds.change(seen, by=str(actor), why=why, until=end)
        if changed:
            before = {f"{key}_before": value for key, value in _told(seen.until).items()}
            audit.record(actor, "change_pause", queue=seen.queue, filters={**before, **_told(end)}, reason=why)
        hold = paused(seen.queue)
    if changed:
        return PauseDone(1, {}, hold)
    return PauseDone(0, {"changed_before" if hold else "not_paused": 1}, hold)


def resume(queue: str, actor: Actor, reason: str = "") -> PauseDone:
    """Let the work on the queue go on, as far as people are concerned: a service may be away still.

    Skipped as `not_paused` when nobody has paused it, or the pause has ended.
    """
    name = _handled(queue)
    with transaction.atomic():
        hold = paused(name)
        changed = holds.lift(name, PAUSE)
        if changed and hold is not None:
            about = {"since": hold.since.isoformat(), "by": hold.by}
            audit.record(actor, "resume", queue=name, filters=about, reason=audit.tidied(reason))
    return PauseDone(int(changed), {} if changed else {"not_paused": 1}, hold)


def paused(queue: str) -> Hold | None:
    """The pause of a queue that is in force."""
    return next((hold for hold in holds.in_force(queue).get(queue, []) if hold.cause == PAUSE), None)


def _handled(queue: str) -> str:
    """Its name as its package spells it: pgmq's tables are in small letters, whatever people type."""
    for name in sorted(known.name for known in registry):
        if name.lower() == queue.strip().lower():
            return name
    known = sorted(queue.name for queue in registry)
    raise NotHandled(f"nobody here works on a queue {queue.strip()[:80]!r}; there are: {', '.join(known)}", known=known)


def _end(until: Until) -> datetime | None:
    if until is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        now: datetime = cursor.fetchone()[0]
    span = until if isinstance(until, timedelta) else until - now
    if not timedelta(0) < span <= LONGEST:
        raise EndRefused("a pause ends within a year, and not before it begins")
    return now + span


def _told(end: datetime | None) -> dict[str, str]:
    return {"until": end.isoformat()} if end else {}
