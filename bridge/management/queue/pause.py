"""`manage.py queue pause`: nothing of a queue is started until then, or until somebody resumes it."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bridge.errors import BridgeError
from bridge.management.queue._times import an_end, at, span
from bridge.operations.actor import cli_actor
from bridge.operations.pausing import PauseDone, change_pause, pause, paused

HELP = "Start nothing of a queue until a time, or until it is resumed. What runs is finished."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("queue", help="the queue, for example email_queue")
    parser.add_argument("--why", default="", help="the reason, for those who find it paused")
    end = parser.add_mutually_exclusive_group()
    end.add_argument("--for", dest="until", type=span, metavar="SPAN", help="how long: 90s, 30m, 1h, 1h30m, 2d")
    end.add_argument("--until", type=at, metavar="TIME", help="till when, in Moscow: 08:00, 2026-11-27 08:00, ISO 8601")
    parser.add_argument("--change", action="store_true", help="give a pause that is in force this end and reason")


def handle(command: BaseCommand, options: dict[str, Any]) -> None:
    queue, why, until = options["queue"], options["why"], options["until"]
    try:
        done = _change(queue, why, until) if options["change"] else pause(queue, cli_actor(), why, until=until)
    except BridgeError as error:
        raise CommandError(str(error)) from error
    if not done.changed:
        raise CommandError(_refusal(queue, done))
    assert done.hold is not None  # noqa: S101 # It was placed in this very transaction.
    command.stdout.write(f"{done.hold.queue} is paused {an_end(done.hold)}")


def _change(queue: str, why: str, until: Any) -> PauseDone:
    seen = paused(queue)
    if seen is None:
        return PauseDone(0, {"not_paused": 1})
    return change_pause(seen, cli_actor(), why, until=until)


def _refusal(queue: str, done: PauseDone) -> str:
    if done.hold is None:
        return f"{queue} is not paused"
    hold = done.hold
    told = f"by {hold.by}, {an_end(hold)}: {hold.why or 'no reason given'}"
    if "changed_before" in done.skipped:
        return f"{queue}: somebody else changed its pause just now; it is {told}"
    return f"{queue} is paused already, {told}. With --change it gets another end and reason"
