"""What an address may filter a list of the admin by: what the list itself offers, and nothing else.

Django lets every field of the model be named in the address, with every look-up. Whoever may see that a mail exists
could ask for its text letter by letter (`?text_body__regex=…`), and read what no page shows them.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.contrib.admin import ListFilter, ModelAdmin, SimpleListFilter
from django.contrib.admin.utils import get_fields_from_path
from django.db.models import ForeignKey, ManyToManyField, Model
from django.http import HttpRequest

if TYPE_CHECKING:
    AnyModelAdmin = ModelAdmin[Model]
else:
    # Not generic at run time.
    AnyModelAdmin = ModelAdmin

# What the filters of Django ask of their field. None of them looks at a part of a value.
_ASKED = ("exact", "isnull", "gte", "lt", "isempty")

# Parts of a date that a hierarchy goes down by, and the largest of each that is one. Django asks for what lies before
# the next year, and after 9999 comes none.
_MOST = {"year": 9998, "month": 12, "day": 31}


class OfferedLookupsOnly(AnyModelAdmin):
    """The base of every admin: `BalansityAdminSite.register` sees to that, also for those that others wrote."""

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        if "\0" in str(value):
            # No text of Postgres can hold it, so it would end as an error of the database.
            return False
        offered = self.list_filter if request is None else self.get_list_filter(request)
        if self.date_hierarchy and lookup in {f"{self.date_hierarchy}__{part}" for part in _MOST}:
            return _is_part_of_date(lookup.rpartition("__")[2], value)
        return any(lookup in self._parameters(filter_) for filter_ in offered)

    def _parameters(self, filter_: Any) -> Iterator[str]:
        if isinstance(filter_, type) and issubclass(filter_, ListFilter):
            if issubclass(filter_, SimpleListFilter) and filter_.parameter_name:
                yield filter_.parameter_name
            return
        path = str(filter_[0] if isinstance(filter_, (list, tuple)) else filter_)
        yield path
        yield from (f"{path}__{asked}" for asked in _ASKED)
        field = get_fields_from_path(self.model, path)[-1]
        if isinstance(field, (ForeignKey, ManyToManyField)):
            yield f"{path}__{field.target_field.name}__exact"


def _is_part_of_date(part: str, value: Any) -> bool:
    """Whether the value, or each of a list, is one: Python and Postgres know no year of seven digits."""
    values = value if isinstance(value, (list, tuple)) else [value]
    return all(re.fullmatch("[0-9]{1,4}", str(one)) and 1 <= int(one) <= _MOST[part] for one in values)
