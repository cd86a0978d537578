"""The admin that support staff work in."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.text import capfirst
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.i18n import JavaScriptCatalog

from balansity.dashboard.page import home_context, home_now
from balansity.djangos_words import IN_SCRIPTS
from balansity.door.guard import through_the_door
from balansity.menu import Menus
from balansity.offered_lookups import OfferedLookupsOnly
from balansity.second_factor.entrance import PasswordView
from balansity.second_factor.pages import SecondFactorPages
from staff.second_factor import OFF

# Django's forms take a PUT for a POST.
_LOOKING = ("GET", "HEAD", "OPTIONS")
# Its pages show the secret of everybody's authenticator, and make one for anybody. Ours are `balansity.second_factor`.
_SHOWS_SECRETS = "django_otp."

if TYPE_CHECKING:
    AnyModelAdmin = ModelAdmin[Model]
else:
    # Not generic at run time.
    AnyModelAdmin = ModelAdmin


class _Titled(AnyModelAdmin):
    """A list is called by what is in it: Django's sentence about choosing one puts the name into a wrong case."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        title = {"title": capfirst(self.opts.verbose_name_plural)}
        return super().changelist_view(request, {**title, **(extra_context or {})})


class _ScriptsWords(JavaScriptCatalog):
    """Django's words for its scripts, and ours where we have others."""

    packages = ["django.contrib.admin"]

    def get_catalog(self) -> dict[str, Any]:
        return {**super().get_catalog(), **{text: gettext(text) for text in IN_SCRIPTS}}


class BalansityAdminSite(AdminSite):
    site_header = _("Balansity: back office")
    site_title = "Balansity"
    index_title = _("Overview")
    site_url = None
    enable_nav_sidebar = True
    # As our own columns write it.
    empty_value_display = "—"

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self._menus = Menus()

    def register(
        self,
        model_or_iterable: type[Model] | Iterable[type[Model]],
        admin_class: "type[ModelAdmin[Any]] | None" = None,
        **options: Any,
    ) -> None:
        """Put our base under whichever admin comes, so that none can be written without it."""
        if admin_class is not None and admin_class.__module__.startswith(_SHOWS_SECRETS):
            return
        given: type[ModelAdmin[Any]] = admin_class or ModelAdmin
        members = {"__module__": given.__module__, "__doc__": given.__doc__}
        super().register(
            model_or_iterable, type(given.__name__, (OfferedLookupsOnly, _Titled, given), members), **options
        )

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return super().index(request, {**home_context(request), **(extra_context or {})})

    @method_decorator(never_cache)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.method in _LOOKING:
            return super().login(request, extra_context)
        context = {
            **self.each_context(request),
            "title": _("Log in"),
            "app_path": request.get_full_path(),
            "username": request.user.get_username(),
            **({} if REDIRECT_FIELD_NAME in request.POST else {REDIRECT_FIELD_NAME: reverse("admin:index")}),
            **(extra_context or {}),
        }
        log_in = PasswordView.as_view(
            extra_context=context, authentication_form=AdminAuthenticationForm, template_name="admin/login.html"
        )
        name = request.POST.get("username", "")
        return through_the_door(request, name, lambda: cast(HttpResponse, log_in(request)), self.titles())

    def password_change(  # type: ignore[override] # The stubs know of the form alone, Django also redirects.
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Whoever found a browser left open can guess at the old password here."""
        if request.method in _LOOKING:
            return super().password_change(request, extra_context)
        name = request.user.get_username()
        change = super().password_change
        return through_the_door(request, name, lambda: change(request, extra_context), self.titles())

    def get_urls(self) -> list[Any]:
        now = path("now/", self.admin_view(home_now), name="now")
        return [now, *SecondFactorPages(self, self.titles()).urls(), *super().get_urls()]

    def i18n_javascript(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return cast(HttpResponse, _ScriptsWords.as_view()(request))

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        common = super().each_context(request)
        return {**common, "menu": common["available_apps"].beside(request), "second_factor": settings.STAFF_2FA != OFF}

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        listed = super().get_app_list
        if app_label is not None:
            return listed(request, app_label)
        may = tuple(
            (model, admin.has_module_permission(request) and tuple(admin.get_model_perms(request).values()))
            for model, admin in self._registry.items()
        )
        return self._menus.get((get_language(), reverse("admin:index"), may), lambda: listed(request))

    def titles(self) -> dict[str, Any]:
        """What a page needs of `each_context` when it must cost nothing."""
        return {"site_title": self.site_title, "site_header": self.site_header}

    def autocomplete_view(self, request: HttpRequest) -> HttpResponse:
        """Only for the fields that some form completes: Django takes every relation of every model."""
        model, field = (request.GET.get(name, "") for name in ("model_name", "field_name"))
        for known, admin in self._registry.items():
            named = (known._meta.app_label, known._meta.model_name) == (request.GET.get("app_label"), model.lower())
            if named and field in admin.get_autocomplete_fields(request):
                return super().autocomplete_view(request)
        raise PermissionDenied
