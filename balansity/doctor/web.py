"""The public address, asked as a browser or YooKassa would: proves DNS, the proxy, its certificate and the path."""

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from balansity.health import SERVICE
from balansity.settings.private_address import is_private_host
from bridge.diagnosis import Finding, clock_findings, error, warning

SECONDS = 3.0


def look_at_address() -> Iterator[Finding]:
    """Nothing in a sandbox, or where `variables` has told that no public address is set."""
    url = settings.API_BASE_URL.rstrip("/")
    host = urlsplit(url).hostname or ""
    if settings.SANDBOX or is_private_host(host):
        return
    if not url.startswith("https://"):
        cause = _(
            "API_BASE_URL is http://: logins of staff and YooKassa's notifications cross the internet unencrypted."
        )
        yield warning(
            "address.without_tls", cause, _("Put a proxy with TLS in front (docs/proxy.md) and write https://.")
        )
    try:
        socket.getaddrinfo(host, None)
    except socket.gaierror:
        cause = _("The host of API_BASE_URL, %(host)s, is not known to DNS: neither customers nor YooKassa find it.")
        yield error("address.unknown", cause, _("Add it to DNS, or correct API_BASE_URL."), host=host)
    else:
        yield from _ask_health(f"{url}/health", host)


def _ask_health(url: str, host: str) -> Iterator[Finding]:
    try:
        answer = requests.get(url, timeout=SECONDS, allow_redirects=False, headers={"Accept": "application/json"})
    except requests.exceptions.SSLError as trouble:
        cause = _("The certificate of %(host)s is not valid: %(said)s")
        yield error("address.certificate", cause, _("Renew it, with the whole chain."), host=host, said=_why(trouble))
        return
    except requests.RequestException as trouble:
        cause = _("API_BASE_URL does not answer from here: %(said)s")
        remedy = _("See that the proxy runs and is reached from outside; some networks do not reach their own address.")
        yield warning("address.unreachable", cause, remedy, said=type(trouble).__name__)
        return
    yield from clock_findings(host, answer.headers.get("Date"))
    if answer.status_code in (502, 503, 504):
        cause = _("The proxy at API_BASE_URL does not reach the web process (%(status)s).")
        remedy = _("Start it (gunicorn), and let the proxy pass to API_HOST and API_PORT.")
        yield error("address.no_web", cause, remedy, status=answer.status_code)
    elif not _is_ours(answer):
        cause = _("%(url)s is answered by something else than this service (%(status)s).")
        remedy = _("Let the proxy pass the whole path to it, and API_BASE_URL have the path that the proxy takes away.")
        yield error("address.not_us", cause, remedy, url=url, status=answer.status_code)


def _is_ours(answer: requests.Response) -> bool:
    try:
        body = answer.json()
    except ValueError:
        return False
    return answer.status_code == 200 and isinstance(body, dict) and body.get("service") == SERVICE


def _why(trouble: Exception) -> str:
    """The sentence of OpenSSL in what three libraries have wrapped around it."""
    text = str(trouble)
    return text[text.find("certificate") :].partition(" (_ssl")[0] if "certificate" in text else type(trouble).__name__
