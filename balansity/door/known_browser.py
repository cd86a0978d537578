"""A browser that somebody has logged in from before: strangers who guess at a name must not lock its owner out."""

import hashlib
import secrets

from django.conf import settings
from django.http import HttpRequest, HttpResponse

_COOKIE = "balansity_known"
_SALT = "balansity.door"
_SECONDS = 90 * 86400


def known_as(request: HttpRequest, name: str) -> str:
    """Return the number of the browser that `name` has logged in from, or nothing."""
    marked, _, number = str(request.get_signed_cookie(_COOKIE, "", salt=_SALT, max_age=_SECONDS)).partition(".")
    return number if marked == _mark(name) else ""


def remember(request: HttpRequest, response: HttpResponse, name: str) -> None:
    """Let the browser be known as one of `name`. It opens nothing: it is counted apart from strangers."""
    number = known_as(request, name) or secrets.token_hex(8)
    response.set_signed_cookie(
        _COOKIE,
        f"{_mark(name)}.{number}",
        salt=_SALT,
        max_age=_SECONDS,
        path=f"{settings.SESSION_COOKIE_PATH}admin/",
        secure=bool(settings.SESSION_COOKIE_SECURE),
        httponly=True,
        samesite="Lax",
    )


def _mark(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:32]
