"""Which tables of queues belong to the extension pgmq, so that a logical dump leaves them out.

Up to 1.5 `pgmq.create` makes each queue a part of the extension, and a dump holds of an extension its name alone.
"""

from dataclasses import dataclass

from django.db import connection

# What its owner runs, once and again after a queue was made. Everything goes on meanwhile.
DETACH = """\
DO $$
DECLARE one regclass;
BEGIN
    FOR one IN
        SELECT objid FROM pg_depend
        JOIN pg_extension ON pg_extension.oid = refobjid JOIN pg_class ON pg_class.oid = objid
        WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_extension'::regclass AND deptype = 'e'
          AND extname = 'pgmq' AND relkind IN ('r', 'p') AND relname ~ '^[qa]_'
    LOOP
        EXECUTE format('ALTER EXTENSION pgmq DROP TABLE %s', one);
    END LOOP;
END $$;"""

_OWNED = """
SELECT relname FROM pg_depend JOIN pg_extension ON pg_extension.oid = refobjid JOIN pg_class ON pg_class.oid = objid
WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_extension'::regclass AND deptype = 'e'
  AND extname = 'pgmq' AND relkind IN ('r', 'p') AND relname ~ '^[qa]_'
ORDER BY relname
"""


@dataclass(frozen=True, slots=True)
class OwnedByExtension:
    """Tables that no logical dump holds."""

    tables: list[str]

    def __str__(self) -> str:
        return (
            f"pg_dump leaves out {len(self.tables)} tables of queues ({self.tables[0]} …), as they belong to the "
            "extension pgmq: docs/operations.md, Backups, has the statement that mends it"
        )


def owned_by_extension() -> OwnedByExtension | None:
    """The tables of queues and archives that belong to the extension, `None` where there are none."""
    with connection.cursor() as cursor:
        cursor.execute(_OWNED)
        tables = [name for (name,) in cursor.fetchall()]
    return OwnedByExtension(tables) if tables else None
