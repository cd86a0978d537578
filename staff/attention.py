"""What still needs a person: the rows of a list that do, the filter for them, and the lines of the overview.

What was put back, sent again, made again or given back since is history. A page says once which of its rows are open
(a subclass of `StandingFilter`), and every number and link asks that.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib.admin import AdminSite, ModelAdmin, SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

# Nobody reads a larger number otherwise, and counting it costs more the worse things are.
MOST_COUNTED = 1000
OPEN, SETTLED = "open", "settled"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the overview: what, how many of it, and where they are."""

    what: str | Promise
    count: str
    address: str


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
    return f"{MOST_COUNTED}+" if number > MOST_COUNTED else str(number)


def count_some(rows: QuerySet[Any]) -> int:
    """How many there are, counted no further than that."""
    return rows.order_by()[: MOST_COUNTED + 1].count()


def line_of(admin: "ModelAdmin[Any]", what: str | Promise, rows: QuerySet[Any], query: str) -> Iterator[Line]:
    """The line of a list, if there is anything to say; `query` asks the list for the same rows."""
    if number := count_some(rows):
        opts = admin.opts
        address = reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")
        yield Line(what, some(number), f"{address}?{query}")


def lines_for(request: HttpRequest, site: AdminSite) -> list[Line]:
    """What needs this person, as far as they may see it. Empty when all is well."""
    lines: list[Line] = []
    for admin in site._registry.values():
        if hasattr(admin, "attention") and admin.has_view_permission(request):
            lines += admin.attention(request)
    return lines
