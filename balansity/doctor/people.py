"""Whether somebody can log in to the admin. There is no second factor in this product to look for."""

from collections.abc import Iterator

from django.contrib.auth import get_user_model
from django.utils.translation import gettext_lazy as _

from bridge.diagnosis import Finding, warning


def look_at_people() -> Iterator[Finding]:
    chiefs = list(get_user_model()._default_manager.filter(is_superuser=True, is_active=True))
    able = [chief for chief in chiefs if chief.is_staff and chief.has_usable_password()]
    if not chiefs:
        cause = _("There is no administrator: nobody can give anybody the right to anything.")
        yield warning("people.no_superuser", cause, _("Run: manage.py createsuperuser"))
    elif not able:
        cause = _("No administrator can log in: without a password, or not a member of the staff.")
        yield warning("people.no_login", cause, _("Run: manage.py changepassword NAME"))
