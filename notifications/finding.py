"""How staff find mails: by what a client, a log or a page names them with."""

from django.db import connection
from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL

from notifications.clients import MOST_WORDS, clients_named
from notifications.mail_log import MOST_BIGINT
from notifications.models import EmailMessage, Status
from notifications.queue import QUEUE
from notifications.writing.request import mailbox_of
from staff.sections import once

# Of a name that more clients have than that, and of more mails, the newest are shown; an address finds them all.
MOST_CLIENTS = 1000
MOST_FOUND = 1000


def search_mails(mails: QuerySet[EmailMessage], text: str) -> QuerySet[EmailMessage]:
    """Those whose recipient and subject have these words, with this number or id, or to a client of this name.

    What has an index is asked at once: the words, which are looked for within texts, then have theirs to themselves
    (`email_lasting_words`, where Postgres has pg_trgm). It lacks mails that are being sent, which are few.
    """
    words = Q()
    for word in text.split()[:MOST_WORDS]:
        words &= Q(recipient__icontains=word) | Q(subject__icontains=word)
    words = words & ~Q(status=Status.SENDING) | words & Q(status=Status.SENDING)
    return mails.filter(words | Q(pk__in=_named(text) + _to_clients(text)))


def _named(text: str) -> list[int]:
    """The mails with this id or number."""
    # An empty one is none, and is known to be by the index.
    found = Q(trace_id=text) & ~Q(trace_id="") | Q(about=text.lower()) & ~Q(about="")
    if text.isascii() and text.isdigit() and len(text) < 20 and int(text) < MOST_BIGINT:
        found |= Q(queue=QUEUE, msg_id=int(text))
    return list(EmailMessage.objects.filter(found).values_list("pk", flat=True)[:MOST_FOUND])


def _to_clients(text: str) -> list[int]:
    """The newest mails to clients of this name or telephone number."""
    mailboxes = sorted({mailbox_of(address) for address in addresses_named(text)})
    if not mailboxes:
        return []
    # That none of them is empty is what the index of mailboxes has to be told, of more than a hundred.
    mails = EmailMessage.objects.filter(~Q(mailbox=""), mailbox__in=mailboxes)
    return list(mails.order_by("-created_at").values_list("pk", flat=True)[:MOST_FOUND])


@once
def addresses_named(text: str) -> list[str]:
    """The addresses of clients of this name or telephone number."""
    addresses = clients_named(text, "email")
    return [address for address in _rows(addresses) if address] if addresses is not None else []


def _rows(query: RawSQL) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"{query.sql} LIMIT {MOST_CLIENTS}", query.params)
        return [value for (value,) in cursor.fetchall()]
