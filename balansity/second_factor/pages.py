"""The pages of the second factor: the question for a code, setting up, the recovery codes, and one's own page of it.

None is kept by a browser, and each one that checks a code or a password goes through the door of the admin.
"""

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.hashers import check_password
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django_otp.plugins.otp_totp.models import default_key

from balansity.door.audit import note_wrong_code
from balansity.door.guard import through_the_door
from balansity.second_factor import devices, recovery
from balansity.second_factor.drawing import address_of, picture_of, secret_of
from balansity.second_factor.entrance import KEY, is_late, let_in, who_waits
from balansity.second_factor.forms import CodeForm, SetUpForm
from staff.formats import moment
from staff.second_factor import MARK, OFF, REQUIRED

_FOLDER = "admin/second_factor"
_private = method_decorator((never_cache, sensitive_post_parameters()))


class SecondFactorPages:
    """`titles` is what a page needs of the site for somebody who has no session yet."""

    def __init__(self, site: AdminSite, titles: Mapping[str, Any]) -> None:
        self._site, self._titles = site, titles

    def urls(self) -> list[URLPattern]:
        inside = self._site.admin_view
        return [
            # For whoever waits at the door as well, so they see themselves who comes.
            path("second-factor/code/", self.question, name="second_factor_code"),
            path("second-factor/set-up/", self.set_up, name="second_factor_set_up"),
            path("second-factor/", inside(self.mine), name="second_factor"),
            path("second-factor/codes/", inside(self.new_codes), name="second_factor_codes"),
            path("second-factor/off/", inside(self.switch_off), name="second_factor_off"),
        ]

    @_private
    def question(self, request: HttpRequest) -> HttpResponse:
        """Ask for a code: at the login, or before something of weight. Then to the page that was wanted."""
        user, address = self._who(request)
        if user is None:
            return self._to_login(request, address)
        if settings.STAFF_2FA == OFF:
            return HttpResponseRedirect(address)
        if devices.device_of(user) is None:
            return HttpResponseRedirect(reverse("admin:second_factor_set_up"))
        on_paper = "recovery" in request.GET
        if request.method != "POST":
            return self._ask(request, CodeForm(on_paper=on_paper), address)
        form = CodeForm(request.POST, on_paper=on_paper)

        def check() -> HttpResponse:
            if form.is_valid() and (device := self._take_code(request, user, form, "code")):
                let_in(request, user, device)
                return HttpResponseRedirect(address)
            return self._ask(request, form, address)

        return self._through_the_door(request, user, check)

    @_private
    def set_up(self, request: HttpRequest) -> HttpResponse:
        """Set an app up, or another in its place; then show the recovery codes, this once."""
        user, address = self._who(request)
        if user is None:
            return self._to_login(request, address)
        if settings.STAFF_2FA == OFF:
            return HttpResponseRedirect(address)
        waits, has_one = not request.user.is_authenticated, devices.device_of(user) is not None
        if waits and has_one:
            # Who has one gives its code, and does not make another.
            return HttpResponseRedirect(reverse("admin:second_factor_code"))
        asks = {"asks_code": has_one, "asks_password": not waits and not has_one}
        key = request.session.setdefault(KEY, default_key())
        if request.method != "POST":
            return self._show_set_up(request, user, key, SetUpForm(**asks), address)
        form = SetUpForm(request.POST, **asks)

        def check() -> HttpResponse:
            if not form.is_valid() or not self._may_set_up(request, user, key, form):
                return self._show_set_up(request, user, key, form, address)
            done = devices.set_up(user, key, form.cleaned_data["code"])
            if done is None:
                form.add_error("code", _wrong())
                return self._show_set_up(request, user, key, form, address)
            device, codes = done
            let_in(request, user, device)
            _log(user, _("Second factor replaced.") if has_one else _("Second factor set up."))
            return self._show_codes(request, codes, address)

        return self._through_the_door(request, user, check, hashes=asks["asks_password"])

    @_private
    def mine(self, request: HttpRequest) -> HttpResponse:
        """How one's own second factor stands, and what can be done about it."""
        left, device = recovery.left(request.user), devices.device_of(request.user)
        context = {
            "device": device,
            "since": moment(device.created_at) if device else "",
            "last": moment(device.last_used_at) if device else "",
            "left": left,
            "left_text": _codes_left(left),
            "few": left <= recovery.FEW,
            "required": settings.STAFF_2FA == REQUIRED,
            "off": settings.STAFF_2FA == OFF,
        }
        return self._page(request, "mine", _("Second factor"), **context)

    @_private
    def new_codes(self, request: HttpRequest) -> HttpResponse:
        """New recovery codes in place of those of before, for a code."""

        def act() -> HttpResponse:
            codes = recovery.make(request.user)
            _log(request.user, _("New recovery codes of the second factor made."))
            return self._show_codes(request, codes, reverse("admin:second_factor"))

        warning = _("The recovery codes that you have now stop counting.")
        return self._for_a_code(request, _("New recovery codes"), warning, _("Make new codes"), act)

    @_private
    def switch_off(self, request: HttpRequest) -> HttpResponse:
        """Switch one's own second factor off, for a code, where nobody has to have one."""
        if settings.STAFF_2FA == REQUIRED:
            messages.error(request, _("A second factor is required here: it can be replaced, not switched off."))
            return HttpResponseRedirect(reverse("admin:second_factor"))

        def act() -> HttpResponse:
            devices.remove(request.user)
            request.session.pop(MARK, None)
            _log(request.user, _("Second factor switched off."))
            messages.success(request, _("Your second factor is switched off."))
            return HttpResponseRedirect(reverse("admin:second_factor"))

        warning = _("After this your password alone lets in whoever knows it. The recovery codes stop counting.")
        return self._for_a_code(
            request, _("Switch the second factor off"), warning, pgettext("second factor", "Switch off"), act
        )

    def _for_a_code(
        self, request: HttpRequest, title: str, warning: str, confirm: str, act: Callable[[], HttpResponse]
    ) -> HttpResponse:
        if devices.device_of(request.user) is None or settings.STAFF_2FA == OFF:
            return HttpResponseRedirect(reverse("admin:second_factor"))
        form = CodeForm(request.POST if request.method == "POST" else None)
        page = {"form": form, "warning": warning, "confirm": confirm}

        def check() -> HttpResponse:
            if form.is_valid() and self._take_code(request, request.user, form, "code"):
                return act()
            return self._page(request, "asking", title, **page)

        if request.method == "POST":
            return self._through_the_door(request, request.user, check)
        return self._page(request, "asking", title, **page)

    def _who(self, request: HttpRequest) -> tuple[Any, str]:
        """Who is asked, nobody or somebody of the staff, and where they go then."""
        if self._site.has_permission(request):
            return request.user, self._wanted(request)
        waiting = who_waits(request)
        return (None, self._wanted(request)) if waiting is None else (waiting.user, waiting.address)

    def _wanted(self, request: HttpRequest) -> str:
        """A page of this site; the overview in place of anything else."""
        address = request.POST.get("next") or request.GET.get("next") or ""
        is_ours = url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure())
        return address if is_ours else reverse("admin:index")

    def _to_login(self, request: HttpRequest, address: str) -> HttpResponse:
        if is_late(request):
            messages.warning(request, _("The code came too late. Log in once more."))
        return redirect_to_login(address, reverse("admin:login"))

    def _take_code(self, request: HttpRequest, user: Any, form: Any, field: str) -> int | None:
        """The device that the code of this field is right for; what is wrong with it is said in the form."""
        checked = devices.check(user, form.cleaned_data[field])
        if checked.device is None:
            note_wrong_code(request, user)
            form.add_error(field, _wait(checked.seconds) if checked.seconds else _wrong())
        elif checked.by_recovery:
            _log(user, _("Recovery code of the second factor used."))
            messages.warning(request, _codes_left(recovery.left(user)))
        return checked.device

    def _may_set_up(self, request: HttpRequest, user: Any, key: str, form: SetUpForm) -> bool:
        """Whether the new app is right, and then whether it is the person: a code of the old app counts once."""
        if not devices.matches(key, form.cleaned_data["code"]):
            form.add_error("code", _wrong_clock())
            return False
        if "current" in form.fields:
            return self._take_code(request, user, form, "current") is not None
        if "password" in form.fields and not check_password(form.cleaned_data["password"], user.password):
            form.add_error("password", _("The password is wrong."))
            return False
        return True

    def _through_the_door(
        self, request: HttpRequest, user: Any, check: Callable[[], HttpResponse], *, hashes: bool = False
    ) -> HttpResponse:
        return through_the_door(request, user.get_username(), check, self._titles, hashes=hashes)

    def _ask(self, request: HttpRequest, form: CodeForm, address: str) -> HttpResponse:
        context = {"form": form, "next": address, "on_paper": "recovery" in request.GET}
        return self._alone(request, "question", _("Code of the second factor"), **context)

    def _show_set_up(self, request: HttpRequest, user: Any, key: str, form: SetUpForm, wanted: str) -> HttpResponse:
        address = address_of(user, key)
        picture = picture_of(address, _("Picture for the camera of the app"))
        context = {"form": form, "next": wanted, "picture": picture, "address": address, "secret": secret_of(key)}
        return self._alone(request, "set_up", _("Set up a second factor"), **context)

    def _show_codes(self, request: HttpRequest, codes: list[str], address: str) -> HttpResponse:
        shown = [recovery.grouped(code) for code in codes]
        return self._alone(request, "codes", _("Recovery codes"), codes=shown, address=address)

    def _alone(self, request: HttpRequest, template: str, title: str, **context: Any) -> HttpResponse:
        """A page in the looks of the login, with no way into the admin but its own."""
        shown = {**self._titles, "title": title, "wide": template != "question", **context}
        return TemplateResponse(request, f"{_FOLDER}/{template}.html", shown)

    def _page(self, request: HttpRequest, template: str, title: str, **context: Any) -> HttpResponse:
        shown = {**self._site.each_context(request), "title": title, **context}
        return TemplateResponse(request, f"{_FOLDER}/{template}.html", shown)


def _wrong() -> str:
    return _("This code is wrong or was used before. An app shows another one every 30 seconds.")


def _wrong_clock() -> str:
    return _(
        "This code does not fit. If it happens again: the clock of the phone is wrong, let it set its time by itself."
    )


def _wait(seconds: int) -> str:
    text = ngettext(
        "Too many wrong codes. Wait %(count)s second.", "Too many wrong codes. Wait %(count)s seconds.", seconds
    )
    return text % {"count": seconds}


def _codes_left(left: int) -> str:
    text = ngettext("%(count)s recovery code is left.", "%(count)s recovery codes are left.", left) % {"count": left}
    return text if left > recovery.FEW else " ".join((text, _("Make new ones on the page of your second factor.")))


def _log(user: Any, text: str) -> None:
    """Into the history of the account, which administrators see."""
    LogEntry.objects.log_actions(user.pk, [user], CHANGE, text, single_object=True)
