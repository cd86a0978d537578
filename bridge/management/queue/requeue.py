"""`queue requeue`: failed messages get another chance, as new ones with the same body and all their attempts."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bridge.management.queue._acting import add_manner, known_queue, tell, told_pairs
from bridge.management.queue._typed import add_choice, add_filters, check_choice, rate, wanted_of
from bridge.operations.actor import cli_actor
from bridge.operations.codes import Acted
from bridge.operations.driving import rehearse
from bridge.operations.failures import count
from bridge.operations.requeue import Requeue, requeue, requeue_matching
from bridge.sql.wanted import Wanted

HELP = "Put failed messages back, as new ones with the same body and all their attempts."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_choice(parser, everything="all failed messages that nobody put back or discarded, but refused ones")
    add_filters(parser)
    parser.add_argument(
        "--rate", metavar="N/s", type=rate, help="spread them: so many become due a second (10/s), minute or hour"
    )
    parser.add_argument("--even-discarded", action="store_true", help="with ids: also what was discarded before")
    add_manner(parser)


def handle(command: BaseCommand, options: dict[str, Any]) -> None:
    if options["even_discarded"] and options["all"]:
        raise CommandError("--even-discarded goes with ids: what was discarded has to be named.")
    put_back(command, options, everything="all")


def put_back(command: BaseCommand, options: dict[str, Any], *, everything: str) -> None:
    check_choice(options, everything=everything)
    queue = options["queue"]
    ids = list(dict.fromkeys(options["msg_id"]))
    with known_queue(queue), told_pairs(command, quiet=bool(options.get("json") or options.get("dry_run"))) as told:
        if options[everything]:
            done = _all(queue, _wanted(options), options, told)
        else:
            done = _these(queue, ids, options, told)
    tell(command, queue, done, options, verb="put back", asked=len(ids))


def _wanted(options: dict[str, Any]) -> Wanted:
    missing = dict.fromkeys(("error_type", "pattern", "until", "trace_id"))
    return wanted_of({**missing, **options})


def _all(queue: str, wanted: Wanted, options: dict[str, Any], told: Any) -> Acted:
    if options.get("dry_run"):
        return Acted(count(queue, wanted))
    return requeue_matching(
        queue, wanted, actor=cli_actor(), reason=options.get("why", ""), rate=options.get("rate"), tell=told
    )


def _these(queue: str, ids: list[int], options: dict[str, Any], told: Any) -> Acted:
    even_discarded = bool(options.get("even_discarded"))
    if options.get("dry_run"):
        return rehearse(Requeue(queue, even_discarded), ids)
    return requeue(
        *(queue, ids),
        actor=cli_actor(),
        reason=options.get("why", ""),
        rate=options.get("rate"),
        even_discarded=even_discarded,
        tell=told,
    )
