"""`manage.py queue status`: how the queues stand."""

import argparse
import io
import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError
from django.utils import translation
from rich.console import Console
from rich.table import Table

from bridge.breaker.rows import cause_of
from bridge.breaker.states import ServiceState
from bridge.budget import explain_full, is_full
from bridge.management.queue._times import shown
from bridge.postgres import first_line
from bridge.processes.pulse import Kind
from bridge.status import HOURS, QueueStatus, Status, read_status, running_workers
from bridge.trouble.explanation import EXIT_CODE

HELP = "Show each queue: what waits, runs and repeats, what ended in the last 24 hours, and whether a bridge lives."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object for programs")
    parser.add_argument(
        "--check",
        action="store_true",
        help="exit 1 unless a bridge lives, the broker answers, and all tables that are needed can be seen",
    )


def handle(command: BaseCommand, options: dict[str, Any]) -> None:
    try:
        status = read_status()
    except OperationalError as error:
        if is_full(error):
            told = f"{first_line(error)}: {explain_full(workers=running_workers() or 1)}"
            raise CommandError(told, returncode=EXIT_CODE) from error
        raise
    if options["json"]:
        command.stdout.write(json.dumps(_as_json(status), default=str))
    else:
        _print(command, status)
    if options["check"] and (problem := _problem(status)):
        raise CommandError(problem)


def _print(command: BaseCommand, status: Status) -> None:
    # Into a text first: `stdout` may be anything, and a pipe should get the whole width.
    text = io.StringIO()
    watched = command.stdout.isatty()
    console = Console(file=text, force_terminal=watched, width=None if watched else 150, highlight=False)
    console.print(_table(status.queues))
    _print_holds(console, status)
    for queue in status.queues:
        if queue.kept:
            kept = f"{queue.name}: {queue.kept} outcomes wait until they can be written: {queue.kept_why}"
            console.print(kept, style="red", markup=False)
        if queue.handler and queue.others:
            taken = f"{queue.name}: {queue.others} messages were archived by somebody else in the last {HOURS} h"
            console.print(taken, style="red", markup=False)
    for name in status.missing:
        console.print(f"{name}: registered, but there is no such queue: select pgmq.create('{name}')", style="red")
    for name in status.unread:
        console.print(f"{name}: its messages cannot be counted", style="red")
    for trouble in status.troubles:
        console.print(str(trouble), style="red", markup=False, soft_wrap=True)
    bridges = "nobody can tell" if status.bridges is None else ", ".join(status.bridges) or "none"
    console.print(f"bridges alive: {bridges}", style="" if status.bridges else "red", markup=False)
    _print_processes(console, status)
    if status.open_functions:
        console.print("whoever holds Supabase's public key may read or write messages. Their owner ends that with:")
    for function in status.open_functions:
        console.print(f"  {function.remedy}", markup=False, soft_wrap=True)
    _print_surroundings(console, status)
    command.stdout.write(text.getvalue(), ending="")


def _print_processes(console: Console, status: Status) -> None:
    for kind, title in ((Kind.WORKER, "workers"), (Kind.BEAT, "beat"), (Kind.WEB, "web")):
        alive = [process.name for process in status.processes if process.kind == kind and process.is_alive]
        if alive:
            console.print(f"{title} alive: {', '.join(alive)}", markup=False)
    for process in status.processes:
        if process.is_missed:
            told = f"{process.kind} {process.name} fell silent at {shown(process.seen_at)}"
            console.print(told, style="red", markup=False)
        elif process.is_alive and process.waits_for:
            console.print(f"{process.kind} {process.name} waits: {process.waits_for}", style="red", markup=False)


def _print_holds(console: Console, status: Status) -> None:
    """Services that are away, and what else keeps a queue from being worked on."""
    for service in status.away:
        console.print(_about(service), style="red", markup=False, soft_wrap=True)
    told = {cause_of(service.name) for service in status.away}
    for hold in status.holds:
        if hold.cause not in told:
            console.print(f"{hold.queue}: nothing is started, {hold}", style="yellow", markup=False, soft_wrap=True)


def _about(service: ServiceState) -> str:
    since = f" since {shown(service.since)}" if service.since else ""
    with translation.override("en"):
        return (
            f"{service.label} ({service.name}) does not do its part{since}:"
            f" {service.why.rstrip('. ')}. {service.waiting} messages wait in {', '.join(service.queues)}."
            f" {service.advice}"
        )


def _print_surroundings(console: Console, status: Status) -> None:
    if status.undumped:
        console.print(str(status.undumped), markup=False, soft_wrap=True)
    if status.broker_problem:
        console.print(status.broker_problem, style="red", markup=False, soft_wrap=True)


def _table(queues: list[QueueStatus]) -> Table:
    caption = f"done, failed (refused are a part of them, what was put back is none), duplicate: in the last {HOURS} h"
    table = Table(caption=caption, caption_justify="left")
    table.add_column("queue", no_wrap=True)
    table.add_column("handler")
    ended = ("done", "failed", "refused", "duplicate")
    for heading in ("ready", "oldest", "in line", "running", "retrying", "delayed", *ended):
        table.add_column(heading, justify="right")
    table.add_column("wake-up")
    for queue in queues:
        counts = queue.counts
        oldest = "" if counts.oldest_seconds is None else f"{counts.oldest_seconds:.0f} s"
        numbers = [counts.in_line, counts.running, counts.retrying, counts.delayed]
        archived = [queue.succeeded, queue.failed, queue.refused, queue.duplicates]
        table.add_row(
            queue.name,
            queue.handler or "no handler",
            *(str(counts.ready), oldest),
            *map(str, numbers + archived),
            queue.wakeup or "polling",
        )
    return table


def _as_json(status: Status) -> dict[str, Any]:
    return {**asdict(status), "queues": [queue.as_json() for queue in status.queues]}


def _problem(status: Status) -> str:
    if status.troubles:
        return f"The role of DATABASE_URL cannot reach all that is needed: {status.troubles[0]}"
    if status.broker_problem:
        return status.broker_problem
    return "" if status.bridges else "No bridge process reported within the last seconds: start manage.py bridge_queues"
