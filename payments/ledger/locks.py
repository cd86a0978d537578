"""Locks on what has no row to lock: a customer who starts payments, a time that is given away."""

import uuid

from django.db import connection

# The first half of the advisory locks' keys: only ours, so that nobody else's numbers collide with them.
_CUSTOMER, _SLOT = 7_262_021, 7_262_022


def lock_customer(user_id: uuid.UUID) -> None:
    """Let one request at a time start payments for a customer: a double click is two requests at once."""
    _lock(_CUSTOMER, str(user_id))


def lock_slot(slot: str) -> None:
    """Let one transaction at a time give away a time: counting and inserting is not one statement."""
    _lock(_SLOT, slot)


def _lock(kind: int, name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [kind, name])
