#!/usr/bin/env python
"""Django's command line for the Balansity back office.

Every command, ours and Django's, ends an expected trouble of its surroundings in one line with what mends it.
"""

import logging
import os
import sys

from django.core.management import execute_from_command_line

from balansity.processes import kind_of
from bridge.trouble.explain import explain


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "balansity.settings")
    try:
        execute_from_command_line(sys.argv)
    except Exception as error:
        found = None if "--traceback" in sys.argv else explain(error)
        if found is None:
            # A mistake of our own, which needs its traceback.
            if kind_of(sys.argv) == "cli":
                raise
            logging.getLogger("balansity").critical("ended by an error", exc_info=True)
            sys.exit(1)
        print(found, file=sys.stderr)
        sys.exit(found.exit_code)


if __name__ == "__main__":
    main()
