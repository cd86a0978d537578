"""What clients know for certain: they trust only what was confirmed to them.

A commit, or a request, whose answer was lost is unknown: it may have happened or not, and both are fine. Each client
writes its own lines here while the system runs; the checker reads them when all is over.
"""

import threading
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that a client has put into a queue. `msg_id` is `None` where the answer to the commit was lost."""

    queue: str
    msg_id: int | None
    recipient: str = ""


@dataclass(frozen=True, slots=True)
class StartedPayment:
    """A payment whose form a customer got. `paid`: the customer paid, and the form said so."""

    payment_id: str
    amount: Decimal
    paid: bool = False


@dataclass(frozen=True, slots=True)
class AskedRefund:
    """A refund that staff asked for. `refund_id` is empty where the last answer was lost; `accepted` were told so."""

    payment_id: str
    amount: Decimal
    refund_id: str = ""
    accepted: bool = False


@dataclass
class Known:
    """Everything that clients know. Safe for several threads."""

    messages: list[SentMessage] = field(default_factory=list)
    payments: list[StartedPayment] = field(default_factory=list)
    refunds: list[AskedRefund] = field(default_factory=list)
    gave_up: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def note(self, what: SentMessage | StartedPayment | AskedRefund | str) -> None:
        with self._lock:
            match what:
                case SentMessage():
                    self.messages.append(what)
                case StartedPayment():
                    self.payments.append(what)
                case AskedRefund():
                    self.refunds.append(what)
                case str():
                    self.gave_up.append(what)
