"""What browsers and robots ask each address for without having been told of it, and where its bare name leads."""

from functools import cache
from pathlib import Path

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_safe

import staff

_ICON = Path(str(staff.__file__)).parent / "static" / "staff" / "favicon.ico"
_A_DAY = "public, max-age=86400"


@require_safe
def to_admin(request: HttpRequest) -> HttpResponse:
    """`/`: families have the site, so whoever types this name is one of the staff."""
    return HttpResponseRedirect(reverse("admin:index"))


@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_icon(), content_type="image/x-icon", headers={"Cache-Control": _A_DAY})


@require_safe
def robots(request: HttpRequest) -> HttpResponse:
    """Nothing here is for a search engine."""
    return HttpResponse("User-agent: *\nDisallow: /\n", content_type="text/plain", headers={"Cache-Control": _A_DAY})


@cache
def _icon() -> bytes:
    return _ICON.read_bytes()
