"""The way in: who has given the right password waits here for the code, and has no session of the admin until then."""

import time
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model, load_backend, login, logout
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.crypto import constant_time_compare

from staff.second_factor import MARK, is_needed

# What the session knows in between: who, when the password was right, where to go then; and the secret of an app that
# is being set up. It is kept by the session and not by the account: another browser must not get to see it.
WAITING, KEY = "second_factor_waiting", "second_factor_key"
SECONDS = 600


@dataclass(frozen=True, slots=True)
class Waiting:
    """Somebody whose password was right."""

    user: Any
    address: str


class PasswordView(LoginView):
    """Django's login, which ends here for whoever needs a second factor."""

    def get_default_redirect_url(self) -> str:
        """Where whoever wanted to go elsewhere ends up."""
        return reverse("admin:index")

    def form_valid(self, form: Any) -> HttpResponse:
        user = form.get_user()
        if not is_needed(user):
            return super().form_valid(form)
        let_wait(self.request, user, self.get_success_url())
        return HttpResponseRedirect(reverse("admin:second_factor_code"))


def let_wait(request: HttpRequest, user: Any, address: str) -> None:
    """Remember whose password was right, in a session that is nobody's and has another number than before."""
    logout(request)
    request.session[WAITING] = {
        "user": user.pk,
        "hash": user.get_session_auth_hash(),
        "backend": user.backend,
        "at": time.time(),
        "next": address,
    }


def who_waits(request: HttpRequest) -> Waiting | None:
    """Whoever gave the right password in this browser some minutes ago, and may still come in."""
    noted = request.session.get(WAITING)
    if not noted or not 0 <= time.time() - noted["at"] <= SECONDS:
        return None
    user = get_user_model()._default_manager.filter(pk=noted["user"], is_active=True, is_staff=True).first()
    # Not if the password was changed since.
    if user is None or not constant_time_compare(noted["hash"], user.get_session_auth_hash()):
        return None
    load_backend(noted["backend"])
    user.backend = noted["backend"]
    return Waiting(user, noted["next"])


def is_late(request: HttpRequest) -> bool:
    """Whether somebody waited and may not any more; they read so once."""
    return request.session.pop(WAITING, None) is not None


def let_in(request: HttpRequest, user: Any, device: int) -> None:
    """Begin the session of somebody who waited, or note in the one that there is that a code was given just now."""
    if request.session.pop(WAITING, None) is not None:
        login(request, user, user.backend)
    else:
        request.session.cycle_key()
    request.session.pop(KEY, None)
    request.session[MARK] = {"device": device, "at": time.time()}
