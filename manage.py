#!/usr/bin/env python
"""Django's command line for the Balansity back office."""

import os
import sys

from django.core.management import execute_from_command_line
from django.db import InterfaceError, OperationalError

from bridge.errors import AddressRefused

# As `bridge_queues` ends when Postgres is away.
UNREACHABLE = 3


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "balansity.settings")
    try:
        execute_from_command_line(sys.argv)
    except (OperationalError, InterfaceError) as error:
        if "--traceback" in sys.argv:
            raise
        what = "" if isinstance(error, AddressRefused) else "Postgres does not do its part: "
        print(f"{what}{' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(UNREACHABLE)


if __name__ == "__main__":
    main()
