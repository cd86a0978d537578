"""Supabase: that our key is of the right role, and that tokens of customers can be told from made-up ones."""

from collections.abc import Iterator

import requests
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from bridge.diagnosis import Finding, clock_findings, error, warning
from reports.doctor import SERVICE_ROLE, role_of

SECONDS = 3.0
_KEYS = "/auth/v1/.well-known/jwks.json"


def look_at_supabase() -> Iterator[Finding]:
    key, url = settings.SUPABASE_SERVICE_ROLE_KEY, settings.SUPABASE_URL
    if key and (role := role_of(key)) != SERVICE_ROLE:
        cause = _("SUPABASE_SERVICE_ROLE_KEY is a key of the role %(role)s, which may read no report and no user.")
        remedy = _("Copy the key named service_role (or a secret key) from Supabase's settings.")
        yield error("supabase.key_role", cause, remedy, role=role)
    if url:
        yield from _look_at_keys(url, key)
    elif not settings.SUPABASE_JWT_SECRET:
        cause = _("Neither SUPABASE_URL nor SUPABASE_JWT_SECRET is set, so every customer is refused.")
        yield error("supabase.not_set_up", cause, _("Copy both from the Supabase of the front end."))
    elif not settings.SANDBOX:
        cause = _("SUPABASE_URL is not set: sessions are not checked, and reports lie on this machine.")
        yield warning("supabase.no_url", cause, _("Set SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY."))


def _look_at_keys(url: str, key: str) -> Iterator[Finding]:
    """Asked with our key, as gateways want it. With a secret of ours the public keys are not needed."""
    try:
        headers = {"apikey": key} if key else {}
        answer = requests.get(f"{url}{_KEYS}", headers=headers, timeout=SECONDS, allow_redirects=False)
    except requests.RequestException as trouble:
        cause = _("SUPABASE_URL does not answer: %(said)s")
        remedy = _("Check SUPABASE_URL, and the way to it (DNS, firewall, proxy).")
        yield error("supabase.unreachable", cause, remedy, said=type(trouble).__name__)
        return
    yield from clock_findings("Supabase", answer.headers.get("Date"))
    if settings.SUPABASE_JWT_SECRET:
        return
    if answer.status_code in (401, 403):
        cause = _("The gateway in front of Supabase refuses our key (%(status)s).")
        remedy = _("Check SUPABASE_SERVICE_ROLE_KEY: the service_role or secret key of the project of SUPABASE_URL.")
        yield error("supabase.key_refused", cause, remedy, status=answer.status_code)
    elif not _has_keys(answer):
        cause = _("SUPABASE_URL has no signing keys (%(status)s), and SUPABASE_JWT_SECRET is not set.")
        remedy = _("Set SUPABASE_JWT_SECRET to the JWT_SECRET of Supabase; check that SUPABASE_URL is its address.")
        yield error("supabase.no_signing_keys", cause, remedy, status=answer.status_code)


def _has_keys(answer: requests.Response) -> bool:
    try:
        body = answer.json()
    except ValueError:
        return False
    return answer.status_code == 200 and isinstance(body, dict) and bool(body.get("keys"))
