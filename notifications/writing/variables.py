"""Reads the variables of a mail, which anybody may have sent, into typed values."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from bridge.errors import PermanentError, Refused
from notifications.writing.links import read_report_link
from wording.plain_text import linkless_line
from wording.typed import read_amount, read_number

MOST_CHARACTERS = 200
MOST_AMOUNT = Decimal(10) ** 9
CENT = Decimal("0.01")
# Years in which every time of day has a Moscow time and the mail makes sense.
YEARS = range(2000, 2200)

RUBLE = "RUB"

_IDENTIFIER = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")
_TELEPHONE = re.compile(r"\d(?:-?\d){6,14}")
_CURRENCY = re.compile(r"[A-Z]{3}")


class Variables:
    """Typed access to the variables of one mail.

    Every method raises `PermanentError` with a text that names the template and the variable: a mail that lacks
    something is never sent half empty. Variables that nobody asks for are ignored.
    """

    def __init__(self, template: str, values: Mapping[str, object]) -> None:
        self._template = template
        self._values = values

    def text(self, name: str) -> str:
        """One line of at most 200 characters, in which nothing becomes a link; longer text is cut."""
        line = linkless_line(self._string(name), MOST_CHARACTERS)
        if not line:
            raise self._wrong(name, "is empty")
        return line

    def optional_text(self, name: str) -> str:
        """As `text`, but null and blank are allowed and give an empty string: the column behind it can be null."""
        return linkless_line(self._string(name), MOST_CHARACTERS) if self._value(name) is not None else ""

    def identifier(self, name: str) -> str:
        """The id of a row, in lower case."""
        value = self._string(name).strip()
        # A bare number of that length is one to call, and mail clients offer that.
        if not _IDENTIFIER.fullmatch(value) or _TELEPHONE.fullmatch(value):
            raise self._wrong(name, "is not an id")
        return value.lower()

    def choice(self, name: str, labels: Mapping[str, str], *, default: str) -> str:
        """The label of the value; a value without a label is an error, and null means the default of the column."""
        value = self._string(name).strip().lower() if self._value(name) is not None else default
        if value not in labels:
            raise self._wrong(name, "is none of " + ", ".join(labels))
        return labels[value]

    def time(self, name: str) -> datetime:
        """An ISO 8601 date and time as an aware time. Without a zone it is UTC, which is what the database runs in."""
        value = self._string(name).strip()
        try:
            # A bare date would silently become midnight.
            moment = datetime.fromisoformat(value) if len(value) > len("2026-11-23") else None
        except ValueError:
            moment = None
        if moment is None or moment.year not in YEARS:
            raise self._wrong(name, "is not a date and time like 2026-11-23T11:30:00Z")
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def optional_time(self, name: str) -> datetime | None:
        """As `time`, but null, and a text that is no time which can be shown, are none.

        Customers write the column: `infinity`, the year 20000. The mail is whole without it.
        """
        if not self.optional_text(name):
            return None
        try:
            return self.time(name)
        except PermanentError:
            return None

    def amount(self, name: str) -> Decimal:
        """A positive sum with at most two decimals, sent as a JSON number or a string; never rounded."""
        value = self._value(name)
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise self._wrong(name, f"must be a number, not {_kind(value)}")
        # The shortest text of a float is the number that was sent: 19.99, and not 19.989999999999998436….
        amount = read_amount(value) if isinstance(value, str) else _two_decimals(str(value))
        if amount is None or not 0 < amount < MOST_AMOUNT:
            raise self._wrong(name, "is not a sum of money with at most two decimals")
        return amount

    def currency(self, name: str) -> str:
        """A code of three letters; null means rubles, the default of the column."""
        value = self._string(name).strip().upper() if self._value(name) is not None else RUBLE
        if not _CURRENCY.fullmatch(value):
            raise self._wrong(name, "is not a currency code like RUB")
        return value

    def has(self, name: str) -> bool:
        return name in self._values

    def uuid(self, name: str, what: str = "a report") -> UUID:
        try:
            return UUID(self._string(name).strip())
        except ValueError:
            raise self._wrong(name, f"is not the id of {what}") from None

    def report_link(self, name: str) -> UUID | str:
        """See `read_report_link`: strangers can put messages into the queue."""
        try:
            return read_report_link(self._string(name))
        except Refused as refusal:
            raise Refused(f"{self._what(name)} {refusal}") from None

    def _value(self, name: str) -> object:
        if name not in self._values:
            raise self._wrong(name, "is missing")
        return self._values[name]

    def _string(self, name: str) -> str:
        value = self._value(name)
        if not isinstance(value, str):
            raise self._wrong(name, f"must be a string, not {_kind(value)}")
        return value

    def _wrong(self, name: str, problem: str) -> PermanentError:
        return PermanentError(f"{self._what(name)} {problem}")

    def _what(self, name: str) -> str:
        return f"template {self._template}: the variable {name}"


def _two_decimals(number: str) -> Decimal | None:
    amount = read_number(number)
    return amount.quantize(CENT) if amount is not None and amount == round(amount, 2) else None


def _kind(value: object) -> str:
    """What JSON calls it."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"
