"""What was said of the variables when they were read, and what Django and our packages say of the code."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from balansity.settings.private_address import is_private_host
from bridge.diagnosis import Finding, error, warning

_NAME = re.compile(r"[A-Z][A-Z0-9_]+")


def look_at_variables() -> Iterator[Finding]:
    """The warnings of the start, each by the variable that it begins with, and addresses that nobody else reaches."""
    warned = set()
    for line in settings.START_WARNINGS:
        found = _NAME.search(line)
        name = found[0] if found else "variables"
        warned.add(name)
        # It names the variable and what to do. In Russian, a word in front says where it comes from.
        cause = pgettext_lazy("said at the start", "%(line)s")
        yield warning(f"variables.{name.lower()}", cause, name=name, line=line)
    for name in ("API_BASE_URL", "FRONTEND_URL"):
        if not settings.SANDBOX and name not in warned and is_private_host(_host(getattr(settings, name))):
            cause = _("%(name)s names this machine or one beside it: links lead nowhere, and browsers are refused.")
            yield error(f"variables.{name.lower()}", cause, _("Set it to the public address."), name=name)


def look_at_code() -> Iterator[Finding]:
    """Django's own checks and those of our packages: mails without a template, libraries that are missing."""
    for message in checks.run_checks():
        if message.level >= checks.WARNING:
            said = {"said": message.msg, "advice": message.hint or ""}
            yield Finding(message.level, str(message.id or "code"), "%(said)s", "%(advice)s", **said)


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""
