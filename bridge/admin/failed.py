"""The page of what failed in a queue: what each message is about, why it failed, and the ways back into the queue."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from bridge.admin.acts import form_key
from bridge.admin.putting_back import ask, put_back
from bridge.admin.subjects import Subject, subjects_of
from bridge.message import Reason
from bridge.pgmq import FailedMessage, QueueMissing, pgmq_queue
from bridge.queues import registry
from bridge.reasons import FailureReason
from bridge.status import HOURS
from staff.attention import MOST_COUNTED, some
from staff.formats import block, moment
from staff.pages import to_list
from staff.read_only import ReadOnlyAdmin
from staff.second_factor import ask_first
from wording.masking import mask_tokens
from wording.typed import read_whole

PAGE = 50
# Of each body; whoever needs all of it asks the database.
MOST_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class Choice:
    """A reason to look at: its name, how many there are, and the page that shows them."""

    label: str
    count: str
    address: str
    chosen: bool


def failed_page(model_admin: ReadOnlyAdmin, request: HttpRequest, queue: str, *, may_requeue: bool) -> HttpResponse:
    """The newest first, all or those of one `reason`, of the last `hours` if asked; POST puts some of them back."""
    if request.method == "POST" and not may_requeue:
        raise PermissionDenied
    if request.method == "POST" and (question := ask_first(request)):
        return question
    reason = request.GET.get("reason", "")
    hours = HOURS if request.GET.get("hours") == str(HOURS) else None
    refused = reason == Reason.REFUSED
    try:
        if request.method == "POST":
            asked = ask(request, queue, reason if reason in set(Reason) else "")
            return asked.page(model_admin, request) if asked.is_question else put_back(request, asked)
        found = pgmq_queue(queue).failures(limit=MOST_COUNTED + 1, refused=refused, hours=hours)
        chosen = [msg_id for msg_id, why in found if reason in ("", why)]
        number = _page_number(request.GET.get("page", ""), len(chosen))
        shown = _load(queue, chosen[(number - 1) * PAGE : number * PAGE])
    except QueueMissing:
        messages.error(request, _("The queue %(name)s does not exist in the database.") % {"name": queue})
        return to_list(model_admin)
    here, since = reverse("admin:bridge_queueoverview_failed", args=[queue]), {"hours": hours} if hours else {}
    about = subjects_of(request, queue, shown)
    context = {
        "queue": queue,
        "rows": [_row(failed, about.get(failed.msg_id)) for failed in shown],
        "total": some(len(chosen)),
        "hours": hours,
        "everything": here,
        "reasons": [] if refused else _reasons(found, reason, here, since),
        "refused": refused,
        "others": here if refused else _address(here, reason=Reason.REFUSED.value),
        "before": _address(here, **since, reason=reason, page=number - 1) if number > 1 else "",
        "next": _address(here, **since, reason=reason, page=number + 1) if number * PAGE < len(chosen) else "",
        "may_requeue": may_requeue and queue in registry,
        "all": "" if refused or hours else _("Put all %(count)s back…") % {"count": some(len(chosen))},
        "key": form_key(),
    }
    title = _("Failed messages of %(queue)s") % {"queue": queue}
    return model_admin.page(request, "admin/bridge/failed.html", title, **context)


def _reasons(found: Sequence[tuple[int, str]], chosen: str, here: str, since: dict[str, Any]) -> list[Choice]:
    counts = Counter(why for _msg_id, why in found)
    each = [
        Choice(_label(why), some(count), _address(here, **since, reason=why), why == chosen)
        for why, count in counts.most_common()
        if why
    ]
    return [Choice(_("all reasons"), some(len(found)), _address(here, **since), not chosen), *each]


def _load(queue: str, ids: list[int]) -> list[FailedMessage]:
    if not ids:
        return []
    loaded = pgmq_queue(queue).failed(ids=ids, limit=len(ids), characters=MOST_CHARACTERS)
    return sorted(loaded, key=lambda failed: -failed.msg_id)


def _row(failed: FailedMessage, about: Subject | None) -> dict[str, Any]:
    body = _("too large to be shown") if failed.text is None else mask_tokens(failed.text)
    archived, reason = moment(failed.archived_at), _label(failed.reason)
    return {"message": failed, "archived": archived, "reason": reason, "body": block(body), "about": about}


def _label(reason: str) -> str:
    return str(FailureReason(reason).label) if reason in FailureReason.values else reason


def _page_number(text: str, count: int) -> int:
    """A page that there is, whatever was asked for."""
    last = max(-(-min(count, MOST_COUNTED) // PAGE), 1)
    return min(max(read_whole(text) or 1, 1), last)


def _address(here: str, /, **wanted: Any) -> str:
    query = urlencode({name: value for name, value in wanted.items() if value})
    return f"{here}?{query}" if query else here
