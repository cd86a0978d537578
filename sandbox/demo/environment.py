"""What the processes are told: the sandbox, and everything that the expectations rest on."""

import os
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from sandbox.demo.log_search import basic_credentials
from sandbox.demo.mail.scenario import MAX_REPORT_RETRIES, MAX_RETRIES, TIME_LIMIT_SECONDS
from sandbox.services.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Pace:
    """`scale` shortens the delays between attempts; `pause` (seconds) separates steps and scenes, for those who watch.

    `lease_margin` (seconds) is a part of how long a message of a killed worker waits for the next one.
    """

    scale: float
    pause: float
    lease_margin: int


NORMAL = Pace(scale=1.0, pause=0.25, lease_margin=10)
FAST = Pace(scale=0.2, pause=0.0, lease_margin=2)

# Long enough for a busy machine, short enough for those who watch a provider that stays silent.
PROVIDER_SECONDS = "1.5"


def played_environment(sandbox: Sandbox, *, port: int) -> dict[str, str]:
    """The environment of every process of ours where we play everybody else, with the API on `port`."""
    return {
        **os.environ,
        **sandbox.environment,
        "DJANGO_SETTINGS_MODULE": "balansity.settings",
        "PYTHONUNBUFFERED": "1",
        "LOG_LEVEL": "info",
        "API_PORT": str(port),
        "API_BASE_URL": f"http://127.0.0.1:{port}",
        # Nobody is told of what goes wrong on purpose, and staff refund without an app.
        "STAFF_DIGEST_TO": "",
        "STAFF_2FA": "optional",
        # We play the proxy in front of it, which tells where a notification comes from.
        "TRUSTED_PROXIES": "127.0.0.1",
        "YUKASSA_NOTIFICATION_NETWORKS": "",
        "APPOINTMENT_SLOT_CAPACITY": "1",
    }


def demo_environment(sandbox: Sandbox, pace: Pace, *, port: int) -> dict[str, str]:
    return {
        **played_environment(sandbox, port=port),
        "YUKASSA_READ_TIMEOUT": PROVIDER_SECONDS,
        "MAX_EMAIL_RETRY_ATTEMPTS": str(MAX_RETRIES),
        "MAX_PAYMENT_RETRY_ATTEMPTS": str(MAX_RETRIES),
        "MAX_REPORT_RETRY_ATTEMPTS": str(MAX_REPORT_RETRIES),
        "EMAIL_TASK_TIME_LIMIT": str(TIME_LIMIT_SECONDS),
        "BRIDGE_DELAY_SCALE": str(pace.scale),
        "BRIDGE_LEASE_MARGIN": str(pace.lease_margin),
    }


def secrets_in(environment: dict[str, str]) -> dict[str, str]:
    """What no log may hold, by what it is."""
    shop_id, secret_key = environment["YUKASSA_SHOP_ID"], environment["YUKASSA_SECRET_KEY"]
    found = {
        "the shop's secret key": secret_key,
        "the shop's id and key, encoded": basic_credentials(shop_id, secret_key),
        "Supabase's JWT secret": environment["SUPABASE_JWT_SECRET"],
        "Supabase's service key": environment["SUPABASE_SERVICE_ROLE_KEY"],
        "the database's password": urlsplit(environment["DATABASE_URL"]).password,
        "the broker's password": urlsplit(environment["REDIS_URL"]).password,
    }
    # Servers that were there before us may let everybody in.
    return {what: unquote(secret) for what, secret in found.items() if secret}
