"""`manage.py bridge_queues`: the daemon between pgmq and Celery."""

import argparse
import sys
from contextlib import ExitStack
from typing import Any

from celery import current_app
from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bridge.errors import QueueNotRegistered
from bridge.pgmq import pgmq_queue, QueueMissing
from bridge.publisher import BrokerAway, Publisher
from bridge.queues import Queue, registry
from bridge.runner import Runner, Totals

UNREACHABLE = 3


class Command(BaseCommand):
    help = (
        "Drain the pgmq queues into Celery until SIGTERM or Ctrl-C. "
        "Exit codes: 0 stopped in order or done, 1 bad arguments, 3 Postgres or the broker away (--once, --drain)."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--queue", action="append", metavar="NAME", help="only this queue; may be repeated")
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--once", action="store_true", help="read each queue once, then exit")
        mode.add_argument("--drain", action="store_true", help="go on until no queue has a visible message, then exit")

    def handle(self, *args: Any, **options: Any) -> None:
        queues = _chosen(options["queue"])
        with Publisher(current_app) as publisher:
            runner = Runner(queues, publisher)
            with runner.signals():
                if not (options["once"] or options["drain"]):
                    runner.run()
                    return
                try:
                    runner.run_once() if options["once"] else self._drain(runner, queues)
                except BrokerAway as error:
                    raise CommandError(f"The broker does not answer: {error}", returncode=UNREACHABLE) from error
                except (OperationalError, InterfaceError) as error:
                    raise CommandError(f"Postgres does not answer: {error}", returncode=UNREACHABLE) from error
        self.stdout.write(f"{runner.totals.published} handed to workers, {runner.totals.archived} archived as failed")

    def _drain(self, runner: Runner, queues: list[Queue]) -> None:
        with ExitStack() as stack:
            tell = stack.enter_context(_ProgressBar(queues)) if sys.stderr.isatty() else _silent
            runner.run_until_empty(tell)


def _chosen(names: list[str] | None) -> list[Queue]:
    if not len(registry):
        raise CommandError("No package registered a queue; look at INSTALLED_APPS.")
    try:
        return [registry.get(name) for name in dict.fromkeys(names)] if names else list(registry)
    except QueueNotRegistered as error:
        raise CommandError(str(error)) from error


def _silent(totals: Totals) -> None:
    """Nobody watches: the log has it all."""


class _ProgressBar:
    """Messages that left the queues, out of those that were visible at the start."""

    def __init__(self, queues: list[Queue]) -> None:
        self._queues = queues
        self._progress = Progress(
            TextColumn("handing over"),
            *(BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()),
            console=Console(stderr=True),
        )

    def __enter__(self) -> "_ProgressBar":
        total = 0
        for queue in self._queues:
            try:
                total += pgmq_queue(queue.name).counts().ready
            except QueueMissing:
                continue
        self._progress.start()
        self._task = self._progress.add_task("", total=total)
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, totals: Totals) -> None:
        self._progress.update(self._task, completed=totals.published + totals.archived)
