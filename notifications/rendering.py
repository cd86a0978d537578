"""Turns a request into the mail as it goes out: HTML and a text alternative, from the templates of this package."""

from dataclasses import dataclass

from django.conf import settings
from django.template.loader import render_to_string

from notifications.catalogue import Content


@dataclass(frozen=True, slots=True)
class RenderedEmail:
    html: str
    text: str


@dataclass(frozen=True, slots=True)
class Links:
    """Pages of the front end that mails lead to."""

    home: str
    cabinet: str
    appointments: str
    checkups: str


def render_email(template: str, content: Content) -> RenderedEmail:
    """Render a template of the catalogue. HTML escapes every value; the text carries them as they are."""
    context = {"content": content, "links": _links(settings.FRONTEND_URL)}
    return RenderedEmail(
        html=render_to_string(f"notifications/email/{template}.html", context),
        text=render_to_string(f"notifications/email/{template}.txt", context).strip() + "\n",
    )


def _links(home: str) -> Links:
    base = home.rstrip("/")
    return Links(
        home=base,
        cabinet=f"{base}/cabinet",
        appointments=f"{base}/appointments",
        checkups=f"{base}/checkup-history",
    )
