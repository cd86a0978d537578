"""A jsonb column that anybody may write, read so that one hostile row cannot make a whole list unreadable."""

import math
from typing import Any

from django.db import models

# Far beyond what any client means, and far from where Python's own reading and writing of JSON give up.
DEEPEST = 64
UNREADABLE = {"unreadable": "this is JSON that cannot be held here: it nests too deeply, or a number is too large"}


class UntrustedJSONField(models.JSONField):
    """Reads as `UNREADABLE` what jsonb holds and Python does not: thousands of levels, a number of 5000 digits.

    One of 400 digits and a fraction would become Python's infinity, which is no JSON any more.
    """

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        try:
            found = super().from_db_value(value, expression, connection)
        except (ValueError, RecursionError):
            return dict(UNREADABLE)
        return found if _can_be_held(found) else dict(UNREADABLE)

    def deconstruct(self) -> Any:
        # The column is an ordinary one, and no migration needs to know how it is read.
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.JSONField", args, kwargs


def _can_be_held(found: Any) -> bool:
    level = [found]
    for _ in range(DEEPEST):
        if any(isinstance(item, float) and not math.isfinite(item) for item in level):
            return False
        level = [inner for item in level if isinstance(item, dict | list) for inner in _members(item)]
        if not level:
            return True
    return False


def _members(item: dict[str, Any] | list[Any]) -> list[Any]:
    return list(item.values()) if isinstance(item, dict) else item
