"""What a person reads who followed a link into the API: links of our mails lead there, and every one of them expires.

A browser says that it would rather have HTML; the front end, curl and other programs do not, and get the problem.
The page says no more than the status does: whether there is such a report, and whose it is, is nobody's to learn.
"""

import json
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from notifications.writing.rendering import front_end_pages
from wording.pages import HEADERS, Way, family_page, would_rather

_HTML, _JSON = "text/html", "application/json"


@dataclass(frozen=True, slots=True)
class _Words:
    title: str | Promise
    text: str | Promise
    # Whether the same address may answer in a minute.
    passes: bool = False


_IN_CABINET = _("All reports that are ready can be opened in your cabinet.")
_BY_CODE = {
    "link_expired": _Words(
        _("The link works no more"),
        _("For safety, a link from a mail works for a limited time, and this one is older."),
    ),
    "link_invalid": _Words(
        _("The link cannot be opened"),
        _("It looks as if a part of the address was lost. Open the mail and press its button once more."),
    ),
    "report_not_ready": _Words(
        _("The report is not ready yet"), _("We are still preparing it. Try again in a few minutes."), passes=True
    ),
    "storage_unavailable": _Words(
        _("The report cannot be opened right now"), _("Nothing is lost. Try again in a minute."), passes=True
    ),
}
_BY_STATUS = {
    401: _Words(
        _("You have to sign in"), _("This page opens by the link from a mail, or after signing in on the site.")
    ),
    403: _Words(_("This page is closed"), _("Sign in on the site, and open what you need from there.")),
    429: _Words(_("Too many attempts"), _("Wait a minute, then try again."), passes=True),
    503: _Words(_("The service does not answer right now"), _("Nothing is lost. Try again in a minute."), passes=True),
}
# The same code without a time to come again: nothing is on its way.
_NOT_MADE = _Words(_("There is no report yet"), _("We could not prepare it so far. Ask for it once more on the site."))
_NOT_FOUND = _Words(
    _("There is nothing here"), _("The address has a mistake in it, or what was here has been deleted.")
)
_BROKEN = _Words(
    _("Something went wrong on our side"), _("We see that and are at work on it. Try again in a while."), passes=True
)


def speak_to_people(request: HttpRequest, response: HttpResponse) -> None:
    """Make a page of a problem in its place, for whoever would rather read one. The status stays, and its headers."""
    if request.method not in {"GET", "HEAD"}:
        return
    patch_vary_headers(response, ["Accept"])
    if not would_rather(request, _HTML, _JSON):
        return
    # Whoever speaks English to programs would speak it here.
    with translation.override(settings.LANGUAGE_CODE):
        response.content = _page(response)
    response.headers["Content-Type"] = f"{_HTML}; charset=utf-8"
    response.headers["Content-Length"] = str(len(response.content))
    for name, value in HEADERS.items():
        response.headers[name] = value


def _page(response: HttpResponse) -> str:
    words = _words(response)
    cabinet = Way(str(_("Open my cabinet")), front_end_pages().checkups)
    again = Way(str(_("Try again")), "")
    lines = [str(words.text), *([] if words.passes else [str(_IN_CABINET)])]
    return family_page(str(words.title), lines, [again, cabinet] if words.passes else [cabinet])


def _words(response: HttpResponse) -> _Words:
    try:
        code = json.loads(response.content)["code"]
    except (ValueError, KeyError, TypeError):
        code = ""
    if code == "report_not_ready" and "Retry-After" not in response.headers:
        return _NOT_MADE
    if code in _BY_CODE:
        return _BY_CODE[code]
    if response.status_code >= 500:
        return _BY_STATUS.get(response.status_code, _BROKEN)
    return _BY_STATUS.get(response.status_code, _NOT_FOUND)
