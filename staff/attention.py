"""What still needs a person: the rows of a list that do, the filter for them, and the lines on top of the home page.

What was put back, sent again, made again or given back since is history. A package says once which of its rows are open
(a subclass of `StandingFilter` asks that), and every number and link does too.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib.admin import SimpleListFilter
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from staff.badges import Tone
from staff.formats import whole

# Nobody reads a larger number otherwise, and counting it costs more the worse things are.
MOST_COUNTED = 1000
OPEN, SETTLED = "open", "settled"


@dataclass(frozen=True, slots=True)
class Line:
    """What needs somebody: a sentence with its number, where exactly those rows are, and what to do.

    The `tone` is `BAD` for what stands still or costs money, `LATE` for what has time, `QUIET` for what somebody meant
    to be so and others have to know.
    """

    text: str
    address: str
    advice: str | Promise = ""
    tone: Tone = Tone.LATE
    # What a machine noted about it, in English.
    detail: str = ""

    @property
    def is_fault(self) -> bool:
        return self.tone != Tone.QUIET


@dataclass(frozen=True, slots=True)
class Watch:
    """What a package keeps an eye on for those who have the right `may`, which opens where its lines lead.

    `about` is what cannot be told when the look fails. A package names its own in `WATCHES` of its module `dashboard`.
    """

    about: str | Promise
    may: str
    look: Callable[[], Iterable[Line]]


class StandingFilter(SimpleListFilter):
    """«Требует внимания» against «уже улажено», among the rows of the model that failed once."""

    title = gettext_lazy("needs attention")
    parameter_name = "standing"
    settled: ClassVar[str | Promise] = gettext_lazy("settled since")

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(OPEN, str(gettext_lazy("needs attention"))), (SETTLED, str(self.settled))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == OPEN:
            return self.open_rows(queryset)
        if self.value() == SETTLED:
            return self.settled_rows(queryset)
        return queryset

    def open_rows(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        raise NotImplementedError

    def settled_rows(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        raise NotImplementedError


def some(number: int) -> str:
    """A number that was counted no further than `MOST_COUNTED`."""
    return f"{whole(MOST_COUNTED)}+" if number > MOST_COUNTED else whole(number)


class Counted:
    """How many rows there are, counted no further than that.

    The statement is put together once: the home page asks it every few seconds, and to compile it takes Django longer
    than Postgres needs to answer. So nothing in it may depend on the time but Postgres' own.
    """

    def __init__(self, rows: Callable[[], QuerySet[Any]]) -> None:
        self._rows = rows
        self._statement: tuple[str, tuple[Any, ...]] | None = None

    def __call__(self) -> int:
        if self._statement is None:
            self._statement = self._rows().order_by().values("pk")[: MOST_COUNTED + 1].query.sql_with_params()
        text, values = self._statement
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM ({text}) AS found", values)  # noqa: S608 # Django's own text.
            return int(cursor.fetchone()[0])


def list_address(model: Any, query: str = "") -> str:
    """The list of the model, asked for the rows that are meant."""
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{address}?{query}" if query else address
