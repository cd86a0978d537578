"""Whether somebody can log in to the admin, and whether a password is all that it takes."""

from collections.abc import Iterator

from django.conf import settings
from django.contrib.auth import get_user_model
from django.utils.translation import gettext_lazy as _

from balansity.account_second_factors import staff_without_one
from bridge.diagnosis import Finding, warning
from staff.second_factor import REQUIRED


def look_at_people() -> Iterator[Finding]:
    chiefs = list(get_user_model()._default_manager.filter(is_superuser=True, is_active=True))
    able = [chief for chief in chiefs if chief.is_staff and chief.has_usable_password()]
    if not chiefs:
        cause = _("There is no administrator: nobody can give anybody the right to anything.")
        yield warning("people.no_superuser", cause, _("Run: manage.py createsuperuser"))
    elif not able:
        cause = _("No administrator can log in: without a password, or not a member of the staff.")
        yield warning("people.no_login", cause, _("Run: manage.py changepassword NAME"))
    if settings.STAFF_2FA == REQUIRED and (count := staff_without_one().count()):
        # By their number alone: whoever knows a name and its password could set one up in their place.
        cause = _("Accounts of staff have no second factor yet: %(count)s.")
        remedy = _("Let them log in and set one up; until then whoever has the password can do it in their place.")
        yield warning("people.second_factor", cause, remedy, count=count)
