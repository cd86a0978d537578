"""Pauses a queue and lets it go on, for staff: a question first, with why and until when."""

from datetime import time, timedelta

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import pgettext_lazy

from bridge.admin.addresses import queue_address
from bridge.errors import BridgeError
from bridge.holds import Hold
from bridge.operations.actor import staff_actor, told_to_staff
from bridge.operations.audit import MOST_CHARACTERS
from bridge.operations.pausing import PauseDone, Until, change_pause, pause, paused, resume
from bridge.queues import registry
from staff.formats import moment
from staff.pages import to_list
from staff.read_only import ReadOnlyAdmin

MORNING = time(8, 0)
# How long, as staff say it, and the first is what is meant most often.
ENDS: dict[str, str | Promise] = {
    "hour": pgettext_lazy("pause", "for an hour"),
    "morning": pgettext_lazy("pause", "until 8 in the morning"),
    "open": pgettext_lazy("pause", "until I let it go on"),
}


def pause_page(model_admin: ReadOnlyAdmin, request: HttpRequest, queue: str) -> HttpResponse:
    """GET asks; POST pauses, or gives the pause that was on the screen another end and reason."""
    if queue not in registry:
        return _not_handled(model_admin, request, queue)
    seen = paused(queue)
    if request.method != "POST":
        return _ask(model_admin, request, queue, seen)
    why, end = request.POST.get("why", ""), request.POST.get("end", "")
    if not why.strip() or end not in ENDS:
        messages.error(request, _("Say why, and until when: others will find the queue paused."))
        return _ask(model_admin, request, queue, seen, why=why[:MOST_CHARACTERS], end=end)
    actor, on_screen = staff_actor(request.user), request.POST.get("seen", "")
    if seen is not None and on_screen == _mark(seen):
        done = change_pause(seen, actor, why, until=_until(end))
    elif on_screen:
        done = PauseDone(0, {"changed_before": 1}, seen)
    else:
        done = pause(queue, actor, why, until=_until(end))
    _tell_paused(request, queue, done)
    return HttpResponseRedirect(queue_address(queue))


def resume_page(model_admin: ReadOnlyAdmin, request: HttpRequest, queue: str) -> HttpResponse:
    """POST alone: to let work go on needs no question."""
    try:
        done = resume(queue, staff_actor(request.user), request.POST.get("why", ""))
    except BridgeError:
        return _not_handled(model_admin, request, queue)
    if done.changed:
        messages.success(request, _("%(queue)s goes on.") % {"queue": queue})
    else:
        messages.info(request, _("%(queue)s is not paused any more.") % {"queue": queue})
    return HttpResponseRedirect(queue_address(queue))


def described(hold: Hold) -> str:
    """Who, until when and why, as a sentence of the pages."""
    why = hold.why or _("no reason given")
    if hold.until is None:
        return _("since %(since)s by %(by)s, until somebody lets it go on: %(why)s") % {
            "since": moment(hold.since),
            "by": told_to_staff(hold.by),
            "why": why,
        }
    return _("since %(since)s by %(by)s, until %(until)s: %(why)s") % {
        "since": moment(hold.since),
        "by": told_to_staff(hold.by),
        "until": moment(hold.until),
        "why": why,
    }


def _ask(
    model_admin: ReadOnlyAdmin, request: HttpRequest, queue: str, seen: Hold | None, *, why: str = "", end: str = ""
) -> HttpResponse:
    # Whoever puts the reason right has not said that the work is to go on in an hour.
    usual = "open" if seen and seen.until is None else "hour"
    context = {
        "queue": queue,
        "hold": described(seen) if seen else "",
        "seen": _mark(seen) if seen else "",
        "ends": ENDS.items(),
        "end": end if end in ENDS else usual,
        "why": why or (seen.why if seen else ""),
        "most": MOST_CHARACTERS,
    }
    title = _("Pause of %(queue)s") if seen else _("Pause %(queue)s?")
    return model_admin.page(request, "admin/bridge/pause.html", title % {"queue": queue}, **context)


def _tell_paused(request: HttpRequest, queue: str, done: PauseDone) -> None:
    if done.changed and done.hold is not None:
        messages.success(request, _("%(queue)s is paused, %(hold)s") % {"queue": queue, "hold": described(done.hold)})
    elif done.hold is not None:
        text = _("Somebody else was first: %(queue)s is paused, %(hold)s")
        messages.warning(request, text % {"queue": queue, "hold": described(done.hold)})
    else:
        messages.warning(request, _("%(queue)s is not paused any more.") % {"queue": queue})


def _not_handled(model_admin: ReadOnlyAdmin, request: HttpRequest, queue: str) -> HttpResponse:
    messages.error(request, _("Nobody here works on the queue %(queue)s, so it cannot be paused.") % {"queue": queue})
    return to_list(model_admin)


def _mark(hold: Hold) -> str:
    """What tells whether the pause is still as it was on the screen."""
    return f"{hold.since.isoformat()} {hold.until.isoformat() if hold.until else ''}"


def _until(end: str) -> Until:
    if end == "hour":
        return timedelta(hours=1)
    if end == "morning":
        now = timezone.localtime()
        today = now.replace(hour=MORNING.hour, minute=MORNING.minute, second=0, microsecond=0)
        return today if today > now else today + timedelta(days=1)
    return None
