"""Numbers as people type them, and as anybody may have sent them: read strictly, since Python's own readers are not.

`Decimal("1_0")` is ten, `Decimal("1e1")` too, and `int("١")` is one: what nobody meant must not become an amount.
"""

import re
from decimal import Decimal

_SPACES = " \u00a0\u2009\u202f"
# «1 000,50», «1000.5»: a comma or a point before one or two decimals, and groups of three where there are groups.
_AMOUNT = re.compile(
    rf"(?P<whole>[0-9]{{1,12}}|[0-9]{{1,3}}(?:[{_SPACES}][0-9]{{3}}){{1,3}})"
    rf"(?:[.,](?P<cents>[0-9]{{1,2}}))?(?:[{_SPACES}]?(?:₽|руб\.?))?"
)
_NUMBER = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?")
_WHOLE = re.compile(r"[0-9]{1,18}")
_GROUPS = str.maketrans("", "", _SPACES)


def read_amount(text: str) -> Decimal | None:
    """An amount of money, with two decimals, as a person types it in Russian or copies it from a page of ours.

    «4 500,00 ₽», «4500.5», «4500». `None` for all else: signs, exponents, digits of other scripts, three decimals.
    «1.000» is a thousand to some and one to others, so it is neither.
    """
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        return None
    return Decimal(f"{found['whole'].translate(_GROUPS)}.{(found['cents'] or '0').ljust(2, '0')}")


def read_number(text: str) -> Decimal | None:
    """A decimal number as JSON and SQL write it, without an exponent; `None` for all else."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def read_whole(text: str) -> int | None:
    """An id, a page, a count: digits of ASCII and nothing else, few enough for a bigint; `None` for all else."""
    return int(text) if _WHOLE.fullmatch(text) else None
