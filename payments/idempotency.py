"""`Idempotency-Key`: a request that comes again gets the answer that it got, and does nothing a second time.

An answer is kept for `KEPT_FOR`. A 5xx is not: whoever gets one is to try again with the same key.

Who is at work on a key holds an advisory lock of its session with Postgres. So the lock ends with its holder, whatever
ends that: an answer, a killed process, a database that went away.
"""

import hashlib
import logging
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import Error, connection
from django.utils import timezone

from payments.errors import IdempotencyKeyReused, RequestInFlight
from payments.models import IdempotencyKey

logger = logging.getLogger(__name__)

KEPT_FOR = timedelta(hours=48)
# The first half of the advisory lock's key: only ours, like those of `payments.ledger.locks`.
_IDEMPOTENCY = 7_262_023


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to do the work of a key, until `release_key`."""

    pk: int
    lock: int


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any


def claim_key(*, user_id: uuid.UUID, key: str, fingerprint: str) -> Claim | Answer:
    """Take a key for the request with that fingerprint, or return the answer that it got before.

    Raises `IdempotencyKeyReused` for another request, `RequestInFlight` while the same one is at work.
    """
    lock = _lock_number(user_id, key)
    if not _try_lock(lock):
        row = IdempotencyKey.objects.filter(user_id=user_id, key=key).first()
        answer = None if row is None else _answer_of(row, fingerprint)
        if answer is None:
            raise RequestInFlight
        return answer
    claimed = False
    try:
        row, _ = IdempotencyKey.objects.update_or_create(
            user_id=user_id,
            key=key,
            defaults={"locked_at": timezone.now()},
            create_defaults={"fingerprint": fingerprint, "locked_at": timezone.now()},
        )
        answer = _answer_of(row, fingerprint)
        claimed = answer is None
        return Claim(row.pk, lock) if answer is None else answer
    finally:
        if not claimed:
            _unlock(lock)


def keep_answer(claim: Claim, answer: Answer) -> None:
    """Store the answer for the next time.

    Without a database it is not kept, and that is no reason to withhold it: the same request does the work once more
    and finds what was done.
    """
    try:
        # A holder that lost its session with Postgres has lost the key, perhaps to somebody who has answered since.
        IdempotencyKey.objects.filter(pk=claim.pk, response_status=None).update(
            response_status=answer.status, response_body=answer.body
        )
    except Error as error:
        logger.warning("the answer to a request with an Idempotency-Key could not be kept: %s", type(error).__name__)


def release_key(claim: Claim) -> None:
    """Let the same request come again. Never raises for a database that is away: without a session there is no lock."""
    _unlock(claim.lock)


def forget_old_keys() -> int:
    """Remove the keys that nobody repeats any more; returns how many."""
    removed, _ = IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEPT_FOR).delete()
    return removed


def _answer_of(row: IdempotencyKey, fingerprint: str) -> Answer | None:
    if row.fingerprint != fingerprint:
        raise IdempotencyKeyReused
    return None if row.response_status is None else Answer(row.response_status, row.response_body)


def _lock_number(user_id: uuid.UUID, key: str) -> int:
    # Of two keys that share a number one waits for the other, and one of two thousand million does. 31 bits: a negative
    # number is a sum in SQL.
    return int.from_bytes(hashlib.sha256(f"{user_id} {key}".encode()).digest()[:4]) >> 1


def _try_lock(lock: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_IDEMPOTENCY, lock])
        row = cursor.fetchone()
    return bool(row and row[0])


def _unlock(lock: int) -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_IDEMPOTENCY, lock])
    except Error as error:
        # The lock goes with the session, and the session with the connection: so that no thread keeps it by mistake.
        logger.info("a key is given back with its connection: %s", type(error).__name__)
        connection.close()
