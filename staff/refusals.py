"""What staff read instead of a page: they may not open it, it is not there, or its form was too old.

Django's own answers to these are white pages, whose only way on is the button «back» of the browser.
"""

from django.contrib.admin import site
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views import csrf, defaults


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """The `handler403`, and what a page answers by itself: an exception would be a traceback in the log."""
    if not _is_in_admin(request):
        return defaults.permission_denied(request, exception or PermissionDenied())
    text = _("Your account has no permission for this page or action. Ask an administrator for it.")
    return _page(request, 403, _("No access"), text)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The `handler404`."""
    if not _is_in_admin(request):
        return defaults.page_not_found(request, exception)
    text = _("There is nothing at this address: it is wrong, or what was here was deleted.")
    return _page(request, 404, _("Page not found"), text)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The `CSRF_FAILURE_VIEW`."""
    if not _is_in_admin(request):
        return csrf.csrf_failure(request, reason)
    text = _(
        "The form was open for too long, or you have logged in anew since. Nothing was done: go back, load the page "
        "again and repeat."
    )
    return _page(request, 403, _("The form is out of date"), text)


def _is_in_admin(request: HttpRequest) -> bool:
    # A request that is refused before anybody looked who it is from gets no menu.
    return hasattr(request, "user") and request.path.startswith(reverse("admin:index"))


def _page(request: HttpRequest, status: int, title: str, text: str) -> HttpResponse:
    context = {**site.each_context(request), "title": title, "text": text}
    # Whoever calls a handler wants it complete.
    return TemplateResponse(request, "admin/staff/refusal.html", context, status=status).render()
