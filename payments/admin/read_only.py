"""Pages that show what machines wrote: nothing is added, changed or deleted by hand."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg] # Not generic at run time.
    """What staff may do beyond looking is an address of its own, with a permission of its own."""

    list_per_page = 50
    empty_value_display = "—"
    show_full_result_count = False

    class Media:
        css: ClassVar[dict[str, Sequence[str]]] = {"all": ("payments/payment_admin.css",)}

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def is_list(self, request: HttpRequest) -> bool:
        """Whether the request is for the list, whose rows need less than a page does."""
        return request.resolver_match is not None and str(request.resolver_match.url_name).endswith("_changelist")
