"""Who came through the door of the admin, and who tried to."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy

from balansity.models import LoginAttempt
from staff.formats import moment
from staff.read_only import ReadOnlyAdmin


@admin.register(LoginAttempt)
class LoginAttemptAdmin(ReadOnlyAdmin):
    """Read-only: what happened, nobody changes."""

    list_display = ("time", "outcome", "username", "address")
    list_display_links = None
    list_filter = ("outcome", "at")
    date_hierarchy = "at"
    search_fields = ("username", "=address")
    search_help_text = gettext_lazy("Name that was typed, or the whole address")
    ordering = ("-at", "-id")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        # Nothing is chosen from this list, and Django's sentence about choosing knows no cases.
        title = {"title": capfirst(self.opts.verbose_name_plural)}
        return super().changelist_view(request, {**title, **(extra_context or {})})

    @admin.display(description=gettext_lazy("time"), ordering="at")
    def time(self, attempt: LoginAttempt) -> str:
        return moment(attempt.at, seconds=True)
