"""Writes down who did what, in the transaction of what is written down."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from bridge.models import OperatorAction
from bridge.operations.actor import Actor

MOST_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Done:
    """What an act changed, and how much it left alone and why, by code. A face finds the words."""

    changed: int
    skipped: Mapping[str, int] = field(default_factory=dict)


def record(
    actor: Actor,
    action: str,
    *,
    queue: str,
    msg_id: int | None = None,
    count: int = 1,
    skipped: Mapping[str, int] | None = None,
    filters: Mapping[str, Any] | None = None,
    reason: str = "",
) -> OperatorAction:
    """Note an act on a message, or on `count` of them. Call it in the transaction that does it."""
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError(f"{action} is to be noted in the transaction that does it")
    return OperatorAction.objects.create(
        actor_kind=actor.kind.value,
        actor=actor.name[:150],
        user_id=actor.user_id,
        action=action,
        queue=queue,
        msg_id=msg_id,
        count=count,
        skipped=dict(skipped or {}),
        filters=dict(filters or {}),
        reason=tidied(reason),
    )


def tidied(reason: str) -> str:
    """A reason as people read it: one line, bounded, without what cannot be printed."""
    text = "".join(character if character.isprintable() else " " for character in reason)
    return " ".join(text.split())[:MOST_CHARACTERS]
