"""`manage.py bridge_queues`: the daemon between pgmq and Celery."""

import argparse
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from celery import current_app
from django.core.management.base import BaseCommand, CommandError

from bridge.daemon.publisher import Publisher
from bridge.daemon.runner import Runner, Totals
from bridge.errors import QueueNotRegistered
from bridge.queues import Queue, registry


class Command(BaseCommand):
    help = (
        "Drain the pgmq queues into Celery until SIGTERM or Ctrl-C. Exit codes: 0 stopped in order or done; 1 no queue "
        "has that name, or one was left alone (--once, --drain); 2 arguments that it does not know; 3 Postgres or "
        "Redis do not do their part, or DATABASE_URL must not be used."
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
                runner.run_once() if options["once"] else self._drain(runner, queues)
        for name, why in runner.left_alone.items():
            self.stderr.write(f"{name} was left alone: {'; '.join(map(str, why))}")
        self.stdout.write(f"{runner.totals.published} handed to workers, {runner.totals.archived} archived as failed")
        if runner.left_alone:
            raise CommandError("Not all queues could be touched.")

    def _drain(self, runner: Runner, queues: list[Queue]) -> None:
        with ExitStack() as stack:
            tell: Callable[[Totals], None] = _silent
            if sys.stderr.isatty():
                # Here and not above: the daemon, which never draws, is 3 MB smaller without it.
                from bridge.daemon.progress import ProgressBar  # noqa: PLC0415

                tell = stack.enter_context(ProgressBar(queues))
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
