"""The adapter as the settings describe it: the only place that knows the shop's id and key."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from django.conf import settings

from bridge.breaker import Verdict
from bridge.bulkhead import Crowded, waiting_for
from bridge.errors import Away
from payments.errors import ProviderNotConfigured
from payments.yookassa.client import YooKassaClient
from payments.yookassa.errors import Rejected, Unavailable

# As the breaker calls it.
YOOKASSA = "yookassa"
_OUR_KEY = (401, 403)
# How far a list is searched for one of ours.
MOST_PAGES = 20


def provider() -> YooKassaClient:
    """The client of our shop; raises `ProviderNotConfigured`."""
    if not settings.YUKASSA_SHOP_ID:
        raise ProviderNotConfigured("payments are not set up: YUKASSA_SHOP_ID and YUKASSA_SECRET_KEY are missing")
    return _client(
        settings.YUKASSA_SHOP_ID,
        settings.YUKASSA_SECRET_KEY,
        settings.YUKASSA_API_URL,
        settings.YUKASSA_CONNECT_TIMEOUT,
        settings.YUKASSA_READ_TIMEOUT,
    )


def judge_outage(error: Exception) -> Verdict | None:
    """What is wrong with YooKassa, or with our account there; `None` for what is about one payment."""
    if isinstance(error, Unavailable) and error.trouble:
        return Verdict(Away(error.trouble), str(error))
    if isinstance(error, Rejected) and error.http_status in _OUR_KEY:
        return Verdict(Away.REFUSED, f"{error}; check YUKASSA_SHOP_ID and YUKASSA_SECRET_KEY")
    return None


@cache
def _client(shop_id: str, secret_key: str, api_url: str, connect: float, read: float) -> YooKassaClient:
    return YooKassaClient(
        shop_id=shop_id,
        secret_key=secret_key,
        api_url=api_url,
        connect_timeout=connect,
        read_timeout=read,
        room=_room_to_ask,
    )


@contextmanager
def _room_to_ask() -> Iterator[None]:
    """Hold a place among the threads that wait for YooKassa, or raise `Unavailable` at once."""
    try:
        with waiting_for("YooKassa"):
            yield
    except Crowded as error:
        raise Unavailable("not asked, as many threads as may wait for it do so already", False) from error
