"""The rows of a handler as one statement, which can be sent together with the outcome of its message."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import connection


@dataclass(frozen=True, slots=True)
class Statement:
    """What a handler returns in place of a callable that writes its rows, and is one itself.

    `sql` has named placeholders for `values`, and `{ours}` among its conditions: whoever sends it together with the
    outcome puts there that the message still belongs to this attempt; alone, in the transaction that has seen to that
    before, it is true.

    `planned`: it is one statement that tells the types of all values, so that its plan may be kept (`sql.prepared`).
    """

    sql: str
    values: Mapping[str, Any] = field(default_factory=dict)
    planned: bool = False

    def __call__(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(self.sql.replace("{ours}", "true"), dict(self.values))
