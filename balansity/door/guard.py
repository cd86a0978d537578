"""What stands before each page of the admin that checks a password or a code."""

import logging
import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from balansity.api.throttles import address_of as counted_address
from balansity.counting import Limit
from balansity.door.audit import address_of, note_refusal
from balansity.door.hashing import TooBusy, room
from balansity.door.known_browser import known_as, remember
from balansity.door.limits import address_limit, attempts, name_key, name_limit

logger = logging.getLogger(__name__)

BUSY_SECONDS = 5
# A flood is said once a minute and not once a guess.
_BUSY_LINES = Limit("busy", 1, 60)


def through_the_door(
    request: HttpRequest,
    name: str,
    check: Callable[[], HttpResponse],
    titles: Mapping[str, Any],
    *,
    hashes: bool = True,
) -> HttpResponse:
    """Return the answer of `check`, which hashes a password or takes a code; or a page that says when to come back."""
    name_counted = name_key(name)
    if browser := known_as(request, name_counted):
        name_counted = f"{name_counted} {browser}"
    for limit, counted in ((address_limit(), counted_address(request.META)), (name_limit(), name_counted)):
        count = attempts.count(limit, counted)
        if count.number > limit.most:
            if count.number == limit.most + 1:
                note_refusal(request, name, limit.name)
            return _refusal(request, 429, count.seconds_left, titles, _("Too many attempts to log in."))
    try:
        with room.place() if hashes else nullcontext():
            response = check()
    except TooBusy:
        if attempts.count(_BUSY_LINES, "").number <= _BUSY_LINES.most:
            logger.warning("logins are sent away: other passwords are being checked, one from %s", address_of(request))
        return _refusal(request, 503, BUSY_SECONDS, titles, _("Many people are logging in just now."))
    if response.status_code == 302 and request.user.is_authenticated:
        attempts.forget(name_limit(), name_counted)
        remember(request, response, name_key(name))
    return response


def _refusal(request: HttpRequest, status: int, seconds: float, titles: Mapping[str, Any], reason: str) -> HttpResponse:
    whole = math.ceil(seconds)
    minutes = math.ceil(seconds / 60)
    wait = (
        ngettext("Try again in %(count)s second.", "Try again in %(count)s seconds.", whole) % {"count": whole}
        if whole < 60
        else ngettext("Try again in %(count)s minute.", "Try again in %(count)s minutes.", minutes) % {"count": minutes}
    )
    context = {**titles, "title": _("Log in"), "reason": reason, "wait": wait, "address": request.get_full_path()}
    headers = {"Retry-After": str(whole), "Cache-Control": "no-store"}
    response = TemplateResponse(request, "admin/door_closed.html", context, status=status, headers=headers)
    # Django would write a line for each of a flood, and the log be full before the door is open again.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response
