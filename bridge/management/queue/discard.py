"""`queue discard`: what waits never runs, and what failed leaves the lists."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand

from bridge.management.queue._acting import add_manner, known_queue, tell
from bridge.management.queue._typed import add_choice, add_filters, check_choice, wanted_of
from bridge.operations.actor import cli_actor
from bridge.operations.codes import Acted
from bridge.operations.discard import Discard, discard, discard_matching
from bridge.operations.driving import rehearse
from bridge.operations.failures import count

HELP = "End messages that wait, or mark failed ones as dealt with; never one that runs."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_choice(
        parser, everything="all failed messages that nobody put back or discarded; what waits is named by its id"
    )
    add_filters(parser)
    add_manner(parser)


def handle(command: BaseCommand, options: dict[str, Any]) -> None:
    check_choice(options)
    queue, ids = options["queue"], list(dict.fromkeys(options["msg_id"]))
    with known_queue(queue):
        done = _act(queue, ids, options)
    tell(command, queue, done, options, verb="discarded", asked=len(ids))


def _act(queue: str, ids: list[int], options: dict[str, Any]) -> Acted:
    actor, why, wanted = cli_actor(), options["why"], wanted_of(options)
    if options["dry_run"]:
        return Acted(count(queue, wanted)) if options["all"] else rehearse(Discard(queue), ids)
    if options["all"]:
        return discard_matching(queue, wanted, actor=actor, reason=why)
    return discard(queue, ids, actor=actor, reason=why)
