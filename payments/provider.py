"""The adapter as the settings describe it: the only place that knows the shop's id and key."""

from functools import cache

from django.conf import settings

from payments.errors import PaymentError
from payments.yookassa.client import YooKassaClient


class ProviderNotConfigured(PaymentError):
    """YUKASSA_SHOP_ID and YUKASSA_SECRET_KEY are not set."""


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
        shop_id=shop_id, secret_key=secret_key, api_url=api_url, connect_timeout=connect, read_timeout=read
    )
