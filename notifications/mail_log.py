"""Keeps the mail log in step with what happens to a message: the only writer of the rows of live messages."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone

from bridge.changes import Changes
from bridge.errors import DuplicateMessage, Refused, TokenLost
from bridge.message import LastError, Message, Reason
from bridge.queues import Refusal
from bridge.reasons import FailureReason
from bridge.record import Statement
from notifications.entering import LOCK_KEY, enter
from notifications.models import HOLDING_KEY, UNFINISHED, EmailMessage, Status
from notifications.outgoing import OutgoingEmail, Receipt, stable_message_id
from notifications.queue import QUEUE
from notifications.recipients import WINDOW, check_allowance, find_unwelcome
from notifications.staff_notices import unwelcome_notices
from notifications.writing.catalogue import NoteToStaff
from notifications.writing.facts import NONE, Facts
from notifications.writing.rendering import RenderedEmail
from notifications.writing.request import EmailRequest, mailbox_of
from wording.masking import mask_tokens
from wording.plain_text import one_line

MOST_BIGINT = 2**63
CLOCKS_DIFFER = timedelta(minutes=1)
# How many messages that failed before anybody began to send get a row within an hour.
MOST_NOTED = 500
# Stays English on the row, as every error does; the admin translates it.
ASKED_BEFORE = "the same mail was asked for by message"
RETIRED = "the queue was dropped and made anew before this mail was sent"
# No column that stays as it is: Postgres would store the bodies anew.
_SENT = f"""
UPDATE {EmailMessage._meta.db_table}
SET status = %(status)s, provider = %(provider)s, provider_message_id = %(provider_message_id)s,
    sent_at = %(now)s, updated_at = %(now)s
WHERE id = %(id)s AND {{ours}}
"""  # noqa: S608 # Names of ours.
_SENT_AFTER_ALL = _SENT.replace("SET status", "SET error = '', error_type = '', status")


def start_sending(
    message: Message, request: EmailRequest, rendered: RenderedEmail, facts: Facts = NONE
) -> EmailMessage:
    """Note that this attempt sends the mail, and return its row. Committed before anything leaves the house.

    `facts` is what is known of the thing that the mail is about. Raises `DuplicateMessage` when this very mail was
    asked for before and sent, or is on its way; `TokenLost` when a later attempt runs already; `Refused` when the
    recipient is none of ours, or got too many mails. A failed mail doesn't count as asked for: its copy may be sent.
    """
    # Whoever owns what the mail is about is a customer: no second look.
    why = "" if facts.of_customer else why_unwelcome(request)
    if why:
        raise Refused(why)
    if message.history.attempts <= 1:
        row = _new_row(message)
        _describe(row, request, rendered)
        _enter(row, message, Status.SENDING)
        row.message_id = _message_id(message)
        if enter(row, message):
            return row
    return _start_step_by_step(message, request, rendered)


def _start_step_by_step(message: Message, request: EmailRequest, rendered: RenderedEmail) -> EmailMessage:
    """The same where there is a row, or a mail like this one, or many to this mailbox."""
    with transaction.atomic():
        row = _locked_row(message)
        changes = Changes(row)
        if row.status == Status.SENT:
            raise DuplicateMessage("this message's mail was sent before", original=message.msg_id)
        if row.attempts > message.history.attempts:
            raise TokenLost(f"{message.queue} {message.msg_id}: attempt {row.attempts} runs already")
        _describe(row, request, rendered)
        holder = _holder_of_key(row)
        if holder is None:
            check_allowance(row, request.content.about()[0])
            _enter(row, message, Status.SENDING)
            row.message_id = _message_id(message)
            changes.save()
            return row
        why = f"{ASKED_BEFORE} {holder.msg_id}"
        row.html_body = row.text_body = row.attachments = ""
        _enter(row, message, Status.DUPLICATE, LastError("DuplicateMessage", why))
        row.duplicate_of = holder
        changes.save()
    raise DuplicateMessage(why, original=holder.msg_id)


def why_unwelcome(request: EmailRequest) -> str:
    """Why no mail of this kind may go to the recipient; nothing where it may."""
    if isinstance(request.content, NoteToStaff):
        # A customer of ours is a stranger here.
        return "".join(unwelcome_notices({request.content.notice_id: {request.recipient}}).values())
    return find_unwelcome([request.recipient]).get(request.recipient, "")


def first_attempt(message: Message) -> datetime:
    """When the first attempt to send this mail began, by the history on the message, where senders can write, too."""
    began = message.history.first_attempt_at
    try:
        moment = datetime.fromisoformat(began) if began else message.enqueued_at
    except ValueError:
        return message.enqueued_at
    is_possible = moment.tzinfo is not None and message.enqueued_at <= moment < timezone.now() + CLOCKS_DIFFER
    return moment if is_possible else message.enqueued_at


def outgoing_email(row: EmailMessage, rendered: RenderedEmail) -> OutgoingEmail:
    return OutgoingEmail(
        recipient=row.recipient,
        subject=row.subject,
        html=rendered.html,
        text=rendered.text,
        message_id=row.message_id,
        date=row.created_at,
        attachments=rendered.attachments,
    )


def mark_sent(row: EmailMessage, receipt: Receipt) -> Statement:
    """Note that the provider accepted the mail: what to write in the transaction that archives the message."""
    now = timezone.now()
    values = {"id": row.pk, "status": Status.SENT, "now": now}
    values |= {"provider": receipt.provider, "provider_message_id": receipt.provider_message_id}
    return Statement(_SENT if not row.error_type and not row.error else _SENT_AFTER_ALL, values, planned=True)


def mark_retrying(message: Message, error: LastError, next_retry_at: datetime) -> None:
    """Note that the mail is tried again at `next_retry_at`. Runs in the transaction that hides the message."""
    row = _locked_row(message)
    changes = Changes(row)
    _enter(row, message, Status.RETRYING, error)
    row.next_retry_at = next_retry_at
    changes.save()


def mark_failed(message: Message, reason: Reason, error: LastError) -> None:
    """Note that the mail is given up. Runs in the transaction that archives the message as failed.

    Also for messages that never reached a handler, whatever their body is: the row says what can be read of it.
    """
    row = _locked_row(message)
    if row._state.adding and not _room_for_failed():
        # Nobody ever began to send it, and strangers can have any number of those fail. The archive has them all.
        return
    changes = Changes(row)
    _enter(row, message, Status.FAILED, error)
    row.reason = FailureReason.of(reason)
    changes.save()


class EmailJournal:
    """How the bridge keeps the mail log in step, in workers and in its own process."""

    def retry_scheduled(self, message: Message, error: LastError, next_retry_at: datetime) -> None:
        mark_retrying(message, error, next_retry_at)

    def failed(self, message: Message, reason: Reason, error: LastError) -> None:
        mark_failed(message, reason, error)

    def discarded(self, queue: str, sent_at: Mapping[int, datetime]) -> None:
        rows = EmailMessage.objects.filter(queue=queue, msg_id__in=sent_at, status=Status.FAILED)
        these = [
            row.pk for row in rows.only("pk", "msg_id", "enqueued_at") if sent_at[row.msg_id or 0] == row.enqueued_at
        ]
        EmailMessage.objects.filter(pk__in=these).update(reason=FailureReason.DISCARDED, updated_at=timezone.now())


def note_refused(refusals: Sequence[Refusal]) -> None:
    """Note messages that ended before a worker had them, in the transaction that archives them.

    No more of them than `MOST_NOTED` an hour: strangers can have any number refused, and the archive has them all.
    """
    failed = [one for one in refusals if one.ending.reason is not None]
    # A row that has the number from an earlier life of the queue keeps it.
    rows = [_refused_row(one) for one in failed[: _room_for_failed()]]
    EmailMessage.objects.bulk_create(rows, ignore_conflicts=True)


def _room_for_failed() -> int:
    """How many more mails that nobody began to send get a row within this hour."""
    hour = EmailMessage.objects.filter(status=Status.FAILED, message_id="", created_at__gt=timezone.now() - WINDOW)
    return max(0, MOST_NOTED - hour[:MOST_NOTED].count())


def _refused_row(refusal: Refusal) -> EmailMessage:
    candidate, ending = refusal.candidate, refusal.ending
    row = EmailMessage(queue=QUEUE, msg_id=candidate.msg_id, enqueued_at=candidate.enqueued_at, status=Status.FAILED)
    row.reason = FailureReason.of(ending.reason or Reason.REFUSED)
    row.error_type, row.error = _described(ending.error or LastError("Refused", ""))
    _claims(row, candidate.read())
    return row


def _locked_row(message: Message) -> EmailMessage:
    """The row of a message, locked, or a new one that is not saved yet."""
    rows = EmailMessage.objects.select_for_update().filter(queue=message.queue, msg_id=message.msg_id)
    row = rows.first()
    if row is not None and row.enqueued_at != message.enqueued_at:
        _retire(row)
        row = None
    return row if row is not None else _new_row(message)


def _new_row(message: Message) -> EmailMessage:
    row = EmailMessage(queue=message.queue, msg_id=message.msg_id, enqueued_at=message.enqueued_at)
    origin = message.history.requeued_from
    row.requeued_from = origin if origin is not None and 0 < origin < MOST_BIGINT else None
    _claims(row, message.body)
    return row


def _retire(row: EmailMessage) -> None:
    """Take the id from the row of an earlier life of the queue: ids start again when a queue is made anew."""
    changes = Changes(row)
    row.msg_id = None
    if row.status in UNFINISHED:
        row.status, row.next_retry_at = Status.FAILED, None
        row.reason, row.error, row.error_type = FailureReason.MESSAGE_GONE, RETIRED, "MessageGone"
    changes.save()


def _claims(row: EmailMessage, body: object) -> None:
    """Copy what the message says about itself, true or not: staff must be able to find it."""
    if isinstance(body, dict):
        for field, key, most in (("recipient", "to", 320), ("subject", "subject", 255), ("template", "template", 100)):
            value = body.get(key)
            if isinstance(value, str):
                setattr(row, field, one_line(value, most))


def _describe(row: EmailMessage, request: EmailRequest, rendered: RenderedEmail) -> None:
    row.recipient, row.subject, row.template = request.recipient, request.subject, request.template
    row.mailbox, row.about = mailbox_of(request.recipient), request.content.about()[1]
    row.dedupe_key = request.dedupe_key
    # Who reads the log, a backup of it or a filter of it, must not hold what opens a report.
    row.html_body, row.text_body = mask_tokens(rendered.html), mask_tokens(rendered.text)
    row.attachments = "\n".join(file.name for file in rendered.attachments)


def _enter(row: EmailMessage, message: Message, status: Status, error: LastError | None = None) -> None:
    row.status = status
    row.attempts = max(row.attempts, message.history.attempts)
    row.trace_id = message.history.trace_id
    row.next_retry_at, row.reason = None, ""
    if error is not None:
        row.error_type, row.error = _described(error)


def _message_id(message: Message) -> str:
    return stable_message_id(queue=message.queue, msg_id=message.msg_id, enqueued_at=message.enqueued_at)


def _described(error: LastError) -> tuple[str, str]:
    return one_line(error.type, 200), one_line(error.message, 2000) or "no message"


def _holder_of_key(row: EmailMessage) -> EmailMessage | None:
    """The mail that sends, or has sent, what this row asks for.

    Looked up under a lock, and not left to the unique constraint: Postgres writes a refused statement into its own
    log, and this one holds an address and the text of a mail.
    """
    if not row.dedupe_key:
        return None
    with connection.cursor() as cursor:
        cursor.execute(LOCK_KEY, {"dedupe_key": row.dedupe_key})
    same = EmailMessage.objects.filter(dedupe_key=row.dedupe_key, status__in=HOLDING_KEY)
    return same.exclude(pk=row.pk).first()
