"""Who came through the door of the admin, and who tried to. Who may come stands in `staff_accounts`."""

from django.contrib import admin
from django.utils.translation import gettext_lazy

from balansity import staff_accounts
from balansity.models import LoginAttempt
from staff.formats import moment
from staff.read_only import ReadOnlyAdmin

# Registers what it has; Django looks for such pages in this module alone.
__all__ = ["LoginAttemptAdmin", "staff_accounts"]


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

    @admin.display(description=gettext_lazy("time"), ordering="at")
    def time(self, attempt: LoginAttempt) -> str:
        return moment(attempt.at, seconds=True)
