"""What YooKassa says about a payment or a refund, as far as we care. https://yookassa.ru/developers/api

Statuses, methods, parties and reasons are YooKassa's words as they came: new ones appear without notice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Account:
    """Our shop. `date` is the header of the answer: what time it is at YooKassa."""

    id: str
    status: str
    test: bool
    fiscalization: bool
    date: str


@dataclass(frozen=True, slots=True)
class ProviderPayment:
    """A payment as YooKassa sees it. Amounts are in `currency`; texts that YooKassa did not send are empty.

    `income_amount` is what reaches the shop after commission. `confirmation_token` is for the embedded form,
    and set only while the payment waits for the payer.
    Times are `None` where YooKassa named none that can be read.
    """

    id: str
    status: str
    amount: Decimal
    currency: str
    test: bool
    created_at: datetime | None
    captured_at: datetime | None
    expires_at: datetime | None
    income_amount: Decimal | None
    refunded_amount: Decimal
    description: str
    metadata: Mapping[str, str]
    confirmation_token: str | None
    method_type: str
    method_title: str
    cancellation_party: str
    cancellation_reason: str
    receipt_registration: str


@dataclass(frozen=True, slots=True)
class ProviderRefund:
    """A refund as YooKassa sees it."""

    id: str
    payment_id: str
    status: str
    amount: Decimal
    currency: str
    created_at: datetime | None
    description: str
    cancellation_party: str
    cancellation_reason: str
    receipt_registration: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An item of a list without a usable `member`. `id` is safe to log, and empty where there is none.

    `names` is the payment of ours that its metadata name, as they came.
    """

    id: str
    member: str
    names: str

    def __str__(self) -> str:
        return f"{self.id or 'an item without an id'} (no usable {self.member})"


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Part of a list, newest first. `next_cursor` asks for the part that follows; `None` at the end.

    `unreadable` are the items that are odd in what decisions rest on: they are left out of `items`.
    """

    items: tuple[T, ...]
    next_cursor: str | None
    unreadable: tuple[Unreadable, ...] = ()
