"""The adapter as the settings describe it: the only place that knows the shop's id and key."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from django.conf import settings

from bridge.bulkhead import Crowded, waiting_for
from payments.errors import ProviderNotConfigured
from payments.yookassa.client import YooKassaClient
from payments.yookassa.errors import Unavailable

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
