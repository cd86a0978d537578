"""The section about queues: a row for each that we handle, and what the day was like."""

from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from bridge.dashboard import addresses
from bridge.dashboard.processes import living
from bridge.dashboard.reading import QueueNow, day_of, queues_now
from bridge.dashboard.sparkline import Sparkline, sparkline
from bridge.dashboard.words import rate, until, what_holds
from bridge.holds import PAUSE
from bridge.pgmq import Counts
from bridge.processes.pulse import Kind
from bridge.rollup.reading import HOURS, Day
from staff.badges import Tone, badge
from staff.formats import age, span, whole
from wording.russian import NBSP


@dataclass(frozen=True, slots=True)
class ShownDay:
    """How the last 24 hours were; of the times half, and 19 of 20, were no longer."""

    rate: str
    waiting: tuple[str, str]
    running: tuple[str, str]
    done: str
    failed: str
    line: Sparkline


@dataclass(frozen=True, slots=True)
class Row:
    """A queue as the section shows it: texts alone, but for the drawing."""

    name: str
    address: str
    state: SafeString
    note: str
    ready: str
    oldest: str
    running: str
    in_line: str
    later: str
    failures: str
    day: ShownDay | None


def read_queues() -> dict[str, Any]:
    lives = bool(living(Kind.BRIDGE))
    there = [(queue, queue.counts) for queue in queues_now() if queue.counts is not None]
    return {"rows": [_row(queue, counts, day_of(queue.name), lives=lives) for queue, counts in there]}


def _row(queue: QueueNow, counts: Counts, day: Day | None, *, lives: bool) -> Row:
    state, note = _state(queue, counts, lives=lives)
    return Row(
        name=queue.name,
        address=addresses.queue(queue.name),
        state=state,
        note=note,
        ready=f"≈{NBSP}{whole(counts.ready)}" if counts.is_about else whole(counts.ready),
        oldest=age(counts.oldest_seconds),
        running=whole(counts.running),
        in_line=whole(counts.in_line),
        later=whole(counts.retrying + counts.delayed),
        failures=addresses.failures(queue.name, hours=HOURS),
        day=_shown(day) if day else None,
    )


def _shown(day: Day) -> ShownDay:
    # Nobody has to do anything about what our rules refuse.
    failed = day.failed - day.refused
    return ShownDay(
        rate=rate(day.rate),
        waiting=(span(day.waiting.p50), span(day.waiting.p95)),
        running=(span(day.running.p50), span(day.running.p95)),
        done=whole(day.succeeded),
        failed=whole(failed) if failed else "",
        line=sparkline(day.by_hour),
    )


def _state(queue: QueueNow, counts: Counts, *, lives: bool) -> tuple[SafeString, str]:
    """What it does, and until when or why."""
    paused = next((hold for hold in queue.holds if hold.cause == PAUSE), None)
    if paused is not None:
        return badge(pgettext("queue", "paused"), Tone.LATE), until(paused)
    if queue.holds:
        return badge(_("waits"), Tone.BAD), what_holds(queue.holds[0])
    if not lives:
        return badge(_("nobody reads it"), Tone.BAD), ""
    if counts.running or counts.in_line:
        return badge(_("works"), Tone.UNDERWAY), ""
    return (badge(_("has work"), Tone.UNDERWAY), "") if counts.ready else (badge(_("idle"), Tone.GOOD), "")
