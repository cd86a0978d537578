"""Whether the tables of the roll-up are there: processes run before `migrate` has made them, and while it does."""

from django.db import connection

_seen_in: set[str] = set()


def is_ready() -> bool:
    """Ask until the answer is yes, once for each database."""
    name = str(connection.settings_dict["NAME"])
    if name not in _seen_in:
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('bridge_rolledqueue') IS NOT NULL")
            if not cursor.fetchone()[0]:
                return False
        _seen_in.add(name)
    return True
