"""The second factors of other people's accounts: who has one, who lacks one, and taking one away from who lost it."""

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin import SimpleListFilter
from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from django_otp.plugins.otp_totp.models import TOTPDevice

from balansity.door.audit import address_of, note_reset
from balansity.second_factor import devices
from staff.badges import yes_or_no
from staff.pages import staff_page, staff_urls
from staff.refusals import forbidden
from staff.second_factor import OFF, REQUIRED, confirmed_act

_HAS_ONE = Exists(TOTPDevice.objects.filter(user_id=OuterRef("pk"), confirmed=True))
HAS, MISSING = "has", "missing"


def staff_without_one() -> QuerySet[User]:
    """Who may log in to the admin with a password alone."""
    return User.objects.filter(~_HAS_ONE, is_active=True, is_staff=True)


class SecondFactorFilter(SimpleListFilter):
    title = gettext_lazy("second factor")
    parameter_name = "second_factor"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(HAS, pgettext("second factor", "set up")), (MISSING, pgettext("second factor", "missing"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == HAS:
            return queryset.filter(_HAS_ONE)
        return queryset.filter(~_HAS_ONE) if self.value() == MISSING else queryset


class SecondFactorOfAccounts(admin.ModelAdmin):  # type: ignore[type-arg] # Not generic at run time.
    """What the admin of accounts knows of them."""

    def get_urls(self) -> list[URLPattern]:
        return [*staff_urls(self), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        accounts: QuerySet[Any] = super().get_queryset(request).annotate(has_second_factor=_HAS_ONE)
        return accounts

    @admin.display(description=gettext_lazy("second factor"), ordering="has_second_factor")
    def second_factor(self, account: Any) -> SafeString:
        return yes_or_no(account.has_second_factor)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        account = self.get_object(request, object_id)
        can = account is not None and account.has_second_factor and self._may_reset(request, account)
        return super().change_view(request, object_id, form_url, {"can_reset": can, **(extra_context or {})})

    @staff_page("<int:pk>/second-factor/", may="change", methods=("GET", "POST"))
    @confirmed_act
    def reset_second_factor_view(self, request: HttpRequest, account: Any) -> HttpResponse:
        """Take it away from somebody who lost phone and recovery codes: they set up another one."""
        if account.pk == request.user.pk:
            return HttpResponseRedirect(reverse("admin:second_factor"))
        if not self._may_reset(request, account):
            return forbidden(request)
        back = HttpResponseRedirect(reverse("admin:auth_user_change", args=[account.pk]))
        if not account.has_second_factor:
            messages.info(request, _("This account has no second factor."))
            return back
        if request.method == "POST":
            devices.remove(account)
            note_reset(account, address_of(request), request.user.get_username())
            self.log_change(request, account, _("Second factor reset."))
            messages.success(
                request, _("The second factor is reset: the password alone counts until a new one is set up.")
            )
            return back
        title = _("Reset the second factor of %(name)s") % {"name": account.get_full_name() or account.get_username()}
        context = {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media, "title": title}
        context |= {
            "row": account,
            "confirm": pgettext("second factor", "Reset"),
            "required": settings.STAFF_2FA == REQUIRED,
        }
        return TemplateResponse(request, "admin/second_factor/reset.html", context)

    def _may_reset(self, request: HttpRequest, account: Any) -> bool:
        others = account.pk != request.user.pk and settings.STAFF_2FA != OFF
        return others and self.has_change_permission(request, account)
