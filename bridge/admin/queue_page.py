"""The page of one queue: what is in which state, what failed, and what is in the archive, each on a tab of its own.

Nothing here counts a table. A tab says its number up to a bound, and a page where the next one begins.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bridge.admin.addresses import message_address, queue_address
from bridge.admin.asked import Asked
from bridge.admin.failures_tab import FAILURES, failures_context
from bridge.admin.held import sentence_of
from bridge.admin.states import OUTCOMES, outcome_badge, reason_label
from bridge.admin.subjects import Shown, Subject, subjects_of
from bridge.holds import PAUSE, Hold, in_force
from bridge.message import MessageState, Reason
from bridge.pgmq import pgmq_queue
from bridge.queues import registry
from bridge.reasons import FailureReason
from bridge.sql.browsing import DEPTH, MOST, Page, Row, TabCounts
from staff.formats import moment
from staff.read_only import ReadOnlyAdmin
from wording.masking import mask_tokens
from wording.typed import read_whole

PAGE = 50
ARCHIVE = "archive"
TABS: dict[str, str | Promise] = {
    MessageState.READY: gettext_lazy("Ready"),
    MessageState.RETRYING: gettext_lazy("Wait for a repeat"),
    MessageState.RUNNING: gettext_lazy("Running"),
    MessageState.IN_LINE: gettext_lazy("In line"),
    MessageState.DELAYED: gettext_lazy("Delayed"),
    FAILURES: gettext_lazy("Failed"),
    ARCHIVE: gettext_lazy("Archive"),
}
_WHEN: dict[str, str | Promise] = {
    MessageState.READY: gettext_lazy("Due since"),
    MessageState.RUNNING: gettext_lazy("At the longest until"),
    MessageState.IN_LINE: gettext_lazy("In line until"),
    ARCHIVE: gettext_lazy("Archived"),
}
# What runs is left alone, and what is in the archive is dealt with where it failed.
_MARKED = (MessageState.READY, MessageState.RETRYING, MessageState.IN_LINE, MessageState.DELAYED)


@dataclass(frozen=True, slots=True)
class Tab:
    label: str
    count: str
    address: str
    chosen: bool


def queue_page(
    model_admin: ReadOnlyAdmin, request: HttpRequest, queue: str, *, may_act: bool, may_pause: bool
) -> HttpResponse:
    """Raises `QueueMissing`."""
    if (number := read_whole(request.GET.get("msg_id", "").strip().removeprefix("№").strip())) is not None:
        return HttpResponseRedirect(message_address(queue, number))
    pgmq = pgmq_queue(queue)
    pgmq.look()
    asked = Asked.of(request.GET, TABS)
    counts = pgmq.tab_counts()
    held = in_force(queue).get(queue, ())
    context: dict[str, Any] = {
        "queue": queue,
        "handled": queue in registry,
        "holds": [_held(hold) for hold in held],
        # A service that is away is no pause that could be changed.
        "is_paused": any(hold.cause == PAUSE for hold in held),
        "may_pause": may_pause and queue in registry,
        "here": queue_address(queue),
        "asked": asked,
        "tabs": list(_tabs(queue, asked, counts)),
        "may_act": may_act and queue in registry,
        "may_mark": may_act and queue in registry and asked.tab in _MARKED,
        "first": queue_address(queue, **asked.as_query()) if asked.place else "",
    }
    if asked.tab == FAILURES:
        context |= failures_context(request, queue, asked)
    else:
        found = _page(queue, asked)
        context |= {
            "rows": _rows(request, queue, asked.tab, found.rows),
            "when": _WHEN.get(asked.tab, _("Due")),
            "next": queue_address(queue, **asked.as_query(place=found.next)) if found.next else "",
            "looked": found.looked if found.next and len(found.rows) < PAGE else 0,
            "choices": _choices(asked) if asked.tab == ARCHIVE else (),
        }
    title = _("Queue %(queue)s") % {"queue": queue}
    return model_admin.page(request, "admin/bridge/queue.html", title, **context)


def _held(hold: Hold) -> dict[str, Any]:
    is_pause = hold.cause == PAUSE
    # Of a pause, why is within the sentence; of a service, it is what a machine noted.
    return {"is_pause": is_pause, "text": sentence_of(hold), "why": "" if is_pause else hold.why}


def _page(queue: str, asked: Asked) -> Page:
    pgmq = pgmq_queue(queue)
    if asked.tab == ARCHIVE:
        return pgmq.archived_page(
            limit=PAGE,
            before=asked.place,
            outcome=asked.outcome,
            reason=asked.reason,
            trace_id=asked.trace_id,
            since=asked.since,
            until=asked.until,
        )
    return pgmq.in_state(MessageState(asked.tab), limit=PAGE, after=asked.place, trace_id=asked.trace_id)


def _tabs(queue: str, asked: Asked, counts: TabCounts) -> Iterable[Tab]:
    for name, label in TABS.items():
        address = queue_address(queue, tab=name)
        yield Tab(str(label), _count_of(name, counts), address, name == asked.tab)


def _count_of(tab: str, counts: TabCounts) -> str:
    if tab == FAILURES:
        return ""
    if tab in (MessageState.READY, ARCHIVE):
        number = counts.ready if tab == MessageState.READY else counts.archived
        return _("more than %(number)s") % {"number": MOST} if number > MOST else str(number)
    number = getattr(counts, tab)
    # Where not all hidden ones were looked at, there may be more of each kind.
    return _("%(number)s or more") % {"number": number} if counts.hidden > DEPTH else str(number)


def _rows(request: HttpRequest, queue: str, tab: str, rows: Sequence[Row]) -> list[dict[str, Any]]:
    about = subjects_of(request, queue, [Shown(row.msg_id, row.text) for row in rows])
    return [_row(queue, tab, row, about.get(row.msg_id)) for row in rows]


def _row(queue: str, tab: str, row: Row, about: Subject | None) -> dict[str, Any]:
    history = row.history
    error = history.get("last_error")
    return {
        "msg_id": row.msg_id,
        "address": message_address(queue, row.msg_id),
        "about": about,
        "at": moment(row.at),
        "queued": moment(row.enqueued_at),
        "attempts": history.get("attempts", 0),
        "outcome": outcome_badge(history) if tab == ARCHIVE else SafeString(""),
        "reason": reason_label(history.get("reason")),
        "worker": history.get("worker", "") if tab == MessageState.RUNNING else "",
        "error": f"{error['type']}: {mask_tokens(error['message'])}" if isinstance(error, dict) else "",
    }


def _choices(asked: Asked) -> tuple[dict[str, Any], ...]:
    """The lists to choose from above the archive."""
    reasons = [(reason.value, str(FailureReason.of(reason).label)) for reason in Reason]
    return (
        _choice(
            "outcome", _("Outcome"), [(name, str(label)) for name, (label, _tone) in OUTCOMES.items()], asked.outcome
        ),
        _choice("reason", _("Reason"), reasons, asked.reason),
    )


def _choice(name: str, label: str, options: list[tuple[str, str]], chosen: str | None) -> dict[str, Any]:
    each = [{"value": value, "label": text, "chosen": value == chosen} for value, text in options]
    return {"name": name, "label": label, "options": each}
