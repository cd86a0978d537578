"""The menu beside each page of the admin: one for all who may see the same, drawn once for each place in it.

Django looks all its addresses up anew and draws it anew, which is a tenth of the work for most pages.
"""

from collections.abc import Callable, Hashable
from typing import Any
from urllib.parse import quote

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

# Of different rights, with which few people differ; languages and addresses differ in tests alone.
_MOST = 100


class Menu(list[dict[str, Any]]):
    """The packages and their lists, as Django gives them to its pages."""

    def __init__(self, packages: list[dict[str, Any]]) -> None:
        super().__init__(packages)
        lists = [model["admin_url"] for package in packages for model in package["models"]]
        self._addresses = [address for address in (*(package["app_url"] for package in packages), *lists) if address]
        self._drawn: dict[tuple[str, ...], SafeString] = {}

    def beside(self, request: HttpRequest) -> SafeString:
        """As Django draws it beside the page that is asked for: the package and the list are marked that it is in."""
        path = quote(request.path)
        marked = tuple(address for address in self._addresses if address in path)
        if marked not in self._drawn:
            context = {"available_apps": self, "request": request}
            self._drawn[marked] = render_to_string("admin/nav_sidebar.html", context)
        return self._drawn[marked]


class Menus:
    """Those that were asked for, by all that they follow from."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, Menu] = {}

    def get(self, follows_from: Hashable, packages: Callable[[], list[dict[str, Any]]]) -> Menu:
        menu = self._kept.get(follows_from)
        if menu is None:
            if len(self._kept) >= _MOST:
                self._kept.clear()
            menu = self._kept[follows_from] = Menu(packages())
        return menu
