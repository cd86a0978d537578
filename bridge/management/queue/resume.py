"""`manage.py queue resume`: the work on a paused queue goes on."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bridge import holds
from bridge.errors import BridgeError
from bridge.operations.actor import cli_actor
from bridge.operations.pausing import resume

HELP = "Let the work on a paused queue go on."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("queue", help="the queue, for example email_queue")
    parser.add_argument("--why", default="", help="the reason, for whoever looks at what was done")


def handle(command: BaseCommand, options: dict[str, Any]) -> None:
    try:
        done = resume(options["queue"], cli_actor(), options["why"])
    except BridgeError as error:
        raise CommandError(str(error)) from error
    if not done.changed or done.hold is None:
        raise CommandError(f"{options['queue']} is not paused")
    queue = done.hold.queue
    command.stdout.write(f"{queue} goes on; it was paused by {done.hold.by}")
    for hold in holds.in_force(queue).get(queue, []):
        command.stdout.write(f"{queue} is still held, {hold}")
