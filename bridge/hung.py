"""Ends sessions of ours that wait for a process which takes nothing, where TCP does not (a Unix socket)."""

import logging
import time

from django.db import connection

from bridge.daemon.listener import APPLICATION

logger = logging.getLogger(__name__)

# A bridge that lives takes all that waits for it in much less.
BETWEEN_LOOKS_SECONDS = 2.0

# The snapshot tells one delivery of notifications from the next.
_SENDING = """
SELECT pid, backend_xmin::text FROM pg_stat_activity
WHERE application_name = %s AND usename = current_user AND datname = current_database() AND wait_event = 'ClientWrite'
"""


def end_hung_listeners() -> None:
    """End the sessions of bridges that hang. One that does not hang after all opens another, and polls meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute(_SENDING, [APPLICATION])
        before = cursor.fetchall()
        if not before:
            return
        time.sleep(BETWEEN_LOOKS_SECONDS)
        cursor.execute(_SENDING, [APPLICATION])
        for pid, _ in {*before} & {*cursor.fetchall()}:
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
            logger.error("the bridge that listened in session %s of Postgres takes nothing: restart it", pid)
