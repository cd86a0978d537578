"""`queue failures`: what failed and is open, in groups of one cause, or message by message."""

import argparse
import io
import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from rich.console import Console
from rich.table import Table

from bridge.management.queue._acting import known_queue
from bridge.management.queue._typed import add_filters, wanted_of
from bridge.operations.failures import require_groups
from bridge.rollup.failures import FailureGroup, OpenFailure, failure_groups, open_failures

HELP = "Show what failed and is open, in groups of one cause; --each: message by message."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("queue", help="the queue, for example email_queue")
    add_filters(parser, of_groups=True)
    parser.add_argument("--each", action="store_true", help="the newest messages themselves")
    parser.add_argument("--limit", type=int, default=50, help="how many of them, or of the groups (default: 50)")
    parser.add_argument("--json", action="store_true", help="one JSON object for programs")


def handle(command: BaseCommand, options: dict[str, Any]) -> None:
    queue, most = options["queue"], options["limit"]
    if not 1 <= most <= 10_000:
        raise CommandError("--limit is a number from 1 to 10000.")
    if options["error"]:
        raise CommandError("--error goes with requeue and discard: groups have a --pattern and an --error-type.")
    wanted = wanted_of(options)
    with known_queue(queue):
        require_groups()
        rows: list[OpenFailure] | list[FailureGroup]
        rows = open_failures(queue, wanted, limit=most) if options["each"] else failure_groups(queue, wanted, most=most)
    if options["json"]:
        told = {"queue": queue, "failures" if options["each"] else "groups": [asdict(row) for row in rows]}
        command.stdout.write(json.dumps(told, default=str))
        return
    _print(command, [*map(_line, rows)], each=options["each"])


def _line(row: OpenFailure | FailureGroup) -> tuple[str, ...]:
    if isinstance(row, OpenFailure):
        failed, error = _minute(row.archived_at), f"{row.error_type}: {row.error}"
        return str(row.msg_id), failed, str(row.attempts), row.reason, error, row.trace_id
    times = _minute(row.first_at), _minute(row.last_at)
    return str(row.count), row.reason, row.error_type, row.pattern, *times, str(row.example)


def _minute(moment: datetime) -> str:
    """As `--since` reads it."""
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M}"


_HEADINGS = {
    True: ("message", "failed (Moscow)", "attempts", "reason", "error", "trace id"),
    False: ("how many", "reason", "error type", "pattern", "first (Moscow)", "last (Moscow)", "one of them"),
}


def _print(command: BaseCommand, lines: list[tuple[str, ...]], *, each: bool) -> None:
    # Into a text first: `stdout` may be anything, and a pipe should get the whole width.
    text = io.StringIO()
    watched = command.stdout.isatty()
    console = Console(file=text, force_terminal=watched, width=None if watched else 200, highlight=False, markup=False)
    table = Table()
    for heading in _HEADINGS[each]:
        table.add_column(heading, overflow="fold")
    for line in lines:
        table.add_row(*line)
    console.print(table if lines else "nothing failed that is open")
    command.stdout.write(text.getvalue(), ending="")
