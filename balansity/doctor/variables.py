"""What was said of the variables when they were read, and what only shows when they are compared with each other."""

from collections.abc import Iterator

from django.conf import settings
from django.core import checks
from django.http.request import validate_host
from django.utils.translation import gettext_lazy as _

from balansity.settings.private_address import is_private_host
from bridge.diagnosis import Finding, error, one_line, warning

# 32 hexadecimal digits have 13 or more of them nearly always.
_LEAST_LETTERS = 10
_PLACEHOLDERS = ("change", "secret", "placeholder", "django-insecure", "example", "password")


def look_at_variables() -> Iterator[Finding]:
    for line in settings.START_WARNINGS:
        yield warning("variables.warning", "%(line)s.", line=one_line(line).rstrip("."))
    key = settings.SECRET_KEY
    if not settings.SANDBOX and (len(set(key)) < _LEAST_LETTERS or key.lower().startswith(_PLACEHOLDERS)):
        cause = _("SECRET_KEY can be guessed, and with it the session of an administrator.")
        yield error("variables.weak_secret_key", cause, _("Put 50 random characters there; everybody logs in again."))
    for name in ("API_BASE_URL", "FRONTEND_URL"):
        if any(sign in getattr(settings, name) for sign in ", \t;"):
            cause = _("%(name)s names several addresses, and only one is meant.")
            yield error("variables.several_addresses", cause, _("Leave one of them there."), name=name)
        elif not settings.SANDBOX and _is_local(getattr(settings, name)):
            cause = _("%(name)s is not set, or names this machine: links lead nowhere, and browsers are refused.")
            yield error("variables.local_address", cause, _("Set it to the public address."), name=name)
    if not validate_host(_host(settings.API_BASE_URL), settings.ALLOWED_HOSTS):
        cause = _("ALLOWED_HOSTS does not have the host of API_BASE_URL, so every call is refused.")
        yield error("variables.allowed_hosts", cause, _("Put %(host)s there."), host=_host(settings.API_BASE_URL))
    if settings.API_BASE_URL.startswith("https://") and not settings.TRUSTED_PROXIES and not settings.SANDBOX:
        cause = _(
            "TRUSTED_PROXIES is empty: every client counts as the proxy, and YooKassa's notifications are refused."
        )
        remedy = _("Put the proxy's address there (docs/proxy.md), like 127.0.0.1,::1 or 172.16.0.0/12.")
        yield error("variables.no_trusted_proxies", cause, remedy)


def look_at_code() -> Iterator[Finding]:
    """Django's own checks and those of our packages: mails without a template, libraries that are missing."""
    for message in checks.run_checks():
        if message.level >= checks.WARNING:
            said = {"said": message.msg, "advice": message.hint or ""}
            yield Finding(message.level, str(message.id or "code"), "%(said)s", "%(advice)s", **said)


def _is_local(url: str) -> bool:
    return is_private_host(_host(url))


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2].partition(":")[0].lower()
