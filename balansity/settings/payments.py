"""Settings of the payments: YooKassa's account, receipts, and who may send its notifications."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import urlsplit

from balansity.settings.environment import SANDBOX, env

_YOOKASSA_API = "https://api.yookassa.ru/v3"
_YOOKASSA_WIDGET = "https://yookassa.ru/checkout-widget/v1/checkout-widget.js"
# https://yookassa.ru/developers/using-api/webhooks: where notifications come from.
_YOOKASSA_ADDRESSES = (
    "185.71.76.0/27",
    "185.71.77.0/27",
    "77.75.153.0/25",
    "77.75.154.128/25",
    "77.75.156.11",
    "77.75.156.35",
    "2a02:5180::/32",
)
_OUR_ADDRESSES = ("127.0.0.0/8", "::1")


def _api_url() -> str:
    url = env.web_address("YUKASSA_API_URL", _YOOKASSA_API)
    if url != _YOOKASSA_API and not SANDBOX:
        env.problem("YUKASSA_API_URL is for the sandbox: remove it in production")
    return url


def _may_use_account() -> bool:
    """Whether the account is for the provider of this address: no sandbox talks to the real one.

    That is no problem to report: most commands of the sandbox never talk to the provider.
    """
    return not SANDBOX or urlsplit(YUKASSA_API_URL).hostname in ("127.0.0.1", "localhost", "::1")


def _networks(default: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    networks = []
    for word in env.words("YUKASSA_NOTIFICATION_NETWORKS", default):
        try:
            networks.append(ip_network(word, strict=False))
        except ValueError:
            env.problem(
                "YUKASSA_NOTIFICATION_NETWORKS must be addresses or networks like 185.71.76.0/27, separated by commas, "
                f"not {word!r}"
            )
    return tuple(networks)


# Without an account the service starts all the same: mail and reports go on, payments say they are not set up.
if bool(env.text("YUKASSA_SHOP_ID")) != bool(env.text("YUKASSA_SECRET_KEY")):
    env.problem("YUKASSA_SHOP_ID and YUKASSA_SECRET_KEY belong together: set both, or neither")
YUKASSA_API_URL = _api_url()
YUKASSA_SHOP_ID = env.key("YUKASSA_SHOP_ID") if _may_use_account() else ""
YUKASSA_SECRET_KEY = env.key("YUKASSA_SECRET_KEY") if _may_use_account() else ""
YUKASSA_WIDGET_URL = env.web_address("YUKASSA_WIDGET_URL", _YOOKASSA_WIDGET, with_query=True)
YUKASSA_CONNECT_TIMEOUT = env.number("YUKASSA_CONNECT_TIMEOUT", 5.0, least=0.05, most=60)
YUKASSA_READ_TIMEOUT = env.number("YUKASSA_READ_TIMEOUT", 15.0, least=0.05, most=60)
# How long after a question about a payment the next one may follow; 0: at once.
YUKASSA_ASK_PAUSE_SECONDS = env.number("YUKASSA_ASK_PAUSE_SECONDS", 5.0, least=0, most=60)
YUKASSA_NOTIFICATION_NETWORKS = _networks((*_YOOKASSA_ADDRESSES, *(_OUR_ADDRESSES if SANDBOX else ())))
# On receipts, by the numbers that YooKassa gives them.
# Whether somebody has chosen: that there is no VAT is a guess otherwise.
YUKASSA_VAT_CODE_GIVEN = bool(env.text("YUKASSA_VAT_CODE"))
YUKASSA_VAT_CODE = env.integer("YUKASSA_VAT_CODE", 1, least=1, most=12)
YUKASSA_TAX_SYSTEM_CODE = env.integer("YUKASSA_TAX_SYSTEM_CODE", 0, most=6) or None
# How long a paid consultation waits for the row that the front end inserts itself; 0: not at all.
APPOINTMENT_WAIT_SECONDS = env.integer("APPOINTMENT_WAIT_SECONDS", 90, most=900)
# How many consultations of one kind may start at the same time.
APPOINTMENT_SLOT_CAPACITY = env.integer("APPOINTMENT_SLOT_CAPACITY", 1, least=1, most=1000)
PAYMENT_TASK_TIME_LIMIT = env.integer("PAYMENT_TASK_TIME_LIMIT", 60, least=1, most=3600)
MAX_PAYMENT_RETRY_ATTEMPTS = env.integer("MAX_PAYMENT_RETRY_ATTEMPTS", 5, most=100)
