"""Who may get mail from us, and how much: whoever holds the public key can put messages into the queue.

Only addresses of our customers (`public.users`), and those of `EMAIL_EXTRA_RECIPIENTS`. At most `EMAIL_HOURLY_LIMIT`
mails an hour to one mailbox. As strangers could use that up, the same number again is kept for mails about something
that is the customer's own, one of each kind about each thing: ids of those are no stranger's knowledge.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import ProgrammingError, connection
from django.utils import timezone

from bridge.errors import Refused, is_closed
from bridge.rights import RowsHidden, require_sight
from notifications.errors import CustomersHidden
from notifications.mailboxes import is_extra_recipient, same_address, spellings
from notifications.models import HOLDING_KEY, EmailMessage
from notifications.writing.catalogue import Thing

# The first half of the advisory locks' keys: only ours, so that nobody else's numbers collide with them.
_MAILBOXES = 7_262_032
# Whoever enters a mail to a mailbox waits here for others who do.
LOCK_MAILBOX = f"SELECT pg_advisory_xact_lock({_MAILBOXES}, hashtext(%(mailbox)s))"
WINDOW = timedelta(hours=1)
STRANGER = "the address belongs to no customer; EMAIL_EXTRA_RECIPIENTS can name it"
# Spaces of every kind that people paste around an address.
_BLANK = " \t\r\n\u00a0\u200b\ufeff"

_CUSTOMERS = """
SELECT lower(btrim(email, %s)) FROM public.users WHERE lower(btrim(email, %s)) = ANY (%s)
"""
_OWNERS = {
    Thing.PAYMENT: """
SELECT payments.id, users.email FROM public.payments JOIN public.users ON users.id = payments.user_id
WHERE payments.id = ANY (%s::uuid[])
""",
    Thing.APPOINTMENT: """
SELECT appointments.id, users.email FROM public.appointments JOIN public.users ON users.id = appointments.user_id
WHERE appointments.id = ANY (%s::uuid[])
""",
    Thing.ASSESSMENT: """
SELECT assessments.id, users.email
FROM public.assessments JOIN public.profiles ON profiles.id = assessments.profile_id
JOIN public.users ON users.id = profiles.user_id WHERE assessments.id = ANY (%s::uuid[])
""",
}
_OF_USERS = "SELECT id, email FROM public.users WHERE id = ANY (%s::uuid[])"
_TABLES = tuple(f"public.{name}" for name in ("users", "profiles", "assessments", "appointments", "payments"))

# Template and the id of what it is about.
Subject = tuple[str, str]
# What a mail is about, by its id, and the address that it is for.
Claim = tuple[Thing, str, str]


def find_unwelcome(recipients: Collection[str]) -> dict[str, str]:
    """Return those addresses that no mail may go to, each with the reason; one look for all of them.

    Raises `CustomersHidden` when somebody is not found and row security may be why.
    """
    asked = {recipient: spellings(recipient) for recipient in recipients if not is_extra_recipient(recipient)}
    if not asked:
        return {}
    with _seeing("public.users"):
        with connection.cursor() as cursor:
            cursor.execute(_CUSTOMERS, [_BLANK, _BLANK, sorted(set().union(*asked.values()))])
            known = {same_address(email) for (email,) in cursor.fetchall()}
        strangers = {recipient: STRANGER for recipient in asked if same_address(recipient) not in known}
        if strangers:
            require_sight("public.users")
    return strangers


def is_address_of(user_id: UUID, address: str) -> bool:
    """Whether this customer has this address. Raises `CustomersHidden` when row security may hide that."""
    return bool(_owned(_OF_USERS, [(user_id, address)], "public.users"))


def same_recipient(email: str, address: str) -> bool:
    """Whether the address that a customer's row has is this one."""
    return same_address(email.strip(_BLANK)) == same_address(address)


def check_allowance(row: EmailMessage, thing: Thing) -> None:
    """Raise `Refused` when the row's mailbox got as many mails as it may within the last hour.

    In the transaction that notes the mail as being sent: until it ends, others who ask for the same mailbox wait.
    """
    with connection.cursor() as cursor:
        cursor.execute(LOCK_MAILBOX, {"mailbox": row.mailbox})
    recent = EmailMessage.objects.filter(mailbox=row.mailbox, created_at__gt=timezone.now() - WINDOW)
    sent = list(recent.filter(status__in=HOLDING_KEY).exclude(pk=row.pk).values_list("template", "about"))
    claim = (thing, row.about, row.recipient)
    # A note is the staff's own: nobody else gets as far with one.
    if not has_place(sent, (row.template, row.about), is_own=lambda: thing is Thing.NOTICE or bool(find_own([claim]))):
        raise Refused(too_many(len(sent)))


def has_place(sent: Sequence[Subject], subject: Subject, *, is_own: Callable[[], bool]) -> bool:
    """Whether a mailbox that was sent mails about these subjects may get one more.

    `is_own`: whether the mail is about something of the addressee's own. It is asked where that decides.
    """
    limit = settings.EMAIL_HOURLY_LIMIT
    return len(sent) < limit or (len(sent) < 2 * limit and subject not in sent and is_own())


def too_many(sent: int) -> str:
    return f"this mailbox got {sent} mails within an hour, and EMAIL_HOURLY_LIMIT is {settings.EMAIL_HOURLY_LIMIT}"


def find_own(claims: Collection[Claim]) -> set[Claim]:
    """Those claims that are true: a thing of that id exists, and belongs to whoever has that address.

    Raises `CustomersHidden` when one is not found and row security may be why.
    """
    found: set[Claim] = set()
    for thing, query in _OWNERS.items():
        asked = [(key, claim) for claim in claims if claim[0] == thing and (key := _uuid(claim[1]))]
        owned = _owned(query, [(key, claim[2]) for key, claim in asked], *_TABLES)
        found |= {claim for key, claim in asked if (key, claim[2]) in owned}
    return found


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _owned(query: str, asked: Collection[tuple[UUID, str]], *tables: str) -> set[tuple[UUID, str]]:
    """Those of the pairs of an id and an address of which `query` says that they belong together."""
    if not asked:
        return set()
    with _seeing(", ".join(tables)):
        with connection.cursor() as cursor:
            cursor.execute(query, [[str(key) for key, _ in asked]])
            owners = {key: email or "" for key, email in cursor.fetchall()}
        if any(key not in owners for key, _ in asked):
            require_sight(*tables)
    return {(key, address) for key, address in asked if key in owners and same_recipient(owners[key], address)}


@contextmanager
def _seeing(tables: str) -> Iterator[None]:
    """Our sessions make an error of hidden rows; it is told as what it is."""
    try:
        yield
    except RowsHidden as hidden:
        raise CustomersHidden(f"nobody can tell who is a customer: {hidden}") from hidden
    except ProgrammingError as error:
        if not is_closed(error):
            raise
        raise CustomersHidden(
            f"row security hides rows of {tables} from the role of DATABASE_URL, so nobody can tell who is a customer:"
            " give the role BYPASSRLS, or a policy that lets it read"
        ) from error
