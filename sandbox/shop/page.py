"""The page itself. Everything on it happens in `static/shop/*.js`."""

import os
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from sandbox.shop.window import families
from wording.addresses import breakable_address

# Where `sandbox.services.sandbox` says that its pages are.
MAILS, YOOKASSA = "SANDBOX_MAIL_URL", "SANDBOX_YOOKASSA_URL"


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    addresses = {
        "widget": settings.YUKASSA_WIDGET_URL,
        "mails": os.environ.get(MAILS, ""),
        "yookassa": os.environ.get(YOOKASSA, ""),
    }
    shown = [(family, breakable_address(family.email)) for family in families()]
    response = render(request, "shop/shop.html", {"families": shown, "addresses": addresses})
    response.headers["Content-Security-Policy"] = _policy(settings.YUKASSA_WIDGET_URL)
    response.headers["Cache-Control"] = "no-store"
    return response


def _policy(widget: str) -> str:
    parts = urlsplit(widget)
    provider = f"{parts.scheme}://{parts.netloc}"
    return (
        f"default-src 'none'; script-src 'self' {provider}; frame-src {provider}; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
