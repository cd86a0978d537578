"""`manage.py queue`: what operators see of the queues and do with them. The verbs are in `bridge/management/queue`."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand

from bridge.management.queue import verbs


class Command(BaseCommand):
    help = "Look at the queues, and act on them: manage.py queue VERB --help says how."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parsers = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
        for name, verb in verbs().items():
            verb.add_arguments(parsers.add_parser(name, help=verb.HELP, description=verb.HELP))

    def handle(self, *args: Any, **options: Any) -> None:
        verbs()[options["verb"]].handle(self, options)
