"""Lists of a million rows: nothing that a page shows is found by counting or sorting all of them."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Page, Paginator
from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL
from django.utils.functional import cached_property

# Two hundred pages; whoever looks for something further back filters or searches.
MOST_LISTED = 10_000
# As many values an index looks up one by one; more are put into a hash, once for each query.
FEW = 200


class BoundedPaginator(Paginator):  # type: ignore[type-arg] # Not generic at run time.
    """Counts no further than `MOST_LISTED`. With `is_cut` there are more rows, and the last page is not their end."""

    @cached_property
    def _counted(self) -> int:
        rows: Any = self.object_list
        # Without what each row is shown with, which would be worked out for all that are counted.
        return int(rows.order_by().values("pk")[: MOST_LISTED + 1].count())

    @cached_property
    def count(self) -> int:
        return min(self._counted, MOST_LISTED)

    @property
    def is_cut(self) -> bool:
        return self._counted > MOST_LISTED

    def page(self, number: int | str) -> Page:  # type: ignore[type-arg]
        """Its rows are found by their ids first: what they are shown with is joined to these few, not to all rows."""
        number = self.validate_number(number)
        rows: Any = self.object_list
        first = (number - 1) * self.per_page
        found = list(rows.values_list("pk", flat=True)[first : min(first + self.per_page, self.count)])
        return Page(rows.filter(pk__in=found), number, self)


class OfferedOrdersOnly(ChangeList):
    """Puts rows into no order but by the columns in `sortable_by`, also when an address asks for another one."""

    def get_ordering_field(self, field_name: Any) -> Any:
        return super().get_ordering_field(field_name) if field_name in (self.sortable_by or ()) else None


def asked_now(name: str, ids: "Iterable[UUID] | QuerySet[Any, UUID]") -> Q:
    """The condition that the column `name` has one of these ids, which are asked for once and not within each query.

    A list is shown by several queries, and a condition that is a query itself keeps Postgres from using an index.
    """
    found = list(ids)
    if len(found) <= FEW:
        return Q(**{f"{name}__in": found})
    return Q(**{f"{name}__in": RawSQL("SELECT unnest(%s::uuid[])", (found,))})
