"""`manage.py queue`: what operators see of the queues and do with them. The verbs are in `bridge/management/queue`."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from bridge.management.queue import verbs


class _AnyOrder(CommandParser):
    """Takes what is named before options and after them: `requeue email_queue --why "…" 17` as well.

    argparse by itself would take the queue and no ids, and not know what 17 is.
    """

    _is_inside = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        # The one that takes any order calls this one for each half.
        if self._is_inside:
            return super().parse_known_args(args, namespace)
        self._is_inside = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_inside = False


class Command(BaseCommand):
    help = "Look at the queues, and act on them: manage.py queue VERB --help says how."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parsers = parser.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=_AnyOrder)
        for name, verb in verbs().items():
            verb.add_arguments(parsers.add_parser(name, help=verb.HELP, description=verb.HELP))

    def handle(self, *args: Any, **options: Any) -> None:
        verbs()[options["verb"]].handle(self, options)
