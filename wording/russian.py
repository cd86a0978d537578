"""How dates and money are written in Russian."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

MOSCOW = ZoneInfo("Europe/Moscow")
NBSP = "\N{NO-BREAK SPACE}"

_MONTHS = (
    *("января", "февраля", "марта", "апреля", "мая", "июня"),
    *("июля", "августа", "сентября", "октября", "ноября", "декабря"),
)
_SIGNS = {"RUB": "₽"}


@dataclass(frozen=True, slots=True)
class Money:
    """An amount with at most two decimals and its ISO 4217 code."""

    amount: Decimal
    currency: str = "RUB"

    def __str__(self) -> str:
        """«5 000 ₽», «19,99 ₽», «1 234,50 USD»: kopecks only where there are any, every space non-breaking."""
        whole, _, cents = f"{self.amount:,.2f}".partition(".")
        number = whole.replace(",", NBSP)
        if cents != "00":
            number += f",{cents}"
        return f"{number}{NBSP}{sign_of(self.currency)}"


def sign_of(currency: str) -> str:
    """«₽» for RUB; the code of a currency whose sign we do not use."""
    return _SIGNS.get(currency, currency)


def date_in_words(moment: datetime) -> str:
    """«23 ноября», in Moscow; the space does not break."""
    local = moment.astimezone(MOSCOW)
    return f"{local.day}{NBSP}{_MONTHS[local.month - 1]}"


def moscow_time(moment: datetime) -> str:
    """«23 ноября 2026, 14:30 МСК» for an aware time in any zone."""
    local = moment.astimezone(MOSCOW)
    return f"{local.day} {_MONTHS[local.month - 1]} {local.year}, {local:%H:%M} МСК"


def order_number(payment_id: object) -> str:
    """«c28372ca»: what families, YooKassa, receipts and staff call a payment, whose id nobody reads aloud."""
    return str(payment_id).lower()[:8]
