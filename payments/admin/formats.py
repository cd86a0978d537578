"""How amounts, times and states look on the pages of the admin."""

import re
from datetime import datetime
from decimal import Decimal

from django.utils.formats import date_format, number_format
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import localtime

_SIGNS = {"RUB": "₽"}
NBSP = "\N{NO-BREAK SPACE}"
# For `format_html`: what stands small below the main thing of a column.
SECOND_LINE = '<div class="payment-second">{}</div>'


def money(amount: Decimal, currency: str = "RUB") -> str:
    """«4 500,00 ₽»: always with kopecks, so that a column of amounts can be compared; no space breaks."""
    return f"{signed(number_format(amount, 2, force_grouping=True))}{NBSP}{_SIGNS.get(currency, currency)}"


def signed(number: str) -> str:
    """A formatted number with a real minus, as wide as a digit, in place of a hyphen."""
    return number.replace("-", "−")


def moment(time: datetime | None) -> str:
    # Shorter than Django's own: a month in words pushes the rest out of the lists.
    return "—" if time is None else date_format(localtime(time), "d.m.Y H:i")


def address(email: str | None, otherwise: object) -> SafeString:
    """An email address that breaks after its @ and its dots where it has to; `otherwise` for people without one."""
    return breakable(email or str(otherwise), after=".@")


def breakable(text: str, *, after: str) -> SafeString:
    """A long word that may break after each of these characters."""
    pieces = re.split(f"(?<=[{re.escape(after)}])", text)
    return format_html_join(mark_safe("<wbr>"), "{}", ((piece,) for piece in pieces if piece))


def badge(state: str, text: str | Promise, *extra: str) -> SafeString:
    """A coloured word. `state` and `extra` end up in the names of its classes."""
    classes = " ".join(f"payment-{name}" for name in (state or "unknown", *extra))
    return format_html('<span class="payment-badge {}">{}</span>', classes, text)
