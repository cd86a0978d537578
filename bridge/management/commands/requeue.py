"""`manage.py requeue`: failed messages get another chance."""

import argparse
import sys
from contextlib import nullcontext
from datetime import datetime
from difflib import get_close_matches
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import ProgrammingError
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from bridge.errors import BridgeError, is_closed
from bridge.message import Reason
from bridge.pgmq import FailedMessage, QueueMissing, pgmq_queue, queue_names
from bridge.queues import creation, registry
from bridge.requeue import requeue_failed, requeue_message
from wording.typed import read_whole


class Command(BaseCommand):
    help = "Put failed messages back into their queue, as new messages with the same body and all their attempts."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("queue", help="the queue, for example email_queue")
        parser.add_argument("msg_id", nargs="*", type=_id, help="ids of failed messages (queue_status, admin, logs)")
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
            "--since", metavar="TIME", type=_time, help="with --failed: only those that failed since, 2026-11-23T14:30"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        queue, ids = options["queue"], options["msg_id"]
        if bool(ids) == options["failed"]:
            raise CommandError("Name messages by their ids, or give --failed (and not both).")
        filters = [name for name in ("reason", "error", "since") if options[name]]
        if filters and not options["failed"]:
            raise CommandError(f"--{filters[0]} goes with --failed.")
        try:
            if options["failed"]:
                self._requeue_failed(queue, options)
            else:
                self._requeue_ids(queue, ids)
        except QueueMissing as missing:
            raise CommandError(f"{missing}. {_meant(queue)}") from missing
        except BridgeError as error:
            raise CommandError(str(error)) from error

    def _requeue_ids(self, queue: str, ids: list[int]) -> None:
        pgmq_queue(queue).look()  # Once, and not for each of the ids.
        refused = 0
        for msg_id in dict.fromkeys(ids):
            try:
                self._say(msg_id, requeue_message(queue=queue, msg_id=msg_id))
            except BridgeError as error:
                refused += 1
                self.stderr.write(str(error))
        if refused:
            raise CommandError(f"{refused} of {len(ids)} could not be put back.")

    def _requeue_failed(self, queue: str, options: dict[str, Any]) -> None:
        reason = Reason(options["reason"]) if options["reason"] else None
        wanted = partial(_is_wanted, error=options["error"], since=options["since"])
        pgmq_queue(queue).look()  # An unknown queue is an error, and not "nothing to do".
        if not sys.stderr.isatty():
            count = requeue_failed(queue=queue, reason=reason, wanted=wanted, tell=self._say)
        else:
            columns = (TextColumn("putting back"), BarColumn(), MofNCompleteColumn())
            with Progress(*columns, console=Console(stderr=True)) as progress, nullcontext():
                task = progress.add_task("", total=None)
                count = requeue_failed(
                    queue=queue, reason=reason, wanted=wanted, tell=lambda *_: progress.advance(task)
                )
        self.stdout.write(f"{count} put back into {queue}")

    def _say(self, old: int, new: int) -> None:
        self.stdout.write(f"{old} -> {new}")


def _meant(queue: str) -> str:
    """Which queues there are: whoever mistyped a name does not want one of that name."""
    if queue in registry:
        return creation(queue)
    try:
        names = queue_names()
    except ProgrammingError as error:
        if not is_closed(error):
            raise
        names = sorted(each.name for each in registry)
    likely = get_close_matches(queue.lower(), names, n=1) or [name for name in names if name.startswith(f"{queue}_")]
    asked = f"Did you mean {likely[0]}? " if likely else ""
    return f"{asked}There are: {', '.join(names) or 'none'}"


def _is_wanted(failed: FailedMessage, *, error: str | None, since: datetime | None) -> bool:
    if since is not None and failed.archived_at < since:
        return False
    last = failed.history.last_error
    return error is None or (last is not None and error.casefold() in f"{last.type}: {last.message}".casefold())


def _id(text: str) -> int:
    number = read_whole(text)
    if number is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not the id of a message")
    return number


def _time(text: str) -> datetime:
    """A date or a time; without a zone it is one of ours."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time like 2026-11-23T14:30") from None
    return moment if moment.tzinfo else timezone.make_aware(moment)
