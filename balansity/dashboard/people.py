"""What the home page says of accounts: who can come in with a password alone, where nobody should."""

from collections.abc import Iterator

from django.conf import settings
from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy, ngettext

from balansity.account_second_factors import MISSING, staff_without_one
from staff.attention import Counted, Line, list_address, some
from staff.second_factor import REQUIRED

_without = Counted(staff_without_one)


def look_at_accounts() -> Iterator[Line]:
    if settings.STAFF_2FA == REQUIRED and (count := _without()):
        text = ngettext(
            "%(count)s member of the staff has no second factor",
            "%(count)s members of the staff have no second factor",
            count,
        )
        query = f"second_factor={MISSING}&is_staff__exact=1&is_active__exact=1"
        advice = gettext_lazy("Let them log in and set it up: until then whoever has the password can do it for them.")
        yield Line(text % {"count": some(count)}, list_address(User, query), advice)
