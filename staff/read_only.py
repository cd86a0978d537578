"""The base of our pages in the admin: they show what machines wrote, and nobody adds, changes or deletes it by hand."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import IntegerField, QuerySet
from django.forms import Media
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern

from staff.elsewhere import ways_to
from staff.long_lists import BoundedPaginator, OfferedOrdersOnly
from staff.pages import staff_urls, to_row
from wording.typed import read_whole


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg] # Not generic at run time.
    """What staff may do beyond looking is a `staff_page`, with a permission of its own.

    `styles` are stylesheets beside the common one.
    """

    styles: ClassVar[tuple[str, ...]] = ()
    # Whether the list is searched by whatever names a client; pages about one lead there.
    finds_clients: ClassVar[bool] = False
    list_per_page = 50
    paginator = BoundedPaginator
    show_full_result_count = False
    # Numbers beside each choice of each filter: each would be counted among all rows.
    show_facets = admin.ShowFacets.NEVER
    # The columns that a list may be put in order by; the others would have all rows sorted for one page of them.
    sortable_by: ClassVar[tuple[str, ...]] = ()

    @property
    def media(self) -> Media:
        return super().media + Media(css={"all": ("staff/staff.css", *self.styles)})

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """The row of an address; none for a number that Python alone would take for one, like `1_0`."""
        if isinstance(self.opts.pk, IntegerField) and read_whole(object_id) is None:
            return None
        return super().get_object(request, object_id, from_field)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[OfferedOrdersOnly]:
        return OfferedOrdersOnly

    def get_urls(self) -> list[URLPattern]:
        return [*staff_urls(self), *super().get_urls()]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        text = search_term.strip()
        found = self.find(queryset, text) if text else queryset
        return super().get_search_results(request, queryset, text) if found is None else (found, False)

    def find(self, rows: QuerySet[Any], text: str) -> QuerySet[Any] | None:
        """The rows that are named by a text without spaces around it; `None` lets Django look into `search_fields`.

        Without one of those there is no search box.
        """
        return None

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        ways = {
            "of_client": ways_to(request, self.admin_site, self.client_of(obj)),
            "of_thing": ways_to(request, self.admin_site, self.thing_of(obj), but=self),
        }
        shown = {**context, **ways, **self.row_context(request, obj)}
        return super().render_change_form(request, shown, add, change, form_url, obj)

    def row_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """What the template of a row's page needs beside its fields."""
        return {}

    def client_of(self, row: Any) -> str:
        """The address, or the id, of the client that a row is about; empty for none."""
        return ""

    def thing_of(self, row: Any) -> str:
        """The id of what a row is about, where other lists know it too; empty for none."""
        return ""

    def page(self, request: HttpRequest, template: str, title: str, **context: Any) -> TemplateResponse:
        """A page of our own, whose template extends `admin/staff/page.html`; with a `row`, it is below the row's."""
        common = {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media, "title": title}
        return TemplateResponse(request, template, {**common, **context})

    def back_to(self, row: Any) -> HttpResponseRedirect:
        """To the page of the row, where the message about what was done is shown."""
        return to_row(self, row.pk)

    def is_list(self, request: HttpRequest) -> bool:
        """Whether the request is for the list, whose rows need less than a page does."""
        return request.resolver_match is not None and str(request.resolver_match.url_name).endswith("_changelist")
