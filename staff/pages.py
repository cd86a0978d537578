"""Addresses of the admin beside those that Django brings: who may open one, and what everybody else reads instead."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from inspect import getmembers
from typing import TYPE_CHECKING, Any, TypeVar, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _

from staff.refusals import forbidden

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

View = TypeVar("View", bound=Callable[..., HttpResponseBase])

_PAGE = "staff_page"


@dataclass(frozen=True, slots=True)
class StaffPage:
    """An address below the list of a model. With `pk` in its route it is about one row."""

    route: str
    name: str
    may: str
    methods: tuple[str, ...]

    @property
    def is_about_row(self) -> bool:
        return ":pk>" in self.route


def staff_page(
    route: str, *, may: str = "view", methods: tuple[str, ...] = ("GET",), name: str = ""
) -> Callable[[View], View]:
    """Make a method of a `ReadOnlyAdmin` a page for those who may look at the model and have `has_<may>_permission`.

    The method is called with the request, the row that `pk` names, and what else the route takes. Whoever lacks a
    permission reads so (403); a row that is not there leads to the list and says so; a method that the
    page does not answer to leads to the page of the row, or to the list. The last part of the route is its `name`.
    """
    page = StaffPage(route, name or route.strip("/").rpartition("/")[2].replace("-", "_"), may, methods)

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(admin: "ModelAdmin[Any]", request: HttpRequest, **named: Any) -> HttpResponseBase:
            if not _may(admin, request, page.may):
                return forbidden(request)
            found: list[Any] = []
            if page.is_about_row:
                pk = str(named.pop("pk"))
                row = admin.get_object(request, pk)
                if row is None:
                    return _gone(admin, request, pk)
                if not admin.has_view_permission(request, row):
                    return forbidden(request)
                found.append(row)
            if request.method not in page.methods and not (request.method == "HEAD" and "GET" in page.methods):
                return to_row(admin, found[0].pk) if found else to_list(admin)
            return view(admin, request, *found, **named)

        setattr(guarded, _PAGE, page)
        return cast(View, guarded)

    return guard


def staff_urls(admin: "ModelAdmin[Any]") -> Iterator[URLPattern]:
    """The addresses of the pages among the methods of `admin`, named «payments_payment_refund»."""
    for name, method in getmembers(type(admin), lambda member: hasattr(member, _PAGE)):
        page: StaffPage = getattr(method, _PAGE)
        view = admin.admin_site.admin_view(getattr(admin, name))
        yield path(page.route, view, name=f"{admin.opts.app_label}_{admin.opts.model_name}_{page.name}")


def to_list(admin: "ModelAdmin[Any]") -> HttpResponseRedirect:
    return HttpResponseRedirect(_address(admin, "changelist"))


def to_row(admin: "ModelAdmin[Any]", pk: object) -> HttpResponseRedirect:
    return HttpResponseRedirect(_address(admin, "change", pk))


def actor_id(request: HttpRequest) -> int:
    """The id that our journals name the person by."""
    if request.user.pk is None:
        raise PermissionDenied
    return request.user.pk


def _may(admin: "ModelAdmin[Any]", request: HttpRequest, may: str) -> bool:
    return admin.has_view_permission(request) and bool(getattr(admin, f"has_{may}_permission")(request))


def _gone(admin: "ModelAdmin[Any]", request: HttpRequest, pk: str) -> HttpResponseRedirect:
    """In the words that Django has for it on its own pages."""
    text = _("%(name)s with ID “%(key)s” doesn’t exist. Perhaps it was deleted?")
    admin.message_user(request, text % {"name": admin.opts.verbose_name, "key": pk}, messages.WARNING)
    return to_list(admin)


def _address(admin: "ModelAdmin[Any]", name: str, *args: object) -> str:
    viewname = f"admin:{admin.opts.app_label}_{admin.opts.model_name}_{name}"
    return reverse(viewname, args=args, current_app=admin.admin_site.name)
