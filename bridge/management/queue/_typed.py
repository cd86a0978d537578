"""What operators type at the command line, read strictly: ids, times, rates, and which messages they mean."""

import argparse
import re
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from bridge.message import Reason
from bridge.sql.wanted import Wanted
from wording.typed import read_number, read_whole

FILTERS = ("reason", "error_type", "error", "pattern", "since", "until", "trace_id")
_RATE = re.compile(r"(?P<number>[0-9.]{1,12})/(?P<unit>s|m|min|h)")
_SECONDS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def message_id(text: str) -> int:
    number = read_whole(text)
    if number is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not the id of a message")
    return number


def moment(text: str) -> datetime:
    """A date or a time; without a zone it is one of ours."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time like 2026-11-23T14:30") from None
    return found if found.tzinfo else timezone.make_aware(found)


def rate(text: str) -> float:
    """Messages a second."""
    found = _RATE.fullmatch(text.strip())
    number = read_number(found["number"]) if found else None
    if found is None or not number:
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate like 10/s, 300/min or 1000/h")
    return float(number) / _SECONDS[found["unit"]]


def add_filters(parser: argparse.ArgumentParser, *, of_groups: bool = False) -> None:
    """Which failed messages are meant: all that is given must hold. Groups are not looked through for a text."""
    parser.add_argument("--reason", choices=[*Reason], help="only those that failed for this reason")
    parser.add_argument("--error-type", metavar="KIND", help="only those whose last error is of exactly this kind")
    text = argparse.SUPPRESS if of_groups else "only those with this text in kind or words of the last error"
    parser.add_argument("--error", metavar="TEXT", help=text)
    parser.add_argument(
        "--pattern", metavar="TEXT", help="only those of one group: its text as `queue failures` prints it"
    )
    parser.add_argument(
        "--since", metavar="TIME", type=moment, help="only those that failed since, in Moscow: 2026-11-23T14:30"
    )
    parser.add_argument("--until", metavar="TIME", type=moment, help="only those that failed by then")
    parser.add_argument("--trace-id", metavar="ID", help="only those with this trace id")


def wanted_of(options: dict[str, Any]) -> Wanted:
    return Wanted(
        reason=options["reason"],
        error_type=options["error_type"],
        pattern=options["pattern"],
        text=options["error"],
        since=options["since"],
        until=options["until"],
        trace_id=options["trace_id"],
    )


def add_choice(parser: argparse.ArgumentParser, *, everything: str) -> None:
    """Messages by id, or all that match."""
    parser.add_argument("queue", help="the queue, for example email_queue")
    parser.add_argument("msg_id", nargs="*", type=message_id, help="ids of messages (queue failures, admin, logs)")
    parser.add_argument("--all", action="store_true", help=everything)


def check_choice(options: dict[str, Any], *, everything: str = "all") -> None:
    if bool(options["msg_id"]) == options[everything]:
        raise CommandError(f"Name messages by their ids, or give --{everything} (and not both).")
    given = [name for name in FILTERS if options.get(name)]
    if given and not options[everything]:
        raise CommandError(f"--{given[0].replace('_', '-')} goes with --{everything}.")
