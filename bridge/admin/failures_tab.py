"""What failed in a queue and waits for somebody: by cause, and one by one, with the ways to deal with it."""

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from bridge.admin.addresses import act_address, message_address, queue_address
from bridge.admin.asked import Asked
from bridge.admin.states import reason_label
from bridge.admin.subjects import Shown, subjects_of
from bridge.message import Reason
from bridge.pgmq import pgmq_queue
from bridge.rollup.failures import FailureGroup, OpenFailure, Wanted, count_failures, failure_groups, open_failures
from bridge.rollup.ready import is_ready
from bridge.sql.browsing import CHARACTERS, MOST
from staff.formats import moment
from wording.masking import mask_tokens

FAILURES = "failures"
PAGE = 50
MOST_GROUPS = 100


def wanted_of(asked: Asked) -> Wanted:
    """The failures that the page is asked for."""
    return Wanted(
        reason=Reason(asked.reason) if asked.reason else None,
        error_type=asked.error_type,
        pattern=asked.pattern,
        since=since_of(asked),
        until=asked.until,
        trace_id=asked.trace_id,
    )


def since_of(asked: Asked) -> datetime | None:
    if asked.since is None and asked.hours:
        return timezone.now() - timedelta(hours=asked.hours)
    return asked.since


def failures_context(request: HttpRequest, queue: str, asked: Asked) -> dict[str, Any]:
    """Raises `QueueMissing`."""
    if not is_ready():
        return {"not_ready": True}
    wanted = wanted_of(asked)
    number = count_failures(queue, wanted, most=MOST + 1)
    before = asked.place[1] if asked.place else None
    found = open_failures(queue, wanted, limit=PAGE + 1, before=before)
    shown, last = found[:PAGE], found[PAGE - 1] if len(found) > PAGE else None
    is_group = asked.pattern is not None
    groups = [] if is_group or not number else failure_groups(queue, wanted, most=MOST_GROUPS)
    everything = queue_address(queue, tab=asked.tab)
    refused = asked.reason == Reason.REFUSED
    return {
        "groups": [_group(queue, asked, group) for group in groups] if len(groups) > 1 or not is_group else [],
        "failures": _rows(request, queue, shown),
        "number": number,
        "total": total_text(number),
        "next": queue_address(queue, **asked.as_query(place=(last.archived_at, last.msg_id))) if last else "",
        "everything": everything if asked.is_narrowed else "",
        "narrowed": _narrowed(asked),
        "filters": asked.as_query(),
        "put_all_back": act_address(queue, what="requeue", which="all", **asked.as_query()),
        "discard_all": act_address(queue, what="discard", which="all", **asked.as_query()),
        "refused": refused,
        "others": everything if refused else queue_address(queue, tab=asked.tab, reason=Reason.REFUSED.value),
    }


def total_text(number: int) -> str:
    return _("more than %(number)s") % {"number": number_format(MOST)} if number > MOST else number_format(number)


def _narrowed(asked: Asked) -> list[tuple[str, str]]:
    """What the list is narrowed to, in words."""
    parts = [
        (_("Reason"), reason_label(asked.reason)),
        (_("Kind of error"), asked.error_type or ""),
        (_("Like"), asked.pattern or ""),
        (_("Since"), moment(asked.since) if asked.since else ""),
        (_("Until"), moment(asked.until) if asked.until else ""),
        (_("Of the last hours"), str(asked.hours or "")),
        (_("Trace id"), asked.trace_id or ""),
    ]
    return [(name, text) for name, text in parts if text]


def _group(queue: str, asked: Asked, group: FailureGroup) -> dict[str, Any]:
    chosen = {"reason": group.reason, "error_type": group.error_type, "pattern": group.pattern}
    return {
        "reason": reason_label(group.reason),
        "what": f"{group.error_type}: {mask_tokens(group.pattern)}" if group.error_type else "—",
        "count": number_format(group.count),
        "first": moment(group.first_at),
        "last": moment(group.last_at),
        "example": group.example,
        "example_address": message_address(queue, group.example),
        "address": queue_address(queue, **{**asked.as_query(), **chosen}),
    }


def _rows(request: HttpRequest, queue: str, failures: list[OpenFailure]) -> list[dict[str, Any]]:
    ids = [one.msg_id for one in failures]
    loaded = pgmq_queue(queue).failed(ids=ids, limit=len(ids), characters=CHARACTERS) if ids else []
    about = subjects_of(request, queue, [Shown(one.msg_id, one.text) for one in loaded])
    return [
        {
            "msg_id": one.msg_id,
            "address": message_address(queue, one.msg_id),
            "about": about.get(one.msg_id),
            "archived": moment(one.archived_at),
            "attempts": one.attempts,
            "reason": reason_label(one.reason),
            "error": f"{one.error_type}: {mask_tokens(one.error)}" if one.error_type else "",
        }
        for one in failures
    ]
