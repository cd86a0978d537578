"""The home page of staff: what needs them, and how things stand, of all packages and within a bounded time."""

from django.utils.translation import gettext_lazy

from balansity.dashboard.people import look_at_accounts
from staff.attention import Watch

WATCHES = (Watch(gettext_lazy("accounts of staff"), "auth.view_user", look_at_accounts),)
