"""`queue retry`: what waits for its repeat is due at once."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand

from bridge.management.queue._acting import add_manner, known_queue, tell
from bridge.management.queue._typed import add_choice, check_choice
from bridge.operations.actor import cli_actor
from bridge.operations.codes import Acted
from bridge.operations.driving import rehearse
from bridge.operations.retry import Retry, retry_now, retry_waiting, waiting_ids
from bridge.sql.wanted import Wanted

HELP = "Let messages that wait for their repeat be due at once."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_choice(parser, everything="all that wait for a repeat")
    parser.add_argument("--error-type", metavar="KIND", help="only those whose last error is of exactly this kind")
    parser.add_argument("--error", metavar="TEXT", help="only those with this text in kind or words of the last error")
    parser.add_argument("--trace-id", metavar="ID", help="only those with this trace id")
    add_manner(parser)


def handle(command: BaseCommand, options: dict[str, Any]) -> None:
    check_choice(options)
    queue, ids = options["queue"], list(dict.fromkeys(options["msg_id"]))
    with known_queue(queue):
        done = _act(queue, ids, options)
    tell(command, queue, done, options, verb="made due", asked=len(ids))


def _act(queue: str, ids: list[int], options: dict[str, Any]) -> Acted:
    actor, why = cli_actor(), options["why"]
    wanted = Wanted(error_type=options["error_type"], text=options["error"], trace_id=options["trace_id"])
    if options["dry_run"]:
        return rehearse(Retry(queue), waiting_ids(queue, wanted) if options["all"] else ids)
    if options["all"]:
        return retry_waiting(queue, wanted, actor=actor, reason=why)
    return retry_now(queue, ids, actor=actor, reason=why)
