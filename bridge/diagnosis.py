"""What a look at the set-up or the surroundings finds, and the looks that each package brings in its module `doctor`.

A finding is one of Django's check messages, so Django's own checks and ours are shown by the same faces. It carries a
code and values; the face that shows it chooses the language.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import cast

from django.core.checks import ERROR, INFO, WARNING, CheckMessage
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

# Tokens and signatures live by minutes; what a slow answer adds is no fault of a clock.
MOST_SKEW_SECONDS = 10.0

Text = str | Promise


class Finding(CheckMessage):
    """`id` is the code, like `mail.login_refused`. `cause` and `remedy` are one line each, in the active language."""

    def __init__(self, level: int, code: str, cause: Text, remedy: Text = "", /, **values: object) -> None:
        # Django shows lazy texts as well; its stubs know of none.
        super().__init__(level, cast(str, cause), hint=cast(str, remedy), id=code)
        self.values = {name: one_line(value) for name, value in values.items()}

    @property
    def code(self) -> str:
        return str(self.id)

    @property
    def cause(self) -> str:
        return str(self.msg) % self.values

    @property
    def remedy(self) -> str:
        return str(self.hint or "") % self.values

    def __str__(self) -> str:
        """One line: what foreign servers say has no full stop."""
        sentences = [self.cause.rstrip(".") + ".", self.remedy] if self.remedy else [self.cause]
        return f"{self.code}: {' '.join(sentences)}"


def error(code: str, cause: Text, remedy: Text = "", /, **values: object) -> Finding:
    """Something does not work."""
    return Finding(ERROR, code, cause, remedy, **values)


def warning(code: str, cause: Text, remedy: Text = "", /, **values: object) -> Finding:
    """It works, and should not stay so."""
    return Finding(WARNING, code, cause, remedy, **values)


def info(code: str, cause: Text, remedy: Text = "", /, **values: object) -> Finding:
    """Good to know; nothing is wrong."""
    return Finding(INFO, code, cause, remedy, **values)


@dataclass(frozen=True, slots=True)
class Probe:
    """A look at one thing. `name` tells people which one did not answer.

    It bounds its own waiting and raises nothing for what it is there to find. Those that ask Postgres are asked one
    after another in one session: there may be few of them, and that is a finding of its own.
    """

    name: str
    look: Callable[[], Iterable[Finding]]
    asks_postgres: bool = False


def clock_findings(whose: str, theirs: str | datetime | None, at: datetime | None = None) -> list[Finding]:
    """Whether our clock and that of `whose` disagree; `theirs` is a time, or a header `Date` as it came."""
    try:
        moment = parsedate_to_datetime(theirs) if isinstance(theirs, str) else theirs
    except ValueError:
        return []
    if moment is None:
        return []
    ahead = ((at or datetime.now(UTC)) - moment.replace(tzinfo=moment.tzinfo or UTC)).total_seconds()
    if abs(ahead) <= MOST_SKEW_SECONDS:
        return []
    cause = gettext_lazy("The clock of this machine differs by %(seconds)s s from that of %(whose)s.")
    remedy = gettext_lazy("Let both be set by NTP (timedatectl set-ntp true): tokens and deadlines stand on it.")
    return [warning("clock.differs", cause, remedy, seconds=round(ahead), whose=whose)]


def one_line(value: object) -> str:
    return re.sub(r"\s+", " ", str(value)).strip()[:500]
