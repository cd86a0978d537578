"""The calls of YooKassa's API that we make, one method each."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import Any, TypeVar

from payments.yookassa.answers import read_answer
from payments.yookassa.errors import Rejected, Unavailable
from payments.yookassa.objects import Account, Page, ProviderPayment, ProviderRefund, Unreadable
from payments.yookassa.parsing import ID, Malformed, parse_account, parse_page, parse_payment, parse_refund

logger = logging.getLogger(__name__)

T = TypeVar("T")

API_URL = "https://api.yookassa.ru/v3"
LONGEST_KEY = 64
# The most that YooKassa gives.
MOST_ITEMS = 100
_MOST_NAMED, _MOST_TOLD = 10, 1000


class YooKassaClient:
    """One shop at YooKassa. Threads may share a client, and forked children may go on with it.

    Every method raises `Unavailable` (come again) or `Rejected` (this request never succeeds), and no other error for
    anything that the network or YooKassa does. Nothing is repeated here. A call takes at most `connect_timeout` for the
    connection, `read_timeout` until its answer begins and `read_timeout` for the rest of it, all in seconds.

    Each request is made inside `room()`, which may raise `Unavailable` instead.

    `key` is the Idempotence-Key: the same key with the same body never has a second effect within 24 hours. It is
    `ValueError` when it has not 1 to 64 printable ASCII characters. An id that cannot be YooKassa's is answered like an
    unknown one (`Rejected`, 404 `not_found`), without a request: ids come from notifications, so from anybody.
    """

    def __init__(
        self,
        *,
        shop_id: str,
        secret_key: str,
        api_url: str = API_URL,
        connect_timeout: float = 5.0,
        read_timeout: float = 20.0,
        room: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        # Here and not above: the SDK is 290 modules, which no process loads that asks YooKassa nothing.
        from payments.yookassa.transport import Transport  # noqa: PLC0415

        self._told: set[Unreadable] = set()
        self._transport = Transport(
            shop_id=shop_id,
            secret_key=secret_key,
            api_url=api_url,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            room=room,
        )

    def get_account(self) -> Account:
        """Whose key this is: the cheapest call that needs one. It is not logged, as it is about no payment."""
        answer = self._transport.execute(None, "GET", "/me", None, self._transport.prepare_request_headers({}))
        body = read_answer(answer, changes=False)
        return _parsed(lambda raw: parse_account(raw, date=answer.headers.get("Date", "")), body)

    def create_payment(self, body: Mapping[str, Any], *, key: str) -> ProviderPayment:
        """`body` is sent as it is: amounts are strings in it, like `{"value": "19.99", "currency": "RUB"}`."""
        return _parsed(parse_payment, self._post("/payments", body, key), changes=True)

    def get_payment(self, payment_id: str) -> ProviderPayment:
        payment = _parsed(parse_payment, self._get(f"/payments/{_checked(payment_id)}"))
        return _same(payment, payment_id)

    def list_payments(
        self,
        *,
        created_from: datetime | None = None,
        created_to: datetime | None = None,
        cursor: str | None = None,
    ) -> Page[ProviderPayment]:
        """`created_from` and `created_to` are inclusive and need a time zone."""
        query = _query(created_at__gte=created_from, created_at__lte=created_to, cursor=cursor)
        return self._page("/payments", query, parse_payment)

    def create_refund(self, body: Mapping[str, Any], *, key: str) -> ProviderRefund:
        return _parsed(parse_refund, self._post("/refunds", body, key), changes=True)

    def list_refunds(
        self,
        *,
        payment_id: str | None = None,
        created_from: datetime | None = None,
        cursor: str | None = None,
    ) -> Page[ProviderRefund]:
        """`created_from` is inclusive and needs a time zone."""
        query = _query(payment_id=payment_id, created_at__gte=created_from, cursor=cursor)
        return self._page("/refunds", query, parse_refund)

    def close(self) -> None:
        """Close idle connections. The client stays usable."""
        self._transport.close()

    def _page(self, path: str, query: Mapping[str, str], parse_item: Callable[[object], T]) -> Page[T]:
        page = _parsed(lambda raw: parse_page(raw, parse_item), self._get(path, query))
        new = [item for item in page.unreadable if item not in self._told]
        if new:
            # Each once in a process: the same list is asked for again and again.
            logger.error(
                "%s items of YooKassa's list %s cannot be read and are left out, the others are not: %s",
                len(new),
                path,
                ", ".join(map(str, new[:_MOST_NAMED])),
            )
            self._told = {*new, *(self._told if len(self._told) < _MOST_TOLD else ())}
        return page

    def _get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        return self._transport.request("GET", path, query)

    def _post(self, path: str, body: Mapping[str, Any], key: str) -> dict[str, Any]:
        if not (1 <= len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()) or key != key.strip():
            raise ValueError(f"an Idempotence-Key has 1 to {LONGEST_KEY} printable ASCII characters")
        return self._transport.request("POST", path, headers={"Idempotence-Key": key}, body=body)


def every_page(ask: Callable[[str | None], Page[T]], *, most: int, all_of: str = "") -> Iterator[Page[T]]:
    """Ask for a list part by part, but for no more than `most`; `ask` gets the cursor of the part.

    Where `all_of` names what is listed, a longer list is `Unavailable`: what was not found may stand in the rest.
    """
    cursor: str | None = None
    for _ in range(most):
        page = ask(cursor)
        yield page
        cursor = page.next_cursor
        if cursor is None:
            return
    if all_of:
        raise Unavailable(f"its list of {all_of} has more than {most} pages", False)


def _parsed(parse: Callable[[object], T], raw: object, *, changes: bool = False) -> T:
    try:
        return parse(raw)
    except Malformed as error:
        raise Unavailable(f"an answer without a usable {error}", changes) from error


def _same(found: ProviderPayment, asked_for: str) -> ProviderPayment:
    if found.id != asked_for:
        raise Unavailable("an answer about another object", False)
    return found


def _checked(object_id: str) -> str:
    if not ID.fullmatch(object_id):
        raise Rejected(404, "not_found", "id", "this cannot be an id of YooKassa")
    return object_id


def _query(**conditions: str | datetime | None) -> dict[str, str]:
    named = {
        name.replace("__", "."): _moment(value) if isinstance(value, datetime) else value
        for name, value in conditions.items()
        if value is not None
    }
    return named | {"limit": str(MOST_ITEMS)}


def _moment(value: datetime) -> str:
    if value.tzinfo is None:
        raise ValueError("a time without a zone")
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
