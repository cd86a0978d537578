"""Whether staff have proven by a second factor who they are: what pages ask that do something of weight.

The pages that set one up and ask for a code are `balansity.second_factor`. A session that needs one and has given none
counts as no session at all (`balansity.door.sessions`), so a page only asks how long ago that was.
"""

import time
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar, cast
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import ProgrammingError, connection
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from psycopg2.errors import UndefinedTable

View = TypeVar("View", bound=Callable[..., HttpResponseBase | None])

# What a session knows: the number of the device, and when its code was given (seconds since 1970).
MARK = "second_factor"
OFF, REQUIRED = "off", "required"
# A browser that was left open refunds nothing in the afternoon.
FRESH_SECONDS = 4 * 3600
# Whoever was shown a form has so long to fill it in and is not asked before it is done.
_TO_FILL_IN = 1800
# Asked with each request of staff, and put together once.
_DEVICE = "SELECT id FROM otp_totp_totpdevice WHERE user_id = %s AND confirmed ORDER BY id LIMIT 1"


def device_of(user_id: Any) -> int | None:
    """The number of the device that this person has set up."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(_DEVICE, [user_id])
            found: tuple[int] | None = cursor.fetchone()
    except ProgrammingError as error:
        # Before `migrate` nobody can have one. Where everybody must, nobody gets in by that.
        if settings.STAFF_2FA == REQUIRED or not isinstance(error.__cause__, UndefinedTable):
            raise
        return None
    return found[0] if found else None


def is_needed(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Whether this person's password is not enough."""
    if settings.STAFF_2FA == OFF or not user.is_authenticated:
        return False
    return settings.STAFF_2FA == REQUIRED or device_of(user.pk) is not None


def counts(session: Mapping[str, Any], user_id: Any) -> bool:
    """Whether a session of this person has what it needs: a code of the device that they have now."""
    if settings.STAFF_2FA == OFF:
        return True
    device, given = device_of(user_id), (session.get(MARK) or {}).get("device")
    # Also where nobody has to have one: who gave a code of an app that was taken away since is out.
    return bool(device == given and (device is not None or settings.STAFF_2FA != REQUIRED))


def is_confirmed(request: HttpRequest, *, within: float = FRESH_SECONDS) -> bool:
    """Whether a code was given in this session, no longer ago than so many seconds."""
    mark = request.session.get(MARK) or {}
    return bool(mark) and 0 <= time.time() - mark["at"] <= within and counts(request.session, request.user.pk)


def may_act(request: HttpRequest, *, within: float = FRESH_SECONDS) -> bool:
    """Whether this person needs no code, or has given one lately."""
    return not is_needed(request.user) or is_confirmed(request, within=within)


def ask_first(request: HttpRequest) -> HttpResponseRedirect | None:
    """Lead whoever has given no code lately to the question for one, and back here; `None`: go on.

    Call it before something of weight is done. Where a form is opened for it the question comes then, so that what was
    typed is lost only by somebody who took half an hour; they read that nothing was done.
    """
    is_looking = request.method in ("GET", "HEAD")
    if may_act(request, within=FRESH_SECONDS - _TO_FILL_IN if is_looking else FRESH_SECONDS):
        return None
    if not is_looking:
        text = _("Nothing was done: a code of your second factor is needed first. Then repeat what you wanted.")
        messages.warning(request, text)
    address = urlencode({"next": request.get_full_path()})
    return HttpResponseRedirect(f"{reverse('admin:second_factor_code')}?{address}")


def confirmed_act(view: View) -> View:
    """`ask_first`, for a method of an admin: an action of a list, or a page (below its `staff_page`) that acts."""

    @wraps(view)
    def guarded(admin: Any, request: HttpRequest, *args: Any, **named: Any) -> HttpResponseBase | None:
        return ask_first(request) or view(admin, request, *args, **named)

    return cast(View, guarded)
