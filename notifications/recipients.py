"""Who may get mail from us, and how much: whoever holds the public key can put messages into the queue.

Only addresses of our customers (`public.users`), and those of `EMAIL_EXTRA_RECIPIENTS`. At most `EMAIL_HOURLY_LIMIT`
mails an hour to one mailbox. As strangers could use that up, the same number again is kept for mails about something
that is the customer's own, one of each kind about each thing: ids of those are no stranger's knowledge.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import ProgrammingError, connection
from django.utils import timezone

from bridge.errors import Refused, is_closed
from notifications.catalogue import Thing
from notifications.errors import CustomersHidden
from notifications.mailboxes import ascii_host, same_address, spellings
from notifications.models import HOLDING_KEY, EmailMessage

# The first half of the advisory locks' keys: only ours, so that nobody else's numbers collide with them.
MAILBOX_LOCK = 7_262_032
WINDOW = timedelta(hours=1)
STRANGER = "the address belongs to no customer; EMAIL_EXTRA_RECIPIENTS can name it"
# Spaces of every kind that people paste around an address.
_BLANK = " \t\r\n\u00a0\u200b\ufeff"

_CUSTOMERS = """
SELECT row_security_active('public.users'),
       ARRAY(SELECT lower(btrim(email, %s)) FROM public.users WHERE lower(btrim(email, %s)) = ANY (%s))
"""
_OWNERS = {
    Thing.PAYMENT: """
SELECT users.email FROM public.payments JOIN public.users ON users.id = payments.user_id WHERE payments.id = %s
""",
    Thing.APPOINTMENT: """
SELECT users.email FROM public.appointments JOIN public.users ON users.id = appointments.user_id
WHERE appointments.id = %s
""",
    Thing.ASSESSMENT: """
SELECT users.email FROM public.assessments JOIN public.profiles ON profiles.id = assessments.profile_id
JOIN public.users ON users.id = profiles.user_id WHERE assessments.id = %s
""",
}
_OF_USER = "SELECT email FROM public.users WHERE id = %s"
_HIDDEN = "SELECT name FROM unnest(%s) AS name WHERE row_security_active(name)"
_TABLES = [f"public.{name}" for name in ("users", "profiles", "assessments", "appointments", "payments")]


def find_unwelcome(recipients: Collection[str]) -> dict[str, str]:
    """Return those addresses that no mail may go to, each with the reason; one query for all of them.

    Raises `CustomersHidden` when somebody is not found and row security may be why.
    """
    asked = {recipient: spellings(recipient) for recipient in recipients if not is_extra_recipient(recipient)}
    if not asked:
        return {}
    with _seeing("public.users"), connection.cursor() as cursor:
        cursor.execute(_CUSTOMERS, [_BLANK, _BLANK, sorted(set().union(*asked.values()))])
        is_hidden, found = cursor.fetchone()
    known = {same_address(email) for email in found}
    strangers = {recipient: STRANGER for recipient in asked if same_address(recipient) not in known}
    if strangers and is_hidden:
        raise CustomersHidden(_hidden("public.users"))
    return strangers


def is_extra_recipient(address: str) -> bool:
    """Whether the settings name the address, or its domain, as one that gets mails on trial."""
    address = same_address(address)
    domain = address.rpartition("@")[2]
    named = settings.EMAIL_EXTRA_RECIPIENTS
    return any(
        same_address(name) == address if "@" in name.strip("@") else ascii_host(name.strip("@")) == domain
        for name in named
    )


def is_address_of(user_id: UUID, address: str) -> bool:
    """Whether this customer has this address. Raises `CustomersHidden` when row security may hide that."""
    return _owner_has(_OF_USER, user_id, address)


def check_allowance(row: EmailMessage, thing: Thing) -> None:
    """Raise `Refused` when the row's mailbox got as many mails as it may within the last hour.

    In the transaction that notes the mail as being sent: until it ends, others who ask for the same mailbox wait.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [MAILBOX_LOCK, row.mailbox])
    recent = EmailMessage.objects.filter(mailbox=row.mailbox, created_at__gt=timezone.now() - WINDOW)
    sent = list(recent.filter(status__in=HOLDING_KEY).exclude(pk=row.pk).values_list("template", "about"))
    limit = settings.EMAIL_HOURLY_LIMIT
    if len(sent) < limit:
        return
    is_own = (row.template, row.about) not in sent and _belongs_to(thing, row.about, row.recipient)
    if not is_own or len(sent) >= 2 * limit:
        raise Refused(f"this mailbox got {len(sent)} mails within an hour, and EMAIL_HOURLY_LIMIT is {limit}")


def _belongs_to(thing: Thing, id_: str, address: str) -> bool:
    try:
        key = UUID(id_)
    except ValueError:
        return False
    return _owner_has(_OWNERS[thing], key, address)


def _owner_has(query: str, key: UUID, address: str) -> bool:
    with _seeing(", ".join(_TABLES)), connection.cursor() as cursor:
        cursor.execute(query, [key])
        found = cursor.fetchone()
        if found is not None:
            return same_address((found[0] or "").strip(_BLANK)) == same_address(address)
        cursor.execute(_HIDDEN, [_TABLES])
        hidden = [name for (name,) in cursor.fetchall()]
    if hidden:
        raise CustomersHidden(_hidden(", ".join(hidden)))
    return False


@contextmanager
def _seeing(tables: str) -> Iterator[None]:
    """Our sessions make an error of hidden rows; it is told as what it is."""
    try:
        yield
    except ProgrammingError as error:
        if not is_closed(error):
            raise
        raise CustomersHidden(_hidden(tables)) from error


def _hidden(tables: str) -> str:
    return (
        f"row security hides rows of {tables} from the role of DATABASE_URL, so nobody can tell who is a customer:"
        " give the role BYPASSRLS, or a policy that lets it read"
    )
