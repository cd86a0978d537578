"""Who came in and who tried to: a line in the log and a row that administrators see."""

import logging
import time
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest

from balansity.counting import Limit
from balansity.door.limits import attempts
from balansity.door.sessions import SEEN, STARTED
from balansity.models import LoginAttempt, Outcome
from wording.plain_text import one_line

logger = logging.getLogger(__name__)

MOST_LETTERS = 100
# Guesses from many addresses must not fill the table; the log has them all.
_ROWS = Limit("rows", 500, 3600)


def address_of(request: HttpRequest) -> str:
    return str(request.META.get("CLIENT_ADDRESS", ""))


def note_login(sender: Any, request: HttpRequest, user: AbstractBaseUser, **_: Any) -> None:
    """Receive `user_logged_in`."""
    request.session[STARTED] = request.session[SEEN] = int(time.time())
    # A program of ours that logs somebody in, as tests do, comes through no door.
    if "CLIENT_ADDRESS" in request.META:
        _note(Outcome.SUCCEEDED, request, user.get_username(), user)


def note_failure(sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Receive `user_login_failed`."""
    if request is not None and "CLIENT_ADDRESS" in request.META:
        _note(Outcome.FAILED, request, str(credentials.get("username", "")))


def note_refusal(request: HttpRequest, name: str, limit: str) -> None:
    """Note that the limit named `limit` closed the door: once, not for each attempt that finds it closed."""
    logger.warning("the door of the admin is closed for a while: too many attempts of one %s", limit)
    _note(Outcome.REFUSED, request, name)


def note_wrong_code(request: HttpRequest, user: AbstractBaseUser) -> None:
    _note(Outcome.WRONG_CODE, request, user.get_username(), user)


def note_reset(user: AbstractBaseUser, address: str, by: str) -> None:
    """Note that `by` took the second factor of `user` away."""
    name = one_line(user.get_username(), MOST_LETTERS)
    logger.warning("the second factor of %s is reset by %s from %s", name, by, address or "a socket")
    LoginAttempt.objects.create(outcome=Outcome.RESET, username=name, address=address[:45], user_id=user.pk)


def _note(outcome: Outcome, request: HttpRequest, name: str, user: AbstractBaseUser | None = None) -> None:
    name, address = one_line(name, MOST_LETTERS), address_of(request)
    level = logging.INFO if outcome == Outcome.SUCCEEDED else logging.WARNING
    logger.log(level, "login to the admin %s: %s from %s", outcome.value, name or "no name", address or "a socket")
    if outcome == Outcome.SUCCEEDED or attempts.count(_ROWS, outcome.value).number <= _ROWS.most:
        person = None if user is None else user.pk
        LoginAttempt.objects.create(outcome=outcome, username=name, address=address[:45], user_id=person)
