"""What everybody wrote down, as it is read when all is over: our tables and archives, and the books of others."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt, as the history of its message tells of it. `pid` is the process that made it, 0 where unknown."""

    number: int
    started_at: datetime
    pid: int = 0
    is_lost: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A message wherever it lies: `queued` and `archived` count its rows. Texts are empty where there is none.

    `about` is the payment that a mail tells of, `report` which report is asked for (`Report.about`).
    """

    queue: str
    msg_id: int
    queued: int = 0
    archived: int = 1
    outcome: str = "succeeded"
    reason: str = ""
    attempts: int = 1
    tries: tuple[Try, ...] = ()
    recipient: str = ""
    template: str = ""
    about: str = ""
    report: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A mail that the mail server has accepted and kept."""

    recipient: str
    message_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class LoggedMail:
    """A row of our mail log."""

    msg_id: int
    status: str
    attempts: int
    reason: str
    message_id: str


@dataclass(frozen=True, slots=True)
class Done:
    """A worker's line in the log that this attempt has done its work."""

    queue: str
    msg_id: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment as we have it. `given` counts rows that say it was fulfilled, `told` the lines of its timeline that do;
    `packages` and `consultations` are what the payer has by it. `marks` are open reasons why a person must look.
    """

    id: str
    amount: Decimal
    status: str = "completed"
    provider_status: str = "succeeded"
    external_id: str = ""
    refunded: Decimal = Decimal(0)
    given: int = 1
    told: int = 1
    packages: int = 1
    consultations: int = 0
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund as we have it."""

    id: str
    payment_id: str
    amount: Decimal
    status: str = "succeeded"
    external_id: str = ""


@dataclass(frozen=True, slots=True)
class HeldPayment:
    """A payment in YooKassa's books; `payment_id` is what it was told of ours."""

    id: str
    payment_id: str
    amount: Decimal
    status: str = "succeeded"
    refunded: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class HeldRefund:
    """A refund in YooKassa's books, of its payment `payment_id`; `ours` is our id, which its description carries."""

    id: str
    payment_id: str
    amount: Decimal
    status: str = "succeeded"
    ours: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A row of a report; `key` and `sha256` are empty without a document. `about`: assessment, client and kind."""

    id: str
    status: str = "stored"
    key: str = ""
    sha256: str = ""
    about: str = ""


@dataclass(frozen=True, slots=True)
class Books:
    """Everything. `objects` are the SHA-256 sums of what lies in the storage, `leftovers` the keys noted for removal.

    `limits` says how many attempts a message of a queue may have, `leases` for how many seconds one attempt owns it (no
    bound where a queue is not named). `unsettled` counts notifications of YooKassa's that
    nobody has dealt with, and `kept` outcomes that are not on their messages yet.
    """

    messages: tuple[Message, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    mail_log: tuple[LoggedMail, ...] = ()
    done: tuple[Done, ...] = ()
    payments: tuple[Payment, ...] = ()
    refunds: tuple[Refund, ...] = ()
    held_payments: tuple[HeldPayment, ...] = ()
    held_refunds: tuple[HeldRefund, ...] = ()
    reports: tuple[Report, ...] = ()
    objects: Mapping[str, str] = field(default_factory=dict)
    leftovers: frozenset[str] = frozenset()
    limits: Mapping[str, int] = field(default_factory=dict)
    leases: Mapping[str, float] = field(default_factory=dict)
    unsettled: int = 0
    kept: int = 0
