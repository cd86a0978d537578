"""What the verbs that change something have in common: what they ask for, and how they say what came of it."""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from bridge.errors import BridgeError
from bridge.management.queue._words import by_code, meant, why_not
from bridge.operations.codes import Acted
from bridge.operations.driving import Changed, Tell
from bridge.pgmq import QueueMissing, pgmq_queue


def add_manner(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--why", metavar="TEXT", default="", help="the reason, for the list of actions")
    parser.add_argument("--dry-run", action="store_true", help="change nothing, and say how many it would be")
    parser.add_argument("--json", action="store_true", help="one JSON object for programs")


@contextmanager
def known_queue(queue: str) -> Iterator[None]:
    """An unknown queue is an error, and not "nothing to do"; what there is instead is said."""
    try:
        pgmq_queue(queue).look()
        yield
    except QueueMissing as missing:
        raise CommandError(f"{missing}. {meant(queue)}") from missing
    except BridgeError as error:
        raise CommandError(str(error)) from error


@contextmanager
def told_pairs(command: BaseCommand, *, quiet: bool) -> Iterator[Tell]:
    """A line for each message that was sent again, or a bar for whoever watches."""
    if quiet or not sys.stderr.isatty():
        yield lambda done: None if quiet else _say(command, done)
        return
    columns = (TextColumn("putting back"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=None)
        yield lambda done: progress.advance(task, len(done.ids))


def _say(command: BaseCommand, done: Changed) -> None:
    for old, new in done.pairs:
        command.stdout.write(f"{old} -> {new}")


def tell(
    command: BaseCommand, queue: str, done: Acted, options: dict[str, Any], *, verb: str, asked: int | None = None
) -> None:
    """What came of it. `asked` is how many were named: one of them that was left alone is an error then."""
    if options.get("json"):
        command.stdout.write(json.dumps(_as_json(done, is_rehearsal=bool(options.get("dry_run")))))
    else:
        _tell_people(command, queue, done, options, verb, asked)
    if asked and done.refusals and not options.get("dry_run"):
        raise CommandError(f"{sum(done.skipped.values())} of {asked} could not be {verb}.")


def _tell_people(
    command: BaseCommand, queue: str, done: Acted, options: dict[str, Any], verb: str, asked: int | None
) -> None:
    if asked:
        for refusal in done.refusals:
            command.stderr.write(why_not(queue, refusal))
    left = f"; left alone: {by_code(done.skipped)}" if done.skipped else ""
    if options.get("dry_run"):
        command.stdout.write(f"{done.changed} would be {verb} in {queue}{left}; nothing was changed")
    elif not asked or not done.pairs:
        command.stdout.write(
            f"{done.changed} {verb} {'into' if done.pairs or verb == 'put back' else 'in'} {queue}{left}"
        )


def _as_json(done: Acted, *, is_rehearsal: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"changed": done.changed, "skipped": dict(done.skipped), "action": done.action_id}
    told["left_alone"] = [{"msg_id": one.msg_id, "code": one.code.value, **one.values} for one in done.refusals]
    if done.pairs:
        told["pairs"] = [list(pair) for pair in done.pairs]
    return {**told, "dry_run": is_rehearsal}
