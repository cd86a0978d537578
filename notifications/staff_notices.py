"""Notes to staff: made here, asked for by a message like any mail, and written from our own rows when they are sent.

Anybody may put a message into the queue, so a message can only name a note that we have made. Whom it goes to say the
settings (`STAFF_DIGEST_TO`), what it says is up to who made it (`tell_notice`), and its dedupe key lets it out once.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone, translation

from bridge.errors import Refused
from bridge.queues import OWN_PRIORITY
from notifications.mailboxes import same_address
from notifications.models import StaffNotice
from notifications.queue import queue_email
from notifications.writing.catalogue import STAFF_MAIL, NoteToStaff
from notifications.writing.notice import NoticeText
from notifications.writing.request import EmailRequest

# Makes the text of a note. In a transaction in which nobody else makes one, or notes what would be in it.
Writer = Callable[[StaffNotice], NoticeText]

# The first half of the advisory locks' keys: only ours, so that nobody else's numbers collide with them.
NOTICE_LOCK = 7_262_033
# What was not sent by then tells nobody anything; and whoever is named in the settings later gets no old ones.
GOOD_FOR = timedelta(days=7)
FORGOTTEN_AFTER = timedelta(days=90)
NO_SUCH_NOTICE = "there is no such note to staff, or it is too old"
NOT_STAFF = "the address is not in STAFF_DIGEST_TO"

_writers: dict[str, Writer] = {}


def tell_notice(kind: str, writer: Writer) -> None:
    """Say who writes the notes of this kind."""
    _writers[kind] = writer


def staff() -> tuple[str, ...]:
    """Who is told; nobody where this is off."""
    return tuple(settings.STAFF_DIGEST_TO)


def make_notice(kind: str, key: str) -> StaffNotice | None:
    """Make the note and queue a mail of it for each of the staff; `None` where it has been made before.

    In the caller's transaction: both exist with what the caller writes, or neither.
    """
    notice = note_once(kind, key)
    if notice is not None:
        for address in staff():
            # The subject is that of the queue: what the mail says is not known before it is written.
            queue_email(
                to=address,
                subject=str(STAFF_MAIL.label),
                template=STAFF_MAIL.name,
                variables={"notice_id": str(notice.pk)},
                priority=OWN_PRIORITY,
            )
    return notice


def note_once(kind: str, key: str) -> StaffNotice | None:
    """The row alone, which tells nobody anything; `None` where it is there already. Of two at once one gets it."""
    notice = StaffNotice(kind=kind, key=key, created_at=timezone.now())
    StaffNotice.objects.bulk_create([notice], ignore_conflicts=True)
    # Postgres does not say which it was; the id is made here.
    return notice if StaffNotice.objects.filter(pk=notice.pk).exists() else None


def alone(*, wait: bool = True) -> bool:
    """Keep everybody else from making or writing notes until this transaction ends; without `wait`, tell whether."""
    function = "pg_advisory_xact_lock" if wait else "pg_try_advisory_xact_lock"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s, 0)", [NOTICE_LOCK])
        (got,) = cursor.fetchone()
    return wait or bool(got)


def unwelcome_notices(asked: Mapping[UUID, set[str]]) -> dict[tuple[UUID, str], str]:
    """Which of these notes may not go to which of these addresses, and why; one look for all of them."""
    named = {same_address(address) for address in staff()}
    good = StaffNotice.objects.filter(pk__in=asked, created_at__gt=timezone.now() - GOOD_FOR)
    known = set(good.values_list("pk", flat=True)) if named else set()
    return {
        (notice_id, address): NO_SUCH_NOTICE if notice_id not in known else NOT_STAFF
        for notice_id, addresses in asked.items()
        for address in addresses
        if notice_id not in known or same_address(address) not in named
    }


def with_notice(request: EmailRequest) -> EmailRequest:
    """The request with what the note says, and under its own subject; the same request for any other mail."""
    content = request.content
    if not isinstance(content, NoteToStaff):
        return request
    refused = unwelcome_notices({content.notice_id: {request.recipient}})
    if refused:
        raise Refused(refused[content.notice_id, request.recipient])
    text = _text_of(content.notice_id)
    return replace(request, subject=text.subject, content=replace(content, text=text))


def _text_of(notice_id: UUID) -> NoticeText:
    """What was written of it at the first attempt to send it to anybody; now, if this is the first."""
    with transaction.atomic():
        notice = StaffNotice.objects.filter(pk=notice_id).first()
        if notice is not None and notice.text is None:
            alone()
            notice = StaffNotice.objects.select_for_update().filter(pk=notice_id).first()
        if notice is None or notice.kind not in _writers:
            raise Refused(NO_SUCH_NOTICE)
        if notice.text is None:
            with translation.override("ru"):
                notice.text = _writers[notice.kind](notice).kept()
            notice.save(update_fields=["text"])
        return NoticeText.of(notice.text)


def forget_notices() -> int:
    """Delete notes that nobody asks after any more."""
    return StaffNotice.objects.filter(created_at__lt=timezone.now() - FORGOTTEN_AFTER).delete()[0]
