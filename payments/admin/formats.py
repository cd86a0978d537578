"""How amounts, times and states look on the pages of the admin."""

from datetime import datetime
from decimal import Decimal

from django.utils.formats import date_format, number_format
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

_SIGNS = {"RUB": "₽"}
NBSP = "\N{NO-BREAK SPACE}"
# For `format_html`: what stands small below the main thing of a column.
SECOND_LINE = '<div class="payment-second">{}</div>'


def money(amount: Decimal, currency: str = "RUB") -> str:
    """«4 500,00 ₽»: always with kopecks, so that a column of amounts can be compared; no space breaks."""
    return f"{number_format(amount, 2, force_grouping=True)}{NBSP}{_SIGNS.get(currency, currency)}"


def moment(time: datetime | None) -> str:
    # Shorter than Django's own: a month in words pushes the rest out of the lists.
    return "—" if time is None else date_format(localtime(time), "d.m.Y H:i")


def address(email: str | None, otherwise: object) -> str:
    """An email address that breaks before its @ where it has to; `otherwise` for people without one."""
    name, at, host = (email or str(otherwise)).rpartition("@")
    return format_html("{}<wbr>{}{}", name, at, host) if at else host


def badge(state: str, text: str | Promise, *extra: str) -> SafeString:
    """A coloured word. `state` and `extra` end up in the names of its classes."""
    classes = " ".join(f"payment-{name}" for name in (state or "unknown", *extra))
    return format_html('<span class="payment-badge {}">{}</span>', classes, text)
