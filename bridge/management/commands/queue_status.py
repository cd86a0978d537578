"""`manage.py queue_status`: how the queues stand. The older name of `manage.py queue status`, for scripts."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand

from bridge.management.queue import status


class Command(BaseCommand):
    help = status.HELP
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        status.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        status.handle(self, options)
