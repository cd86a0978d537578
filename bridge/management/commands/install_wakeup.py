"""`manage.py install_wakeup`: messages are seen at once instead of at the next poll."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand
from django.db import ProgrammingError

from bridge import wakeup
from bridge.errors import is_closed
from bridge.pgmq import QueueMissing, queue_names
from bridge.queues import creation, registry


class Command(BaseCommand):
    help = (
        "Install a trigger on the queue tables that wakes the bridge up at each insert. Says what it runs. Where the "
        "role may not, it prints the statement for the tables' owner and exits 0: the bridge then polls."
    )
    # It must work whatever else is wrong.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--method", choices=[*wakeup.Method], default=wakeup.Method.TRIGGER, help="default: trigger"
        )
        parser.add_argument("--remove", action="store_true", help="take the wake-ups away")

    def handle(self, *args: Any, **options: Any) -> None:
        method = wakeup.Method(options["method"])
        for queue in registry:
            try:
                done = wakeup.remove(queue.name) if options["remove"] else wakeup.install(queue.name, method)
            except QueueMissing as missing:
                self.stderr.write(f"{queue.name}: left out, {missing}. {creation(queue.name)}")
                continue
            if done.problem:
                self.stderr.write(f"{queue.name}: not possible for this role ({done.problem})")
                self.stderr.write(
                    f"  The bridge will poll. For wake-ups, let the owner of the table run:\n  {done.statement};"
                )
            else:
                self.stdout.write(f"{queue.name}: {done.statement}")
        for name in _others():
            self.stdout.write(f"{name}: no handler, left as it is")


def _others() -> list[str]:
    try:
        return [name for name in queue_names() if name not in registry]
    except ProgrammingError as error:
        if is_closed(error):
            return []
        raise
