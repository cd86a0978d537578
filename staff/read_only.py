"""The base of our pages in the admin: they show what machines wrote, and nobody adds, changes or deletes it by hand."""

from typing import Any, ClassVar

from django.contrib import admin
from django.forms import Media
from django.http import HttpRequest


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg] # Not generic at run time.
    """What staff may do beyond looking is an address of its own, with a permission of its own.

    `styles` are stylesheets beside the common one.
    """

    styles: ClassVar[tuple[str, ...]] = ()
    list_per_page = 50
    show_full_result_count = False

    @property
    def media(self) -> Media:
        return super().media + Media(css={"all": ("staff/staff.css", *self.styles)})

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def is_list(self, request: HttpRequest) -> bool:
        """Whether the request is for the list, whose rows need less than a page does."""
        return request.resolver_match is not None and str(request.resolver_match.url_name).endswith("_changelist")
