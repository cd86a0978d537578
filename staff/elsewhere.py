"""From one thing to others of the same client: links to the lists that find clients and that somebody may see."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import AdminSite, ModelAdmin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import capfirst


@dataclass(frozen=True, slots=True)
class Way:
    """A list, and the address that asks it for one client or thing."""

    label: str
    address: str


def ways_to(request: HttpRequest, site: AdminSite, text: str, *, but: "ModelAdmin[Any] | None" = None) -> list[Way]:
    """The lists whose search knows clients (`finds_clients`), each searched for `text`; none for an empty one."""
    if not text:
        return []
    return [
        Way(
            capfirst(str(admin.opts.verbose_name_plural)),
            f"{reverse(f'admin:{admin.opts.app_label}_{admin.opts.model_name}_changelist')}?{urlencode({'q': text})}",
        )
        for admin in site._registry.values()
        if getattr(admin, "finds_clients", False) and admin is not but and admin.has_view_permission(request)
    ]
