"""The page of one message: how it stands, each of its attempts, its body, and who did what to it.

Everything in it was written by strangers: it is bounded before it leaves Postgres, and escaped.
"""

from collections.abc import Iterator
from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from bridge.admin.actions import act_rows
from bridge.admin.addresses import message_address, queue_address
from bridge.admin.held import why_held
from bridge.admin.states import STATES, outcome_badge, reason_label, state_badge
from bridge.admin.subjects import Shown, subjects_of
from bridge.message import MessageState, Outcome
from bridge.models import OperatorAction
from bridge.pgmq import pgmq_queue
from bridge.queues import registry
from bridge.sql.browsing import Whole
from bridge.tries import Try, moment_of, tries_of
from staff.badges import Tone, badge
from staff.formats import block, moment
from staff.read_only import ReadOnlyAdmin
from wording.masking import mask_tokens

MOST_CHARACTERS = 20_000
MOST_ACTS = 20


def message_page(
    model_admin: ReadOnlyAdmin, request: HttpRequest, queue: str, msg_id: int, *, may_act: bool, may_read: bool
) -> HttpResponse:
    """Raises `QueueMissing`."""
    whole = pgmq_queue(queue).find(msg_id, characters=MOST_CHARACTERS)
    if whole is None:
        return _gone(model_admin, request, queue, msg_id)
    history, shown = whole.row.history, Shown(whole.row.msg_id, whole.row.text)
    tries = tries_of(history, now=timezone.now())
    held = why_held(queue) if whole.state not in (None, MessageState.RUNNING) else []
    context = {
        "queue": queue,
        "queue_address": queue_address(queue),
        "msg_id": whole.row.msg_id,
        "badge": state_badge(whole.state) if whole.state else outcome_badge(history),
        "sentence": _sentence(whole, is_held=bool(held)),
        "held": held,
        "kept": whole.kept,
        "about": subjects_of(request, queue, [shown]).get(whole.row.msg_id),
        "facts": list(_facts(queue, whole)),
        "error": _last_error(whole),
        "tries": [_row(one, whole) for one in reversed(tries)],
        "unknown": max(0, _count(history, "attempts") - len(tries)),
        "may_read": may_read,
        "body": _body(whole),
        "acts": act_rows(_acts_on(queue, whole)) if request.user.has_perm("bridge.view_operatoraction") else None,
        "ways": _ways_on(whole) if may_act and queue in registry else (),
    }
    title = _("Message № %(number)s") % {"number": whole.row.msg_id}
    return model_admin.page(request, "admin/bridge/message.html", title, **context)


def _gone(model_admin: ReadOnlyAdmin, request: HttpRequest, queue: str, msg_id: int) -> TemplateResponse:
    """It was never there, or it was deleted: by the upkeep of the archive, or by somebody else."""
    context = {"queue": queue, "queue_address": queue_address(queue), "number": msg_id}
    page = model_admin.page(request, "admin/bridge/message_gone.html", _("There is no such message"), **context)
    page.status_code = 404
    return page


def _sentence(whole: Whole, *, is_held: bool) -> str:
    due = moment(whole.row.at, seconds=True)
    match whole.state:
        case MessageState.READY if is_held:
            return _("It is due since %(time)s.") % {"time": due}
        case MessageState.READY:
            return _("It is due since %(time)s, and the bridge takes it as soon as there is room.") % {"time": due}
        case MessageState.RETRYING:
            return _("It waits for its repeat until %(time)s.") % {"time": due}
        case MessageState.RUNNING:
            return _("A worker has it, until %(time)s at the longest.") % {"time": due}
        case MessageState.IN_LINE:
            text = _("It waits for a worker. If none takes it by %(time)s, the bridge hands it over anew.")
            return text % {"time": due}
        case MessageState.DELAYED:
            return _("It was sent to be due at %(time)s.") % {"time": due}
    ended = _("It is in the archive since %(time)s.") % {"time": due}
    if reason := reason_label(whole.row.history.get("reason")):
        ended += " " + _("Why: %(reason)s.") % {"reason": reason}
    return ended


def _facts(queue: str, whole: Whole) -> Iterator[tuple[str, str | SafeString]]:
    history = whole.row.history
    yield _("Queued"), moment(whole.row.enqueued_at, seconds=True)
    yield _("Attempts"), str(_count(history, "attempts"))
    yield _("Times read"), str(whole.row.read_ct)
    for name, key in (
        (_("Put back from"), "requeued_from"),
        (_("Put back as"), "requeued_as"),
        (_("Done by"), "original"),
    ):
        if number := _count(history, key):
            yield name, format_html('<a href="{}">№ {}</a>', message_address(queue, number), str(number))
    if discarded := moment_of(history.get("discarded_at")):
        yield _("Discarded"), moment(discarded, seconds=True)
    if trace := history.get("trace_id"):
        yield _("Trace id"), format_html("<code>{}</code>", str(trace))


def _row(one: Try, whole: Whole) -> dict[str, Any]:
    return {
        "number": one.number or "—",
        "started": moment(one.started_at, seconds=True),
        "took": _duration(one.seconds),
        "worker": one.worker,
        "end": _end(one, whole),
        "error": f"{one.error.type}: {mask_tokens(one.error.message)}" if one.error else "",
    }


def _end(one: Try, whole: Whole) -> SafeString:
    if one.is_underway:
        return badge(*STATES[MessageState.RUNNING])
    if one.is_lost:
        return badge(_("never ended: its worker died"), Tone.BAD)
    if one.error:
        is_duplicate = whole.row.history.get("outcome") == Outcome.DUPLICATE
        return badge(_("a duplicate"), Tone.QUIET) if is_duplicate else badge(_("an error"), Tone.LATE)
    return badge(_("work done"), Tone.GOOD)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "—"
    return _("%(seconds)s s") % {"seconds": number_format(seconds, 2)}


def _last_error(whole: Whole) -> str:
    error = whole.row.history.get("last_error")
    return f"{error['type']}: {mask_tokens(error['message'])}" if isinstance(error, dict) else ""


def _body(whole: Whole) -> SafeString:
    return block(_("too large to be shown") if whole.row.text is None else mask_tokens(whole.row.text))


def _acts_on(queue: str, whole: Whole) -> list[OperatorAction]:
    """Acts on this message alone, and the one on many that changed it last."""
    acts = Q(queue=queue, msg_id=whole.row.msg_id)
    if act := _count(whole.row.history, "acted_by"):
        acts |= Q(pk=act, queue=queue)
    return list(OperatorAction.objects.filter(acts)[:MOST_ACTS])


def _ways_on(whole: Whole) -> tuple[str, ...]:
    """What may be done to it, by the names of acts. What a repeat would not help is asked about on the next page."""
    history = whole.row.history
    if whole.kept:
        return ()
    match whole.state:
        case None:
            if history.get("outcome") != Outcome.FAILED or history.get("requeued_as"):
                return ()
            return ("requeue",) if history.get("discarded_at") else ("requeue", "discard")
        case MessageState.RETRYING:
            return ("retry", "discard")
        case MessageState.RUNNING:
            return ()
    return ("discard",)


def _count(history: dict[str, Any], key: str) -> int:
    value = history.get(key)
    return value if type(value) is int else 0
