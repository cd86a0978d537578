"""Settings of the payments: YooKassa's account, receipts, and who may send its notifications."""

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from balansity.env import EnvReader

YOOKASSA_API = "https://api.yookassa.ru/v3"
YOOKASSA_WIDGET = "https://yookassa.ru/checkout-widget/v1/checkout-widget.js"
# https://yookassa.ru/developers/using-api/webhooks: where notifications come from.
YOOKASSA_ADDRESSES = (
    "185.71.76.0/27",
    "185.71.77.0/27",
    "77.75.153.0/25",
    "77.75.154.128/25",
    "77.75.156.11",
    "77.75.156.35",
    "2a02:5180::/32",
)
VAT_CODES = (1, 12)
TAX_SYSTEM_CODES = (1, 6)


def payment_settings(env: EnvReader, *, sandbox: bool) -> dict[str, Any]:
    """Return the settings of `payments`. Problems go to `env`.

    Without an account the service starts all the same: mail and reports go on, payments say they are not set up.
    """
    shop_id, secret_key = env.text("YUKASSA_SHOP_ID"), env.text("YUKASSA_SECRET_KEY")
    if bool(shop_id) != bool(secret_key):
        env.problem("YUKASSA_SHOP_ID and YUKASSA_SECRET_KEY belong together: set both, or neither")
    api_url = env.url("YUKASSA_API_URL", YOOKASSA_API, ("http", "https")).rstrip("/")
    if api_url != YOOKASSA_API and not sandbox:
        env.problem("YUKASSA_API_URL is for the sandbox: remove it in production")
    if sandbox and urlsplit(api_url).hostname not in ("127.0.0.1", "localhost", "::1"):
        # Not a problem to report: most commands of the sandbox never talk to the provider.
        shop_id = secret_key = ""
    tax_system = env.integer("YUKASSA_TAX_SYSTEM_CODE", 0, most=TAX_SYSTEM_CODES[1])
    return {
        "YUKASSA_SHOP_ID": shop_id,
        "YUKASSA_SECRET_KEY": secret_key,
        "YUKASSA_API_URL": api_url,
        "YUKASSA_WIDGET_URL": env.url("YUKASSA_WIDGET_URL", YOOKASSA_WIDGET, ("http", "https")),
        "YUKASSA_VAT_CODE": env.integer("YUKASSA_VAT_CODE", 1, least=VAT_CODES[0], most=VAT_CODES[1]),
        "YUKASSA_TAX_SYSTEM_CODE": tax_system or None,
        "YUKASSA_CONNECT_TIMEOUT": env.number("YUKASSA_CONNECT_TIMEOUT", 5.0, least=0.05, most=60),
        "YUKASSA_READ_TIMEOUT": env.number("YUKASSA_READ_TIMEOUT", 15.0, least=0.05, most=60),
        "YUKASSA_NOTIFICATION_NETWORKS": _networks(
            env, "YUKASSA_NOTIFICATION_NETWORKS", (*YOOKASSA_ADDRESSES, *(("127.0.0.0/8", "::1") if sandbox else ()))
        ),
        "PAYMENT_TASK_TIME_LIMIT": env.integer("PAYMENT_TASK_TIME_LIMIT", 60, least=1, most=3600),
        # How long a paid consultation waits for the row that the front end inserts itself; 0: not at all.
        "APPOINTMENT_WAIT_SECONDS": env.integer("APPOINTMENT_WAIT_SECONDS", 90, most=900),
        # How many consultations of one kind may start at the same time.
        "APPOINTMENT_SLOT_CAPACITY": env.integer("APPOINTMENT_SLOT_CAPACITY", 1, least=1, most=1000),
    }


def _networks(
    env: EnvReader, name: str, default: tuple[str, ...]
) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    networks = []
    for word in env.words(name, default):
        try:
            networks.append(ipaddress.ip_network(word, strict=False))
        except ValueError:
            env.problem(f"{name} must be addresses or networks like 185.71.76.0/27, separated by commas, not {word!r}")
    return tuple(networks)
