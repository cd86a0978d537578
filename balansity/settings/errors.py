"""The tracker that errors of ours are told to, if any."""

import re
from urllib.parse import urlsplit

from balansity.settings.environment import BALANSITY_ENV, env


def _dsn() -> str:
    """An address as trackers print it, `https://<key>@<host>/<number>`; nothing where it is none, and a line about it.

    No reason to stop: what is lost are reports about errors.
    """
    raw = env.text("SENTRY_DSN")
    try:
        parts = urlsplit(raw)
        is_one = parts.scheme in ("http", "https") and parts.username and parts.hostname and (parts.port or 1)
    except ValueError:
        is_one = False
    if raw and not (is_one and re.fullmatch(r"(/.*)?/\d+/?", urlsplit(raw).path)):
        env.warning("SENTRY_DSN is none, so no error is told: copy it whole, it looks like https://KEY@HOST/NUMBER")
        return ""
    return raw


SENTRY_DSN = _dsn()
SENTRY_ENVIRONMENT = env.text("SENTRY_ENVIRONMENT", BALANSITY_ENV)
SENTRY_RELEASE = env.text("SENTRY_RELEASE")
