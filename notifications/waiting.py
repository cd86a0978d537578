"""Mails that nobody began to send: they have no row yet, and a client who telephones asks after them all the same.

They are looked for in the queue itself, as far as that is found at once; pages say the rest without it.
"""

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.db import DatabaseError, transaction
from django.http import HttpRequest

from bridge.admin.addresses import ways_to_messages
from bridge.admin.held import why_held
from bridge.errors import BridgeError
from bridge.pgmq import PgmqQueue, pgmq_queue
from bridge.postgres import first_line, is_outage
from notifications.clients import MOST_WORDS
from notifications.finding import addresses_named
from notifications.models import EmailMessage
from notifications.queue import QUEUE
from notifications.writing.catalogue import ALL_MAILS
from staff.elsewhere import Way
from staff.formats import moment
from wording.plain_text import one_line

logger = logging.getLogger(__name__)

MOST = 10
_CHARACTERS = 5000


@dataclass(frozen=True, slots=True)
class WaitingMail:
    """What it is and to whom, as its message claims; `message` leads to it whoever may see messages."""

    what: str
    recipient: str
    queued: str
    message: Way | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """`held`: why none of them is begun, a sentence for each cause."""

    mails: list[WaitingMail]
    held: list[str]


def waiting_for(request: HttpRequest, text: str) -> Waiting | None:
    """Those to whom a search means: an address or a part of it, a client's name or telephone number."""
    words = [word for word in text.split()[:MOST_WORDS] if word != "@"]
    if not words:
        return None
    addresses = addresses_named(text)
    return _found(request, lambda queue: queue.queued_with(["to"], values=addresses, words=words, limit=MOST))


def waiting_about(request: HttpRequest, things: Iterable[tuple[str, str]]) -> Waiting | None:
    """Those whose variables name one of these things: a payment, a consultation, by key and id."""
    named = list(things)

    def look(queue: PgmqQueue) -> list[int]:
        found = (queue.queued_with(["variables", key], values=[id_], limit=MOST) for key, id_ in named)
        return sorted({msg_id for ids in found for msg_id in ids}, reverse=True)[:MOST]

    return _found(request, look)


def held_mails() -> list[str]:
    """Why no mail is sent now; nothing where they are."""
    return why_held(QUEUE)


def claims_of(text: str | None) -> dict[str, str]:
    """To whom a message says that it is, what about, and of which template; what cannot be read is left out."""
    try:
        body = json.loads(text or "null")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(body, dict):
        return {}
    return {key: one_line(body[key], 320) for key in ("to", "subject", "template") if isinstance(body.get(key), str)}


def _found(request: HttpRequest, look: Callable[[PgmqQueue], list[int]]) -> Waiting | None:
    try:
        with transaction.atomic():
            queue = pgmq_queue(QUEUE)
            ids = look(queue)
            begun = set(EmailMessage.objects.filter(queue=QUEUE, msg_id__in=ids).values_list("msg_id", flat=True))
            mails = [_mail(request, queue, msg_id) for msg_id in ids if msg_id not in begun]
    except BridgeError:
        return None
    except DatabaseError as error:
        if is_outage(error):
            raise
        logger.warning("mails that wait are not shown, Postgres says: %s", first_line(error))
        return None
    there = [mail for mail in mails if mail is not None]
    return Waiting(there, held_mails()) if there else None


def _mail(request: HttpRequest, queue: PgmqQueue, msg_id: int) -> WaitingMail | None:
    whole = queue.find(msg_id, characters=_CHARACTERS)
    if whole is None or whole.state is None:
        # It was begun since, and its row tells more.
        return None
    body = claims_of(whole.row.text)
    template = ALL_MAILS.get(body.get("template", ""))
    what = str(template.label) if template else body.get("subject", "") or body.get("template", "")
    way = next(iter(ways_to_messages(request, QUEUE, [msg_id])), None)
    return WaitingMail(what, body.get("to", ""), moment(whole.row.enqueued_at), way)
