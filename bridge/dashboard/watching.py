"""What the queues need somebody for, as lines on top of the home page."""

from collections.abc import Iterator

from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from bridge.breaker.advice import kind_name
from bridge.dashboard import addresses
from bridge.dashboard.broker import broker
from bridge.dashboard.processes import last_sign, living, missed
from bridge.dashboard.reading import (
    MOST_GROUPS,
    QueueNow,
    groups_of,
    holds_now,
    kept_outcomes,
    queues_now,
    sleepers,
)
from bridge.dashboard.services import services_now
from bridge.dashboard.words import clock, until
from bridge.holds import PAUSE, Hold
from bridge.operations.actor import told_to_staff
from bridge.processes.pulse import Kind
from bridge.queues import registry
from bridge.reasons import FailureReason
from bridge.rollup.failures import FailureGroup
from staff.attention import Line
from staff.badges import Tone
from staff.formats import age, whole

# Nobody waits so long for a mail that is due, whatever is in front of it.
TOO_OLD_SECONDS = 300
# Of what a machine noted: enough to tell one kind from another.
MOST_DETAIL = 140


def look_at_broker() -> Iterator[Line]:
    if not broker.look().is_there:
        count = _due()
        text = ngettext(
            "The broker (Redis) does not answer: %(count)s message waits",
            "The broker (Redis) does not answer: %(count)s messages wait",
            count,
        )
        advice = gettext_lazy("Nothing is lost, and nothing is sent or made meanwhile. Start Redis, or see REDIS_URL.")
        yield Line(text % {"count": whole(count)}, addresses.all_queues(), advice, Tone.BAD)


def look_at_services() -> Iterator[Line]:
    for state in services_now():
        if not state.is_open or state.since is None:
            continue
        text = ngettext(
            "%(name)s: %(kind)s since %(since)s, %(count)s message waits",
            "%(name)s: %(kind)s since %(since)s, %(count)s messages wait",
            state.waiting,
        )
        values = {"name": capfirst(state.label), "kind": kind_name(state.kind), "since": clock(state.since)}
        address = addresses.queue(state.queues[0]) if len(state.queues) == 1 else addresses.all_queues()
        detail = _short(state.why)
        yield Line(text % {**values, "count": whole(state.waiting)}, address, state.advice, Tone.BAD, detail=detail)


def look_at_queues() -> Iterator[Line]:
    """That there are such queues, that they move, and that somebody wakes the bridge."""
    if missing := [queue.name for queue in queues_now() if queue.counts is None]:
        text = ngettext(
            "%(count)s queue does not exist in the database: %(names)s",
            "%(count)s queues do not exist in the database: %(names)s",
            len(missing),
        )
        advice = gettext_lazy("What the site sends there is refused. Have it made: select pgmq.create('name');")
        yield Line(_named(text, missing), addresses.all_queues(), advice, Tone.BAD)
    yield from filter(None, map(_too_old, queues_now()))
    if asleep := sorted(sleepers()):
        text = ngettext(
            "%(count)s queue wakes no bridge when a message comes: %(names)s",
            "%(count)s queues wake no bridge when a message comes: %(names)s",
            len(asleep),
        )
        advice = gettext_lazy("Messages wait for the next look of a bridge. Run “manage.py install_wakeup”.")
        yield Line(_named(text, asleep), addresses.all_queues(), advice)


def look_at_pauses() -> Iterator[Line]:
    """What somebody wanted so: others have to know, and it is no fault."""
    waiting = {queue.name: queue for queue in queues_now()}
    for name, holds in holds_now().items():
        for hold in holds:
            if hold.cause == PAUSE:
                yield _paused(hold, waiting.get(name))


def look_at_kept() -> Iterator[Line]:
    for name, count in kept_outcomes():
        text = ngettext(
            "Queue %(name)s: %(count)s outcome waits until Postgres lets us write it",
            "Queue %(name)s: %(count)s outcomes wait until Postgres lets us write them",
            count,
        )
        yield Line(
            text % {"name": name, "count": whole(count)},
            addresses.all_queues(),
            gettext_lazy("The work is done and is not repeated. See there what Postgres says, and let it be mended."),
            Tone.BAD,
        )


def look_at_failures() -> Iterator[Line]:
    """A line for each kind of failure of each queue: they are put back, or left, by the group."""
    for queue in registry:
        groups = groups_of(queue.name)
        yield from (_failed(queue.name, group) for group in groups[:MOST_GROUPS])
        if len(groups) > MOST_GROUPS:
            text = _("Queue %(name)s: messages failed in more than %(count)s ways") % {
                "name": queue.name,
                "count": MOST_GROUPS,
            }
            advice = gettext_lazy("These were the largest groups; the page of the queue shows all.")
            yield Line(text, addresses.failures(queue.name), advice)


def look_at_processes() -> Iterator[Line]:
    if not living(Kind.BRIDGE):
        count = _due()
        text = ngettext("No bridge runs: %(count)s message waits", "No bridge runs: %(count)s messages wait", count)
        advice = gettext_lazy("Start one: “docker compose up -d bridge”, or “manage.py bridge_queues”.")
        yield Line(text % {"count": whole(count)}, addresses.processes(), advice, Tone.BAD)
    if last_sign(Kind.WORKER):
        count = _due()
        text = ngettext("No worker runs: %(count)s message waits", "No worker runs: %(count)s messages wait", count)
        advice = gettext_lazy("Start one: “docker compose up -d worker”; if it ends again, its log says why.")
        yield Line(text % {"count": whole(count)}, addresses.processes(), advice, Tone.BAD)
    if beat := last_sign(Kind.BEAT):
        silent = age((timezone.now() - beat.seen_at).total_seconds())
        text = _("Nothing is done by the clock: beat gives no sign for %(age)s") % {"age": silent}
        advice = gettext_lazy(
            "Payments are not checked, nothing old is deleted. Start it: “docker compose up -d beat”."
        )
        yield Line(text, addresses.processes(), advice, Tone.BAD)
    if silent_ones := [process for process in missed() if living(Kind(process.kind))]:
        text = ngettext(
            "%(count)s process is silent and has not ended in order",
            "%(count)s processes are silent and have not ended in order",
            len(silent_ones),
        )
        advice = gettext_lazy(
            "Its machine was switched off, or it hangs: look there, and start it anew if it is missing."
        )
        yield Line(text % {"count": whole(len(silent_ones))}, addresses.processes(), advice)


def _failed(name: str, group: FailureGroup) -> Line:
    label = FailureReason(group.reason).label if group.reason in FailureReason.values else group.reason
    text = ngettext(
        "Queue %(name)s: %(count)s message failed, %(why)s",
        "Queue %(name)s: %(count)s messages failed, %(why)s",
        group.count,
    )
    return Line(
        text % {"name": name, "count": whole(group.count), "why": label},
        addresses.failures(name, reason=group.reason, error_type=group.error_type, pattern=group.pattern),
        gettext_lazy("Once the cause is mended, put all of this group back from there; discard what nobody needs."),
        detail=_short(f"{group.error_type}: {group.pattern}"),
    )


def _due() -> int:
    return sum(queue.counts.ready for queue in queues_now() if queue.counts is not None)


def _named(text: str, names: list[str]) -> str:
    return text % {"count": whole(len(names)), "names": ", ".join(names)}


def _too_old(queue: QueueNow) -> Line | None:
    counts = queue.counts
    if counts is None or queue.holds or counts.oldest_seconds is None or counts.oldest_seconds < TOO_OLD_SECONDS:
        return None
    text = ngettext(
        "Queue %(name)s: %(count)s message waits, the oldest for %(age)s",
        "Queue %(name)s: %(count)s messages wait, the oldest for %(age)s",
        counts.ready,
    )
    advice = (
        gettext_lazy("A bridge reads, so it is a lack of workers: see whether they run and what they do.")
        if living(Kind.BRIDGE)
        else gettext_lazy("Nobody reads the queue: start a bridge.")
    )
    values = {"name": queue.name, "count": whole(counts.ready), "age": age(counts.oldest_seconds)}
    return Line(text % values, addresses.queue(queue.name), advice, Tone.BAD)


def _paused(hold: Hold, queue: QueueNow | None) -> Line:
    ready = queue.counts.ready if queue is not None and queue.counts is not None else 0
    text = ngettext(
        "Queue %(name)s is paused since %(since)s, %(until)s, by %(by)s; %(count)s message waits",
        "Queue %(name)s is paused since %(since)s, %(until)s, by %(by)s; %(count)s messages wait",
        ready,
    )
    values = {
        "name": hold.queue,
        "since": clock(hold.since),
        "until": until(hold),
        "by": told_to_staff(hold.by),
        "count": whole(ready),
    }
    return Line(text % values, addresses.queue(hold.queue), hold.why, Tone.QUIET)


def _short(text: str) -> str:
    return text if len(text) <= MOST_DETAIL else text[: MOST_DETAIL - 1].rstrip() + "…"
