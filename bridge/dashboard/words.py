"""How the home page says why and how long a queue is held."""

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from bridge.breaker import services
from bridge.holds import Hold
from staff.formats import moment
from wording.russian import NBSP


@dataclass(frozen=True, slots=True)
class Row:
    """A thing by name, and how it is; `key` tells it from others when the page is read anew."""

    key: str
    name: str
    badge: SafeString
    below: str = ""


def clock(time: datetime) -> str:
    """«12:03», with its day unless that is today."""
    local = timezone.localtime(time)
    return date_format(local, "H:i") if local.date() == timezone.localdate() else moment(time)


def until(hold: Hold) -> str:
    return _("until %(time)s") % {"time": clock(hold.until)} if hold.until else _("until somebody resumes it")


def what_holds(hold: Hold) -> str:
    return _("for: %(service)s") % {"service": services.label(hold.service)}


def rate(a_minute: float) -> str:
    """«0,4», «12»; nobody needs more digits."""
    if not a_minute:
        return "—"
    if a_minute < 0.1:
        return f"<{NBSP}{number_format(0.1, 1)}"
    return number_format(a_minute, 0 if a_minute >= 10 else 1, force_grouping=True)
