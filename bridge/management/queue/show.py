"""`manage.py queue show`: one message, every attempt of it, and who did what to it."""

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bridge.management.queue._acting import known_queue
from bridge.management.queue._typed import message_id
from bridge.management.queue._words import by_code
from bridge.models import OperatorAction
from bridge.operations.looking import Looked, look_at
from bridge.tries import Try
from wording.masking import mask_tokens

HELP = "Show one message: how it stands, every attempt, who did what to it; its body only if it is asked for."

MOST_CHARACTERS = 100_000
_OF_THE_HISTORY = (
    *("attempts", "trace_id", "next_retry_at", "leased_until", "reason", "finished_at"),
    *("requeued_from", "requeued_as", "requeued_at", "discarded_at", "original"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("queue", help="the queue, for example email_queue")
    parser.add_argument("msg_id", type=message_id, help="the id of the message")
    parser.add_argument("--body", action="store_true", help="its body as well, which may hold what is private")
    parser.add_argument("--json", action="store_true", help="one JSON object for programs")


def handle(command: BaseCommand, options: dict[str, Any]) -> None:
    queue, msg_id = options["queue"], options["msg_id"]
    with known_queue(queue):
        found = look_at(queue, msg_id, characters=MOST_CHARACTERS if options["body"] else 0)
    if found is None:
        raise CommandError(f"{queue} {msg_id} is neither in the queue nor in its archive")
    told = _as_json(found, with_body=options["body"])
    command.stdout.write(json.dumps(told, default=str) if options["json"] else "\n".join(_lines(told)))


def _as_json(found: Looked, *, with_body: bool) -> dict[str, Any]:
    row, history = found.whole.row, found.whole.row.history
    told: dict[str, Any] = {"queue": found.queue, "msg_id": row.msg_id, "state": found.state}
    told["due_at" if found.whole.state is not None else "archived_at"] = row.at
    told |= {"enqueued_at": row.enqueued_at, "reads": row.read_ct, "octets": found.whole.octets}
    told |= {name: history[name] for name in _OF_THE_HISTORY if name in history}
    if isinstance(error := history.get("last_error"), dict):
        told["last_error"] = f"{error.get('type')}: {error.get('message')}"
    told["tries"] = [_try(one) for one in found.tries]
    told["actions"] = [_action(one) for one in found.actions]
    if with_body:
        told["body"] = None if row.text is None else mask_tokens(row.text)
    return told


def _try(one: Try) -> dict[str, Any]:
    how = "underway" if one.is_underway else "lost" if one.is_lost else "failed" if one.error else "done"
    error = f"{one.error.type}: {one.error.message}" if one.error else ""
    return {
        "number": one.number,
        "started_at": one.started_at,
        "seconds": one.seconds,
        "worker": one.worker,
        "how": how,
        "error": error,
    }


def _action(row: OperatorAction) -> dict[str, Any]:
    told = {"at": row.at, "action": row.action, "who": f"{row.actor} ({row.actor_kind})", "why": row.reason}
    return {**told, "count": row.count, "left_alone": by_code(row.skipped), "id": row.pk}


def _lines(told: dict[str, Any]) -> list[str]:
    lines = [f"{name}: {value}" for name, value in told.items() if name not in ("tries", "actions", "body")]
    for one in told["tries"]:
        seconds = "" if one["seconds"] is None else f", {one['seconds']:g} s"
        error = f": {one['error']}" if one["error"] else ""
        lines.append(f"attempt {one['number']}: {one['started_at']}{seconds}, {one['worker']}, {one['how']}{error}")
    for one in told["actions"]:
        why = f": {one['why']}" if one["why"] else ""
        lines.append(f"action {one['id']}: {one['at']}, {one['action']} by {one['who']}{why}")
    if "body" in told:
        lines.append(f"body: {'too large to be shown' if told['body'] is None else told['body']}")
    return lines
