"""Whoever is refused all the time is refused in fewer words: no page, no look-up and no line in the log.

Calls that are answered well are never counted, and never refused here: one stranger must not use up what everybody
behind the same proxy needs. So it is the answer that counts, and only what would be refused anyway becomes a 429.
"""

from collections.abc import Callable
from contextlib import suppress
from math import ceil
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import Resolver404, resolve
from django.utils.functional import SimpleLazyObject, empty
from django.utils.translation import gettext as _

from balansity.api.boundary import PREFIX
from balansity.api.problems import Problem, retry_after
from balansity.api.throttles import address_of
from balansity.counting import Limit, MistakeCounter

SECONDS = 60
# Unreadable, without a token that counts, nothing there, no such method or kind of answer or body, too large.
REFUSALS = frozenset({400, 401, 404, 405, 406, 411, 413, 414, 415, 431})

refused = MistakeCounter()


class RefusedCallsMiddleware:
    """Counts refused calls of strangers by address, and answers 429 to those above `API_THROTTLE_REFUSED` a minute.

    A view that bounds its strangers itself says so: its answer has a true `counts_strangers`.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        limit = Limit("address", settings.API_THROTTLE_REFUSED, SECONDS, "refused")
        caller = address_of(request.META)
        left = refused.left(limit, caller)
        if left is not None and not _is_address(request.path_info):
            # What such a page costs is in finding out that there is none, and in drawing it.
            return _too_many(request, HttpResponse(), left)
        response = self._get_response(request)
        if not _is_refusal(request, response):
            return response
        count = refused.count(limit, caller)
        return response if count.number <= limit.most else _too_many(request, response, count.seconds_left)


def _is_refusal(request: HttpRequest, response: HttpResponseBase) -> bool:
    if response.status_code not in REFUSALS or getattr(response, "counts_strangers", False):
        return False
    return not _is_known(getattr(request, "user", None))


def _is_known(user: Any) -> bool:
    """Whether somebody looked who it is, and knows; looking here would read the session from the database."""
    if isinstance(user, SimpleLazyObject) and user._wrapped is empty:
        return False
    return user is not None and bool(user.is_authenticated)


def _is_address(path: str) -> bool:
    """Whether something is there, or at the same address with a slash, where Django sends people on to."""
    for candidate in (path, f"{path}/"):
        with suppress(Resolver404):
            resolve(candidate)
            return True
    return False


def _too_many(request: HttpRequest, response: HttpResponseBase, seconds: float) -> HttpResponseBase:
    """Say it in place of what the response says, and keep the headers that others put on it."""
    if not isinstance(response, HttpResponse):
        return response
    wait = ceil(seconds)
    if request.path_info.startswith(PREFIX):
        said = Problem(429, "throttled", "Too many refused calls", headers=retry_after(wait)).response()
    else:
        text = _("Too many requests that lead nowhere. Try again in a minute.")
        said = HttpResponse(text, "text/plain; charset=utf-8", 429, headers={"Retry-After": str(wait)})
    response.status_code, response.content = said.status_code, said.content
    for name, value in {**said.headers, "Content-Length": str(len(said.content))}.items():
        response.headers[name] = value
    # The boundary has a line of its own, which is bounded; of pages Django would write one each.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response
