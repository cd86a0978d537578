"""How times look on the pages about the queues."""

from datetime import datetime

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

MINUTE, HOUR, DAY = 60, 3600, 86_400


def moment(time: datetime | None) -> str | None:
    """Shorter than Django's own: a month in words pushes the rest out of the list."""
    return None if time is None else date_format(localtime(time), "d.m.Y H:i")


def age(seconds: float | None) -> str:
    """How long something waits already, in whole units of the largest kind: nobody reads 93 600 s as a day."""
    if seconds is None:
        return "—"
    # The database's clock and the row's may differ by a moment.
    whole = max(int(seconds), 0)
    if whole < MINUTE:
        return _("%(seconds)s s") % {"seconds": whole}
    if whole < HOUR:
        return _("%(minutes)s min") % {"minutes": whole // MINUTE}
    if whole < DAY:
        return _("%(hours)s h") % {"hours": whole // HOUR}
    return _("%(days)s d") % {"days": whole // DAY}
