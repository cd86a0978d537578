"""Negative controls: the product without one of its protections, which the checker must notice.

Each takes away the very line that protects, from the SQL or the code that is really run, and fails where that line is
not found: a control that takes nothing away would prove the checker by chance.
"""

import re
from collections.abc import Callable
from typing import Any

_TOKEN = re.compile(r"\s+AND (?:q\.)?vt = %\(vt\)s")


class NothingTakenAway(Exception):
    """The protection is not where this control looks for it, so it has to be brought up to date."""


def without_claim_token() -> None:
    """Whoever is handed a delivery may start it, however old its token is."""
    _forget_token("claim")


def without_finish_token() -> None:
    """Whoever has done the work may write the outcome, whoever owns the message by then."""
    _forget_token("finish")


def without_payment_lock() -> None:
    """Two doors may have the same payment in hand at once."""
    # Models exist only after Django is set up.
    from payments.ledger import book  # noqa: PLC0415
    from payments.models import Checkout, Payment  # noqa: PLC0415

    if "select_for_update" not in book._lock.__code__.co_names:
        raise NothingTakenAway("payments.ledger.book locks a payment in another way by now")
    managers: tuple[Any, Any] = (Payment.objects, Checkout.objects)
    for manager in managers:
        manager.select_for_update = manager.all


DOUBLES: dict[str, Callable[[], None]] = {
    "claim-token": without_claim_token,
    "finish-token": without_finish_token,
    "payment-lock": without_payment_lock,
}


# The kind of fault without which a protection is not needed; the lock of a payment is, whenever two come at once.
NEEDS = {"claim-token": "broker_double", "finish-token": "worker_stop"}
# What the checker says of what comes of it: a run that is red for another reason has not noticed.
SIGNS = {
    "claim-token": ("no fault between them explains it", "it was done "),
    "finish-token": ("and the archive has", "and it ended as", "no fault between them explains it", "it was done "),
    "payment-lock": ("things by it", "were accepted for", "YooKassa refused it", "payments for it"),
}


def take_away(what: str) -> None:
    """Run without this protection for the life of the process. Raises `NothingTakenAway`."""
    DOUBLES[what]()


def _forget_token(query: str) -> None:
    from bridge.sql import statements  # noqa: PLC0415

    queries = statements._queries()
    bare, number = _TOKEN.subn("", queries.get(query, ""))
    if not number:
        raise NothingTakenAway(f"the statement {query} proves its token in another way by now")
    queries[query] = bare
