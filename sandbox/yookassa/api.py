"""`/v3`: who may ask, what was asked before, and which of the shop's methods answers."""

import hmac
import re
import threading
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from sandbox.yookassa.errors import ApiError, invalid, not_found
from sandbox.yookassa.exchange import Reply, Request, json_reply
from sandbox.yookassa.methods import METHODS
from sandbox.yookassa.shop import Shop

KEY = "Idempotence-Key"
# As the reference writes it; the range from + to _ takes in most punctuation.
_KEY_FORM = re.compile(r"[0-9a-zA-Z+-_.]{1,64}")
REMEMBERED = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class _Done:
    path: str
    content: bytes
    reply: Reply
    at: datetime


class Api:
    """Answers requests whose path comes without `/v3`."""

    def __init__(self, shop: Shop, secret_key: str) -> None:
        self._shop = shop
        self._login = f"{shop.shop_id}:{secret_key}".encode()
        self._is_test = not secret_key.startswith("live_")
        self._done: dict[str, _Done] = {}
        # A request that comes again while the first is at work waits for it.
        self._one_by_one = threading.Lock()

    def answer(self, request: Request) -> Reply:
        try:
            self._check_login(request.headers.get("authorization", ""))
            if request.method == "GET":
                return json_reply(self._read(request))
            return self._write(request)
        except ApiError as error:
            return json_reply(error.to_json(), error.status)

    def _check_login(self, header: str) -> None:
        scheme, _, encoded = header.partition(" ")
        try:
            given = b64decode(encoded, validate=True)
        except NotBase64:
            given = b""
        if scheme != "Basic" or not hmac.compare_digest(given, self._login):
            raise ApiError(HTTPStatus.UNAUTHORIZED, "Basic authentication data is invalid or missing", "Authorization")

    def _read(self, request: Request) -> dict[str, Any]:
        match request.parts:
            case ["me"]:
                return self._account(request.query)
            case ["payments"]:
                return self._shop.list_payments(request.query)
            case ["payments", payment_id]:
                return self._shop.payment(payment_id)
            case ["refunds"]:
                return self._shop.list_refunds(request.query)
            case ["refunds", refund_id]:
                return self._shop.refund(refund_id)
        raise not_found("", "There is no such method")

    def _write(self, request: Request) -> Reply:
        change = self._change(request)
        key = request.headers.get(KEY.lower(), "")
        if not _KEY_FORM.fullmatch(key):
            raise invalid(KEY, "must have 1 to 64 Latin letters, digits and signs, and no space")
        try:
            body = request.json()
        except ValueError:
            raise invalid("", "the body is not JSON") from None
        with self._one_by_one:
            now = datetime.now(UTC)
            done = self._done.get(key)
            if done and now - done.at < REMEMBERED:
                # "The same body", says the documentation, and not whether that is bytes or values. So the strictest
                # reading is held: whoever passes here passes by any.
                if (done.path, done.content) != (request.path, request.content):
                    raise invalid(KEY, "Idempotence key duplicated")
                return done.reply
            reply = json_reply(change(body))
            # Only what took effect is remembered: a refused request may be corrected and sent with the same key.
            self._done[key] = _Done(request.path, request.content, reply, now)
            return reply

    def _change(self, request: Request) -> Callable[[Any], dict[str, Any]]:
        shop = self._shop
        if request.method == "POST":
            match request.parts:
                case ["payments"]:
                    return shop.create_payment
                case ["payments", payment_id, "capture"]:
                    return lambda body: shop.capture(payment_id, body)
                case ["payments", payment_id, "cancel"]:
                    return lambda _: shop.cancel(payment_id)
                case ["refunds"]:
                    return shop.create_refund
        raise not_found("", "There is no such method")

    def _account(self, query: Mapping[str, str]) -> dict[str, Any]:
        for name in query:
            if name != "on_behalf_of":
                raise invalid(name, "unknown parameter")
        return {
            "account_id": self._shop.shop_id,
            "status": "enabled",
            "test": self._is_test,
            "fiscalization": {"enabled": True, "provider": "atol"},
            "payment_methods": list(METHODS),
            "payout_methods": [],
        }
