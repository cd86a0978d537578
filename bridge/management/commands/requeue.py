"""`manage.py requeue`: failed messages get another chance. The older name of `manage.py queue requeue`."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand

from bridge.management.queue import requeue
from bridge.management.queue._typed import message_id, moment
from bridge.message import Reason


class Command(BaseCommand):
    help = "Put failed messages back into their queue, as new messages with the same body and all their attempts."
    # It must work whatever else is wrong.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("queue", help="the queue, for example email_queue")
        parser.add_argument("msg_id", nargs="*", type=message_id, help="ids of failed messages")
        parser.add_argument(
            "--failed", action="store_true", help="all failed messages not put back yet, but refused ones"
        )
        parser.add_argument("--reason", choices=[*Reason], help="with --failed: only those that failed for this reason")
        parser.add_argument(
            "--error",
            metavar="TEXT",
            help="with --failed: only those whose last error has this text in its kind or words",
        )
        parser.add_argument(
            "--since", metavar="TIME", type=moment, help="with --failed: only those that failed since, 2026-11-23T14:30"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        requeue.put_back(self, options, everything="failed")
