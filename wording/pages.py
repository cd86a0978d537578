"""A page for a family that came for something else: what is the matter, the way on, and whom to ask."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.templatetags.static import static

from wording.brand import BRAND, SERVICE
from wording.contact import read_contact

STYLE = "wording/page.css"
# The address of the page may hold what opens a report: it is told to nobody, not even to the page that is next.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


def would_rather(request: HttpRequest, kind: str, *others: str) -> bool:
    """Whether somebody would rather have that kind of answer than the others: with equal wishes the others are taken.

    Django raises for an `Accept` that nobody can read, and it is asked here when the refusal of that is on its way.
    """
    try:
        return request.get_preferred_type([*others, kind]) == kind
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Way:
    """A link on the page. An empty address is the page itself: to try again."""

    label: str
    address: str


def family_page(title: str, lines: Sequence[str], ways: Sequence[Way]) -> str:
    """The HTML, in the language of the texts; the first of the ways is the button. It asks no database."""
    context = {
        "title": title,
        "lines": lines,
        "ways": ways,
        "contact": read_contact(settings.SUPPORT_CONTACT),
        "brand": BRAND,
        "service": SERVICE,
        "style": _style(),
    }
    return render_to_string("wording/page.html", context)


def _style() -> str:
    try:
        return static(STYLE)
    except ValueError:
        # `collectstatic` has not run since the file is there. The page says what it says without it, too.
        return ""
