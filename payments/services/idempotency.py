"""`Idempotency-Key`: a request that comes again gets the answer that it got, and does nothing a second time.

An answer is kept for `KEPT_FOR`. A 5xx is not: whoever gets one is to try again with the same key.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from payments.models import IdempotencyKey
from payments.problems import IdempotencyKeyReused, RequestInFlight

KEPT_FOR = timedelta(hours=48)
# Longer than any request takes: the process that holds a key for longer is dead.
LONGEST_WORK = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to do the work of a key. It ends when somebody else takes the key over."""

    pk: int
    locked_at: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any


def claim_key(*, user_id: uuid.UUID, key: str, fingerprint: str) -> Claim | Answer:
    """Take a key for the request with that fingerprint, or return the answer that it got before.

    Raises `IdempotencyKeyReused` for another request, `RequestInFlight` while the same one is at work.
    """
    with transaction.atomic():
        # Inserts or locks in one statement: two first uses at once, or the clean-up in between, cannot get past it.
        IdempotencyKey.objects.bulk_create(
            [IdempotencyKey(user_id=user_id, key=key, fingerprint=fingerprint)],
            update_conflicts=True,
            unique_fields=["user_id", "key"],
            update_fields=["key"],
        )
        row = IdempotencyKey.objects.get(user_id=user_id, key=key)
        if row.fingerprint != fingerprint:
            raise IdempotencyKeyReused
        if row.response_status is not None:
            return Answer(row.response_status, row.response_body)
        now = timezone.now()
        if row.locked_at is not None and now - row.locked_at < LONGEST_WORK:
            raise RequestInFlight
        row.locked_at = now
        row.save(update_fields=["locked_at"])
        return Claim(row.pk, now)


def keep_answer(claim: Claim, answer: Answer) -> None:
    """Store the answer for the next time, unless the key was taken over."""
    _claimed(claim).update(response_status=answer.status, response_body=answer.body, locked_at=None)


def release_key(claim: Claim) -> None:
    """Let the same request try again."""
    _claimed(claim).update(locked_at=None)


def forget_old_keys() -> int:
    """Remove the keys that nobody repeats any more; returns how many."""
    removed, _ = IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEPT_FOR).delete()
    return removed


def _claimed(claim: Claim) -> Any:
    return IdempotencyKey.objects.filter(pk=claim.pk, locked_at=claim.locked_at)
