"""The years, months and days above a list, from the first row to the last, whether a day has rows or not.

Django's own looks at each row of the table to leave out the days that have none.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.db.models import Max, Min
from django.template import Library
from django.utils import formats, timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _

register = Library()

# Customers write times as well. What lies further from today than any row of ours has its first and last year alone.
_YEARS_BACK, _YEARS_AHEAD = 20, 2


@dataclass(frozen=True, slots=True)
class Chosen:
    """How far down somebody went: to a year, a month of it, a day of that."""

    year: int | None
    month: int | None
    day: int | None


@register.inclusion_tag("admin/date_hierarchy.html")
def days_of_list(cl: ChangeList) -> dict[str, Any]:
    name = str(cl.date_hierarchy)
    bounds = cl.model._default_manager.aggregate(first=Min(name), last=Max(name))
    if bounds["first"] is None:
        return {"show": False}
    first, last = (timezone.localtime(bounds[end]).date() for end in ("first", "last"))
    year, month, day = (_number(cl, f"{name}__{part}") for part in ("year", "month", "day"))
    if year is None and first.year == last.year:
        year, month = first.year, first.month if first.month == last.month else None
    return _shown(cl, name, Chosen(year, month, day), first, last)


def _number(cl: ChangeList, parameter: str) -> int | None:
    given = cl.params.get(parameter)
    return int(given) if given else None


def _shown(cl: ChangeList, name: str, chosen: Chosen, first: dt.date, last: dt.date) -> dict[str, Any]:
    kept = cl.get_query_string(remove=[f"{name}__"]).removeprefix("?")

    def link(*parts: int) -> str:
        asked = [f"{name}__{part}={value}" for part, value in zip(("year", "month", "day"), parts, strict=False)]
        return "?" + "&".join(filter(None, (kept, *sorted(asked))))

    def choice(title: str, *parts: int) -> dict[str, str]:
        return {"title": capfirst(title), "link": link(*parts)}

    match chosen:
        case Chosen(year=int(year), month=int(month), day=int(day)):
            back = choice(_month(dt.date(year, month, 1)), year, month)
            title = formats.date_format(dt.date(year, month, day), "MONTH_DAY_FORMAT")
            return {"show": True, "back": back, "choices": [{"title": capfirst(title)}]}
        case Chosen(year=int(year), month=int(month)):
            days = _days(year, month, first, last)
            shown = [choice(formats.date_format(one, "MONTH_DAY_FORMAT"), year, month, one.day) for one in days]
            return {"show": True, "back": choice(str(year), year), "choices": shown}
        case Chosen(year=int(year)):
            months = _months(year, first, last)
            shown = [choice(_month(one), year, one.month) for one in months]
            return {"show": True, "back": choice(_("All dates")), "choices": shown}
    return {"show": True, "back": None, "choices": [choice(str(one), one) for one in _years(first, last)]}


def _years(first: dt.date, last: dt.date) -> list[int]:
    today = timezone.localdate().year
    near = range(max(first.year, today - _YEARS_BACK), min(last.year, today + _YEARS_AHEAD) + 1)
    return sorted({first.year, *near, last.year})


def _month(day: dt.date) -> str:
    return formats.date_format(day, "YEAR_MONTH_FORMAT")


def _months(year: int, first: dt.date, last: dt.date) -> Iterator[dt.date]:
    for month in range(1, 13):
        day = dt.date(year, month, 1)
        if first.replace(day=1) <= day <= last:
            yield day


def _days(year: int, month: int, first: dt.date, last: dt.date) -> Iterator[dt.date]:
    day = dt.date(year, month, 1)
    while day.month == month:
        if first <= day <= last:
            yield day
        if day == dt.date.max:
            return
        day += dt.timedelta(days=1)
