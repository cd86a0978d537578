"""What people read instead of a page: they may not open it, it is not there, its form was too old, something broke.

Django's own answers to these are white pages in English, whose only way on is the button «back» of the browser. In the
admin they come with its menu; where nobody looked yet who it is, or nothing can be looked up any more, as a page that
needs no database, no session and no file that was collected.
"""

import sys
from collections.abc import Callable

from django.conf import settings
from django.contrib.admin import site
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from wording.pages import would_rather

API = "/api/"
RETRY_SECONDS = 30


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """The `handler403`, and what a page answers by itself: an exception would be a traceback in the log."""
    text = _("Your account has no permission for this page or action. Ask an administrator for it.")
    return _answer(request, 403, _("No access"), text)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """The `handler404`."""
    text = _("There is nothing at this address: it is wrong, or what was here was deleted.")
    return _answer(request, 404, _("Page not found"), text)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """The `handler400`. The host itself may be what is wrong, so nothing is asked about the request."""
    text = _("The service cannot understand what the browser sent. Nothing was done: go back and try again.")
    return _plain(request, 400, _("The request cannot be understood"), text)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The `CSRF_FAILURE_VIEW`."""
    text = _(
        "The form was open for too long, or you have logged in anew since. Nothing was done: go back, load the page "
        "again and repeat."
    )
    return _answer(request, 403, _("The form is out of date"), text)


def server_error(request: HttpRequest) -> HttpResponse:
    """The `handler500`: a fault of ours, or a database that is away, which is no fault and passes."""
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        text = _("The database does not answer just now. Nothing is lost: try again in a minute.")
        answer = _plain(request, 503, _("The service is not available"), text)
        answer["Retry-After"] = str(RETRY_SECONDS)
        return answer
    text = _("Something went wrong on our side, and it is written down. Try again; if that fails, tell the developers.")
    return _plain(request, 500, _("That did not work"), text)


class NoEmptyAnswers:
    """Puts a page in the place of each refusal that would be a white one, whoever forgot it.

    Django answers so to a method that a page does not know: to the button «log out» that is followed as a link.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        if response.status_code < 400 or not isinstance(response, HttpResponse) or response.content:
            return response
        if request.path_info.startswith(API) or not would_rather(request, "text/html"):
            return response
        text = _("This address does not answer to that. Go back, or begin at the start.")
        page = _plain(request, response.status_code, _("That did not work"), text)
        response.content = page.content
        response["Content-Type"] = page["Content-Type"]
        if response.has_header("Content-Length"):
            # Of the empty answer: a browser would read no further, and show a page of its own.
            response["Content-Length"] = str(len(page.content))
        return response


def _is_in_admin(request: HttpRequest) -> bool:
    return request.path.startswith(reverse("admin:index"))


def _answer(request: HttpRequest, status: int, title: str, text: str) -> HttpResponse:
    # Whoever has not logged in gets no menu, nor a request that is refused before anybody looked who it is from.
    if not _is_in_admin(request) or not hasattr(request, "user") or not request.user.is_authenticated:
        return _plain(request, status, title, text)
    context = {**site.each_context(request), "title": title, "text": text}
    # Whoever calls a handler wants it complete.
    return TemplateResponse(request, "admin/staff/refusal.html", context, status=status).render()


def _plain(request: HttpRequest, status: int, title: str, text: str) -> HttpResponse:
    """A page that stands on nothing but this process."""
    where, way = (
        (reverse("admin:index"), _("To the overview"))
        if _is_in_admin(request)
        else (settings.FRONTEND_URL, _("To the site"))
    )
    context = {
        "title": title,
        "text": text,
        "status": status,
        "way": way,
        "where": where,
        "number": request.META.get("REQUEST_ID", ""),
        # By its plain name: the list of collected names may be what is missing.
        "style": f"{settings.STATIC_URL}staff/refused.css",
        "icon": f"{settings.STATIC_URL}staff/favicon.ico",
    }
    return HttpResponse(render_to_string("staff/refused.html", context), status=status)
