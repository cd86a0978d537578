"""The admin that support staff work in."""

from collections.abc import Iterable
from typing import Any

from django.contrib.admin import AdminSite, ModelAdmin
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext_lazy as _

from balansity.offered_lookups import OfferedLookupsOnly


class BalansityAdminSite(AdminSite):
    site_header = _("Balansity: back office")
    site_title = "Balansity"
    index_title = _("Overview")
    site_url = None
    enable_nav_sidebar = True
    # As our own columns write it.
    empty_value_display = "—"

    def register(
        self,
        model_or_iterable: type[Model] | Iterable[type[Model]],
        admin_class: "type[ModelAdmin[Any]] | None" = None,
        **options: Any,
    ) -> None:
        """Put `OfferedLookupsOnly` under whichever admin comes, so that none can be written without it."""
        given: type[ModelAdmin[Any]] = admin_class or ModelAdmin
        members = {"__module__": given.__module__, "__doc__": given.__doc__}
        super().register(model_or_iterable, type(given.__name__, (OfferedLookupsOnly, given), members), **options)

    def autocomplete_view(self, request: HttpRequest) -> HttpResponseBase:
        """Only for the fields that some form completes: Django takes every relation of every model."""
        model, field = (request.GET.get(name, "") for name in ("model_name", "field_name"))
        for known, admin in self._registry.items():
            named = (known._meta.app_label, known._meta.model_name) == (request.GET.get("app_label"), model.lower())
            if named and field in admin.get_autocomplete_fields(request):
                return super().autocomplete_view(request)
        raise PermissionDenied
