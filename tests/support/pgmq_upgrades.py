"""Updates pgmq under whoever is running, as `ALTER EXTENSION pgmq UPDATE` does: in one transaction."""

from contextlib import closing
from pathlib import Path

import psycopg2

from tests.support.databases import pgmq_sql

_TO_1_5 = Path(__file__).parent / "pgmq_versions" / "upgrade_1_4_to_1_5.sql"

# The functions and the types come anew with the official SQL; queues and messages stay.
_DROP_CODE = """
DO $$
DECLARE
    one text;
BEGIN
    FOR one IN SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'pgmq'::regnamespace LOOP
        EXECUTE 'DROP FUNCTION IF EXISTS ' || one || ' CASCADE';
    END LOOP;
    DROP TYPE pgmq.message_record, pgmq.queue_record, pgmq.metrics_result;
    FOR one IN SELECT queue_name FROM pgmq.meta LOOP
        EXECUTE format('ALTER TABLE pgmq.%I ADD COLUMN last_read_at timestamptz', 'q_' || one);
        EXECUTE format('ALTER TABLE pgmq.%I ADD COLUMN last_read_at timestamptz', 'a_' || one);
    END LOOP;
END
$$;
"""


def upgrade_pgmq(url: str, version: str) -> None:
    """From 1.4 to "1.5", or from that to "1.13"."""
    statements = _TO_1_5.read_text(encoding="utf-8") if version == "1.5" else _DROP_CODE + pgmq_sql(version)
    with closing(psycopg2.connect(url, connect_timeout=10)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statements)
