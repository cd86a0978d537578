"""After the faults: waits until there is nothing left to do, as long as that gets less.

Patience is what the slowest repair of the product takes, and not what a backlog takes on a busy machine.
"""

import math
import time
from collections.abc import Callable, Mapping
from contextlib import closing

import psycopg2

from sandbox.demo.payments.till import Till

LOOK_SECONDS = 0.5
QUIET_LOOKS = 4

_LEFT = """
SELECT (SELECT count(*) FROM balansity.payments_refund WHERE status IN ('requested', 'pending'))
     + (SELECT count(*) FROM balansity.payments_providernotification WHERE status IN ('stored', 'failed'))
     + (SELECT count(*) FROM balansity.bridge_keptoutcome)
"""
_STANDS = """
SELECT c.external_id, c.provider_status, EXISTS (
    SELECT FROM balansity.payments_fulfilment AS f WHERE f.payment_id = c.payment_id) OR c.refunded_amount >= c.amount
FROM balansity.payments_checkout AS c WHERE c.external_id IS NOT NULL
"""


def drain(
    url: str,
    till: Till,
    limits: Mapping[str, int],
    *,
    patience: float,
    tell: Callable[[str], None],
    besides: Callable[[], int] = lambda: 0,
) -> float:
    """Wait until the queues are empty and what YooKassa knows is known here; returns how long it took, in seconds.

    `besides` counts what else has to be done. When there was nothing less to do for `patience` seconds, the checker
    says what is left.
    """
    return await_nothing(lambda: _left(url, till, limits) + besides(), patience=patience, told=began_telling(tell))


def await_nothing(count: Callable[[], int], *, patience: float, told: Callable[[int], None]) -> float:
    """Wait until nothing was counted several times in a row, or nothing less for `patience` seconds."""
    began = since = time.monotonic()
    least, quiet = math.inf, 0
    while time.monotonic() - since < patience:
        left = count()
        if left < least:
            least, since = left, time.monotonic()
        quiet = 0 if left else quiet + 1
        if quiet >= QUIET_LOOKS:
            break
        told(left)
        time.sleep(LOOK_SECONDS)
    return time.monotonic() - began


def began_telling(tell: Callable[[str], None]) -> Callable[[int], None]:
    """Tell how much is left, when that changes, and not at every look."""
    last = [0.0]

    def told(left: int) -> None:
        if left and time.monotonic() - last[0] >= 5:
            tell(f"drains: {left} left")
            last[0] = time.monotonic()

    return told


def _left(url: str, till: Till, limits: Mapping[str, int]) -> int:
    with closing(psycopg2.connect(url, connect_timeout=5)) as connection, connection.cursor() as cursor:
        left: int = 0
        for queue in limits:
            cursor.execute(f"SELECT count(*) FROM pgmq.q_{queue}")  # noqa: S608
            left += cursor.fetchall()[0][0]
        cursor.execute(_LEFT)
        left += cursor.fetchall()[0][0]
        cursor.execute(_STANDS)
        here = {external: (status, given) for external, status, given in cursor.fetchall()}
    for held in till.list_of("payments"):
        status, given = here.get(held["id"], ("", False))
        left += status != held["status"] or (status == "succeeded" and not given)
    return left
