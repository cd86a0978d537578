"""The stand-in of YooKassa from outside: what payers, banks and bad days do there, and what it knows at the end."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import requests

TIMEOUT = (5, 20)
# One of YooKassa's own, as our proxy would report it.
ADDRESS = "185.71.76.10"
_PAGE_SIZE = "100"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Held:
    """A payment as the till has it. Money is rubles."""

    id: str
    payment_id: str
    status: str
    amount: Decimal
    refunded: Decimal
    description: str

    @property
    def paid(self) -> Decimal:
        return self.amount if self.status == "succeeded" else Decimal(0)


class Till:
    """`page` and `api` are the addresses of the running stand-in."""

    def __init__(self, *, page: str, api: str, shop_id: str, secret_key: str) -> None:
        self._page, self._api = page, api
        self._account = (shop_id, secret_key)

    def pay(self, external_id: str) -> None:
        self._act(f"payments/{external_id}/succeed")

    def reserve(self, external_id: str) -> None:
        self._act(f"payments/{external_id}/wait_for_capture")

    def decline(self, external_id: str, reason: str) -> None:
        self._act(f"payments/{external_id}/decline", reason=reason)

    def expire(self, external_id: str) -> None:
        self._act(f"payments/{external_id}/expire")

    def fail(self, kind: str, **options: Any) -> None:
        """Let the next requests go wrong; `options` are members of the stand-in's `Fault`."""
        self._act("faults", kind=kind, **options)

    def mend(self) -> None:
        requests.delete(f"{self._page}sandbox/faults", timeout=TIMEOUT).raise_for_status()

    def notify(self, **manner: Any) -> None:
        """Change how notifications are sent; `manner` are options of the stand-in's `Notifications`."""
        self._act("notifications", **manner)

    def release(self, order: str) -> list[int]:
        """Send what was held; returns the statuses of the answers."""
        return [attempt["status"] for attempt in self._act("notifications/release", order=order)]

    def notifications(self) -> list[Json]:
        """Every try to notify us so far, oldest first."""
        answer = requests.get(f"{self._page}sandbox/notifications", timeout=TIMEOUT)
        answer.raise_for_status()
        found: list[Json] = answer.json()
        return found

    def payments(self) -> list[Held]:
        return [
            Held(
                id=one["id"],
                payment_id=one["metadata"].get("payment_id", ""),
                status=one["status"],
                amount=Decimal(one["amount"]["value"]),
                refunded=Decimal(one.get("refunded_amount", {}).get("value", "0")),
                description=one.get("description", ""),
            )
            for one in self.list_of("payments")
        ]

    def refunded(self) -> Decimal:
        """The sum of all refunds that went through."""
        return sum((Decimal(one["amount"]["value"]) for one in self.list_of("refunds", status="succeeded")), Decimal(0))

    def _act(self, path: str, /, **options: Any) -> Any:
        answer = requests.post(f"{self._page}sandbox/{path}", json=options, timeout=TIMEOUT)
        answer.raise_for_status()
        return answer.json()

    def list_of(self, what: str, **query: str) -> list[Json]:
        """All `payments` or `refunds` as the API shows them, or those that `query` asks for."""
        found: list[Json] = []
        cursor: dict[str, str] = {}
        while True:
            asked = {"limit": _PAGE_SIZE, **query, **cursor}
            answer = requests.get(f"{self._api}/{what}", params=asked, auth=self._account, timeout=TIMEOUT)
            answer.raise_for_status()
            page = answer.json()
            found += page["items"]
            if "next_cursor" not in page:
                return found
            cursor = {"cursor": page["next_cursor"]}
