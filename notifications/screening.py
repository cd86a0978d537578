"""Tells by the hundreds which messages of the mail queue `notifications.tasks.send_email` would end unsent.

Whatever passes there must pass here. The other way round nothing is promised: the worker checks everything again.
"""

import logging
import time
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from bridge.errors import DuplicateMessage, InvalidMessage, NotYet, PermanentError, Refused
from bridge.message import Unreadable
from bridge.queues import Candidate, Verdict
from bridge.seldom import Seldom
from notifications.errors import CustomersHidden
from notifications.mail_log import ASKED_BEFORE
from notifications.models import HOLDING_KEY, EmailMessage, Status
from notifications.recipients import WINDOW, Claim, Subject, find_own, find_unwelcome, has_place, too_many
from notifications.staff_notices import unwelcome_notices
from notifications.writing.catalogue import Thing
from notifications.writing.request import EmailRequest, mailbox_of

logger = logging.getLogger(__name__)

# Fewer are no flood: workers are through with them in a second, and say what they always say.
LEAST = 25
FIRST = "others to the same mailbox go first"
_seldom = Seldom()
_MISTAKES = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class Passing:
    """What was let pass a moment ago, and may not stand in the mail log yet: a flood is judged batch by batch."""

    SECONDS = 3.0

    def __init__(self) -> None:
        self._passed: deque[tuple[float, _Asked]] = deque()

    def add(self, one: "_Asked") -> None:
        self._passed.append((time.monotonic(), one))

    def by_mailbox(self, *, noted: set[int | None]) -> dict[str, list[Subject]]:
        while self._passed and self._passed[0][0] < time.monotonic() - self.SECONDS:
            self._passed.popleft()
        found: dict[str, list[Subject]] = defaultdict(list)
        for _, one in self._passed:
            if one.msg_id not in noted:
                found[one.mailbox].append(one.subject)
        return found


_passing = Passing()


@dataclass(frozen=True, slots=True)
class _Asked:
    msg_id: int
    recipient: str
    mailbox: str
    dedupe_key: str
    subject: Subject
    claim: Claim


def judge(candidates: Sequence[Candidate]) -> Mapping[int, Verdict]:
    """How the messages end that no worker would send, by their ids."""
    try:
        # A savepoint: what Postgres refuses to show ends the transaction otherwise.
        with transaction.atomic():
            return _judged(candidates)
    except CustomersHidden as hidden:
        if _seldom.tell("hidden"):
            logger.error("no message is refused before a worker has it: %s", hidden)
        return {}


def _judged(candidates: Sequence[Candidate]) -> dict[int, Verdict]:
    verdicts: dict[int, Verdict] = {}
    asked = []
    for candidate in candidates:
        found = _read(candidate)
        if isinstance(found, _Asked):
            asked.append(found)
        elif found is not None:
            verdicts[candidate.msg_id] = found
    verdicts |= _refused_notices(asked)
    asked = [one for one in asked if one.msg_id not in verdicts]
    for_families = [one for one in asked if one.claim[0] is not Thing.NOTICE]
    unwelcome = find_unwelcome({one.recipient for one in for_families})
    verdicts |= {one.msg_id: Refused(unwelcome[one.recipient]) for one in for_families if one.recipient in unwelcome}
    verdicts |= _repeated([one for one in asked if one.msg_id not in verdicts])
    # How many notes there are is up to who makes them.
    return verdicts | _too_many([one for one in for_families if one.msg_id not in verdicts])


def _refused_notices(asked: Iterable[_Asked]) -> dict[int, Verdict]:
    """Those that ask for a note to staff which we have not made, or for somebody else."""
    notes = [(one.msg_id, UUID(one.claim[1]), one.recipient) for one in asked if one.claim[0] is Thing.NOTICE]
    if not notes:
        return {}
    wanted: dict[UUID, set[str]] = defaultdict(set)
    for _, notice_id, recipient in notes:
        wanted[notice_id].add(recipient)
    refused = unwelcome_notices(wanted)
    return {msg_id: Refused(refused[key, to]) for msg_id, key, to in notes if (key, to) in refused}


def _read(candidate: Candidate) -> _Asked | PermanentError | None:
    """What the message asks for, or why it is unusable; `None`: the worker has to say that."""
    body = candidate.read()
    if isinstance(body, Unreadable):
        return InvalidMessage(f"the message cannot be read: {body.why}")
    if not isinstance(body, dict):
        return None
    try:
        request = EmailRequest.parse(body)
    except PermanentError as error:
        return error
    except _MISTAKES as error:  # Nobody may stop the screen with one message. The worker meets this error, and logs it.
        logger.debug("%s is not screened: %s", candidate.msg_id, type(error).__name__)
        return None
    thing, id_ = request.content.about()
    return _Asked(
        candidate.msg_id,
        request.recipient,
        mailbox_of(request.recipient),
        request.dedupe_key,
        (request.template, id_),
        (thing, id_, request.recipient),
    )


def _repeated(asked: Iterable[_Asked]) -> dict[int, Verdict]:
    """Those that ask for what was sent already, or is asked for by one before it."""
    keyed = [one for one in asked if one.dedupe_key]
    sent = EmailMessage.objects.filter(dedupe_key__in={one.dedupe_key for one in keyed}, status=Status.SENT)
    holders = dict(sent.values_list("dedupe_key", "msg_id"))
    verdicts: dict[int, Verdict] = {}
    seen: set[str] = set()
    for one in keyed:
        if one.dedupe_key in holders:
            holder = holders[one.dedupe_key]
            verdicts[one.msg_id] = DuplicateMessage(f"{ASKED_BEFORE} {holder}", original=holder)
        elif one.dedupe_key in seen:
            verdicts[one.msg_id] = NotYet(FIRST)
        seen.add(one.dedupe_key)
    return verdicts


def _too_many(asked: Sequence[_Asked]) -> dict[int, Verdict]:
    """Those whose mailbox gets no more mails within the hour."""
    sent, noted = _sent_within_the_hour({one.mailbox for one in asked})
    own = find_own({one.claim for one in asked})
    passed = _passing.by_mailbox(noted=noted)
    verdicts: dict[int, Verdict] = {}
    for one in asked:
        before = sent[one.mailbox]
        if not _has_place(before, one, own):
            verdicts[one.msg_id] = Refused(too_many(len(before)))
        elif _has_place(before + passed[one.mailbox], one, own):
            passed[one.mailbox].append(one.subject)
            _passing.add(one)
        else:
            verdicts[one.msg_id] = NotYet(FIRST)
    return verdicts


def _has_place(sent: Sequence[Subject], one: _Asked, own: Collection[Claim]) -> bool:
    return has_place(sent, one.subject, is_own=lambda: one.claim in own)


def _sent_within_the_hour(mailboxes: set[str]) -> tuple[dict[str, list[Subject]], set[int | None]]:
    """What the mailboxes were sent, and by which messages."""
    recent = EmailMessage.objects.filter(mailbox__in=mailboxes, created_at__gt=timezone.now() - WINDOW)
    rows = recent.filter(status__in=HOLDING_KEY).values_list("mailbox", "template", "about", "msg_id")
    sent: dict[str, list[Subject]] = defaultdict(list)
    noted: set[int | None] = set()
    for mailbox, template, about, msg_id in rows:
        sent[mailbox].append((template, about))
        noted.add(msg_id)
    return sent, noted
