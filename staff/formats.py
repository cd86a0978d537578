"""How times, amounts and texts look on the pages of the admin."""

import json
import re
from datetime import datetime
from decimal import Decimal

from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from wording.russian import NBSP, sign_of

# With its zone: without one nobody knows which moment it is.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)")
MINUTE, HOUR, DAY = 60, 3600, 86_400


def moment(time: datetime | None, *, seconds: bool = False) -> str:
    """«26.11.2026 14:05», «—» for no time. Shorter than Django's own: a month in words pushes the rest out of lists."""
    return "—" if time is None else date_format(localtime(time), "d.m.Y H:i:s" if seconds else "DATETIME_FORMAT")


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


def span(seconds: float | None) -> str:
    """How long something takes: «0,04 с», «1,2 с», «12 с», and from a minute on as an age."""
    if seconds is None:
        return "—"
    if seconds >= MINUTE:
        return age(seconds)
    digits = 0 if seconds >= 10 or seconds == 0 else 1 if seconds >= 0.1 else 2
    # No time at all would be a lie.
    return _("%(seconds)s s") % {"seconds": number_format(max(seconds, 0.01) if seconds else 0, digits)}


def whole(number: int) -> str:
    """«12 480»: the space between thousands does not break."""
    return number_format(number, 0, force_grouping=True)


def money(amount: Decimal, currency: str = "RUB") -> str:
    """«4 500,00 ₽»: always with kopecks, so that a column of amounts can be compared; no space breaks."""
    return f"{signed(number_format(amount, 2, force_grouping=True))}{NBSP}{sign_of(currency)}"


def signed(number: str) -> str:
    """A formatted number with a real minus, as wide as a digit, in place of a hyphen."""
    return number.replace("-", "−")


def two_lines(main: object, below: object) -> SafeString:
    """The main thing of a column, and what stands small below it."""
    return format_html('{}<div class="staff-second">{}</div>', main, below)


def in_code(text: str) -> SafeString:
    """What a machine noted for the developers, in English: set apart from what staff read."""
    return format_html("<code>{}</code>", in_moscow(text))


def in_moscow(note: str) -> str:
    """A machine's note with its times as all pages write them: two spellings of one moment look like two."""

    def shown(found: re.Match[str]) -> str:
        try:
            return moment(datetime.fromisoformat(found[0]))
        except ValueError:
            return found[0]

    return _MOMENT.sub(shown, note)


def block(text: str) -> SafeString:
    """A text of several lines as it is, escaped."""
    return format_html('<pre class="staff-block">{}</pre>', text)


def pretty_json(value: object) -> str:
    """The value with line breaks and everything in it escaped; «—» for none."""
    if value is None:
        return "—"
    # A stranger's text may hold halves of surrogate pairs, which no page can be encoded with.
    return block(json.dumps(value, ensure_ascii=False, indent=2).encode(errors="backslashreplace").decode())
