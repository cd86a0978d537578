"""`manage.py requeue`: failed messages get another chance."""

import argparse
import sys
from contextlib import nullcontext
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from bridge.errors import BridgeError
from bridge.message import Reason
from bridge.pgmq import pgmq_queue
from bridge.requeue import requeue_failed, requeue_message


class Command(BaseCommand):
    help = "Put failed messages back into their queue, as new messages with the same body and all their attempts."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("queue", help="the queue, for example email_queue")
        parser.add_argument("msg_id", nargs="*", type=int, help="ids of failed messages (queue_status, admin, logs)")
        parser.add_argument("--failed", action="store_true", help="all failed messages that were not put back yet")
        parser.add_argument("--reason", choices=[*Reason], help="with --failed: only those that failed for this reason")

    def handle(self, *args: Any, **options: Any) -> None:
        queue, ids = options["queue"], options["msg_id"]
        if bool(ids) == options["failed"]:
            raise CommandError("Name messages by their ids, or give --failed (and not both).")
        if options["reason"] and not options["failed"]:
            raise CommandError("--reason goes with --failed.")
        try:
            if options["failed"]:
                self._requeue_failed(queue, Reason(options["reason"]) if options["reason"] else None)
            else:
                self._requeue_ids(queue, ids)
        except BridgeError as error:
            raise CommandError(str(error)) from error

    def _requeue_ids(self, queue: str, ids: list[int]) -> None:
        refused = 0
        for msg_id in dict.fromkeys(ids):
            try:
                self._say(msg_id, requeue_message(queue=queue, msg_id=msg_id))
            except BridgeError as error:
                refused += 1
                self.stderr.write(str(error))
        if refused:
            raise CommandError(f"{refused} of {len(ids)} could not be put back.")

    def _requeue_failed(self, queue: str, reason: Reason | None) -> None:
        _ = pgmq_queue(queue).has_headers  # An unknown queue is an error, and not "nothing to do".
        if not sys.stderr.isatty():
            count = requeue_failed(queue=queue, reason=reason, tell=self._say)
        else:
            columns = (TextColumn("putting back"), BarColumn(), MofNCompleteColumn())
            with Progress(*columns, console=Console(stderr=True)) as progress, nullcontext():
                task = progress.add_task("", total=None)
                count = requeue_failed(queue=queue, reason=reason, tell=lambda *_: progress.advance(task))
        self.stdout.write(f"{count} put back into {queue}")

    def _say(self, old: int, new: int) -> None:
        self.stdout.write(f"{old} -> {new}")
