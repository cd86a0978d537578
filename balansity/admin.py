"""Who came through the door of the admin, and who tried to; and a look at set-up and surroundings.

Who may come stands in `staff_accounts`.
"""

import threading

from django.contrib import admin, messages
from django.core import checks
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from balansity import staff_accounts
from balansity.doctor.examination import Examination, examine
from balansity.models import LoginAttempt, Surroundings
from staff.badges import Tone, badge
from staff.formats import moment
from staff.pages import staff_page, staff_urls
from staff.read_only import ReadOnlyAdmin

# Registers what it has; Django looks for such pages in this module alone.
__all__ = ["LoginAttemptAdmin", "staff_accounts"]

# One in a process: each keeps threads waiting, and finds the same.
_examining = threading.Lock()


@admin.register(LoginAttempt)
class LoginAttemptAdmin(ReadOnlyAdmin):
    """Read-only: what happened, nobody changes."""

    list_display = ("time", "outcome", "username", "address")
    sortable_by = ("time",)
    list_display_links = None
    list_filter = ("outcome", "at")
    date_hierarchy = "at"
    search_fields = ("username", "=address")
    search_help_text = gettext_lazy("Name that was typed, or the whole address")
    ordering = ("-at", "-id")

    @admin.display(description=gettext_lazy("time"), ordering="at")
    def time(self, attempt: LoginAttempt) -> str:
        return moment(attempt.at, seconds=True)


@admin.register(Surroundings)
class SurroundingsAdmin(ReadOnlyAdmin):
    """What `manage.py doctor` prints, of the process and the machine that serve this page."""

    styles = ("balansity/surroundings.css",)

    def get_urls(self) -> list[URLPattern]:
        # No row of a table stands behind it, so none of Django's own pages.
        return list(staff_urls(self))

    @staff_page("", name="changelist", methods=("GET", "POST"))
    def look(self, request: HttpRequest) -> HttpResponse:
        examination = _examine_alone() if request.method == "POST" else None
        if request.method == "POST" and examination is None:
            messages.info(request, _("Somebody is looking already. Try again in some seconds."))
        rows = [(_badge(finding.level), finding) for finding in examination.findings] if examination else []
        context = {"examination": examination, "rows": rows, "is_list": True}
        return self.page(request, "admin/balansity/surroundings.html", _("Check of the surroundings"), **context)


def _examine_alone() -> Examination | None:
    if not _examining.acquire(blocking=False):
        return None
    try:
        return examine()
    finally:
        _examining.release()


def _badge(level: int) -> SafeString:
    if level >= checks.ERROR:
        return badge(_("error"), Tone.BAD)
    return badge(_("warning"), Tone.LATE) if level >= checks.WARNING else badge(_("for your information"))
