#!/usr/bin/env python
"""Django's command line for the Balansity back office."""

import os
import sys

from django.core.management import execute_from_command_line
from django.db import DatabaseError, InterfaceError, InternalError, OperationalError, ProgrammingError

from bridge.errors import AddressRefused, is_closed
from bridge.postgres import is_outage

# As `bridge_queues` ends when Postgres is away.
UNREACHABLE = 3


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "balansity.settings")
    try:
        execute_from_command_line(sys.argv)
    except (AddressRefused, OperationalError, InterfaceError, InternalError, ProgrammingError) as error:
        if "--traceback" in sys.argv or not (line := _readable(error)):
            raise
        print(line, file=sys.stderr)
        sys.exit(UNREACHABLE)


def _readable(error: DatabaseError | InterfaceError) -> str:
    """What Postgres says, in one line; empty for a mistake of our own, which needs its traceback."""
    text = " ".join(str(error).split())
    match error:
        case AddressRefused():
            return text
        case OperationalError() | InterfaceError():
            return f"Postgres does not do its part: {text}"
        # It is read-only, after a failover or with a full disk.
        case InternalError() if is_outage(error):
            return f"Postgres does not do its part: {text}"
        case _ if is_closed(error):
            return f"the role of DATABASE_URL may not: {text}. manage.py queue_status names what mends it"
        case _:
            return ""


if __name__ == "__main__":
    main()
