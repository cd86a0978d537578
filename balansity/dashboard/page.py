"""The home page, and the part of it that a browser asks for again every few seconds.

That part is the same HTML, made by the same template, so a page without JavaScript is no other page. It comes with an
ETag: while nothing has changed, the answer is 304 and its time.
"""

import hashlib
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.template.loader import render_to_string
from django.utils.formats import date_format
from django.utils.safestring import SafeString, mark_safe

from balansity.dashboard.reading import Home, May, home_lately, read_home

LIVE = "admin/balansity/dashboard/live.html"
# When the answer was made, as the page says it: the browser's own clock may be any.
OF = "X-As-Of"


def home_context(request: HttpRequest) -> dict[str, Any]:
    """What the home page shows beside Django's lists."""
    home = read_home(_rights_of(request))
    html = _render(home)
    return {"live": html, "etag": _etag(html), "of": _time(home)}


def home_now(request: HttpRequest) -> HttpResponse:
    """The part that changes, for a browser that shows an older one.

    Whose session has ended is sent to the login page by Django, which the script takes for what it means.
    """
    # Nobody has done anything: a page that is left open must not keep a session alive (`balansity.door.sessions`).
    request.session.modified = False
    shown, may = request.headers.get("If-None-Match"), _rights_of(request)
    home = home_lately(may) if shown else None
    html = _render(home) if home else None
    if home is None or html is None or _tag(html) == shown:
        # What others were told is no news, or nobody was: then it is asked for.
        newest = read_home(may)
        html = html if html is not None and newest == home else _render(newest)
        home = newest
    etag = _tag(html)
    answer = HttpResponseNotModified() if etag == shown else HttpResponse(html)
    answer["ETag"], answer[OF] = etag, _time(home)
    return answer


def _render(home: Home) -> SafeString:
    return mark_safe(render_to_string(LIVE, {"home": home}))  # noqa: S308 # Escaped by the template.


def _rights_of(request: HttpRequest) -> May:
    def may(right: str) -> bool:
        return bool(request.user.has_perm(right))

    return may


def _tag(html: str) -> str:
    return f'"{_etag(html)}"'


def _etag(html: str) -> str:
    return hashlib.sha256(html.encode("utf-8", "backslashreplace")).hexdigest()[:24]


def _time(home: Home) -> str:
    return date_format(home.of, "H:i:s")
