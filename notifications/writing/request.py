"""What a message of the mail queue asks for, checked: who gets which mail with what in it."""

import hashlib
from dataclasses import dataclass
from typing import Self

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator

from bridge.errors import InvalidMessage, PermanentError, Refused
from notifications.mailboxes import same_address, same_mailbox
from notifications.writing.catalogue import Content, find_template
from notifications.writing.variables import Variables
from wording.plain_text import linkless_line

# RFC 5321, 4.5.3.1.3: a path has at most 256 characters, two of which are the angle brackets.
MOST_ADDRESS_CHARACTERS = 254
MOST_SUBJECT_CHARACTERS = 255

_check_address = EmailValidator(allowlist=[])


@dataclass(frozen=True, slots=True)
class EmailRequest:
    """A mail to be sent. `recipient` is a bare address, `subject` one line, `template` a name of the catalogue."""

    recipient: str
    subject: str
    template: str
    content: Content
    same_as: str = ""

    @classmethod
    def parse(cls, body: object) -> Self:
        """Read the body of a message.

        Raises `InvalidMessage` for a wrong shape, `PermanentError` for an address that cannot be one, an unknown
        template or a variable that is missing or of the wrong kind, `Refused` for what would deceive the reader. Keys
        and variables that nobody needs are ignored.
        """
        if not isinstance(body, dict):
            raise InvalidMessage("the message must be a JSON object")
        recipient, subject, name = (_string(body, key).strip() for key in ("to", "subject", "template"))
        variables = body.get("variables")
        if not isinstance(variables, dict):
            raise InvalidMessage('the key "variables" must be an object')
        template = find_template(name)
        try:
            _check_address(recipient)
        except ValidationError:
            raise PermanentError('the address in "to" is not a valid mail address') from None
        if recipient.endswith("]") or not recipient.isprintable():
            # user@[10.0.0.1] would send our own mail server into our own network; quotes may hold control characters.
            raise PermanentError('the address in "to" is not a public mail address')
        if len(recipient) > MOST_ADDRESS_CHARACTERS:
            raise PermanentError(f'the address in "to" is longer than {MOST_ADDRESS_CHARACTERS} characters')
        if "=?" in recipient:
            # An encoded word (RFC 2047): mail clients would show another address than the one it goes to.
            raise Refused('the address in "to" is an encoded word')
        line = linkless_line(subject, MOST_SUBJECT_CHARACTERS)
        if not line:
            raise InvalidMessage('the key "subject" is empty')
        return cls(recipient, line, template.name, template.read(Variables(template.name, variables)))

    @property
    def dedupe_key(self) -> str:
        """The same text for every message that asks for this very mail, empty where each is a mail of its own.

        The recipient belongs to it: whoever may enqueue mails could otherwise use up somebody else's reminder.
        """
        identity = self.content.identity() or ((self.same_as,) if self.same_as else ())
        if not identity:
            return ""
        parts = (self.template, same_address(self.recipient), *identity)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def mailbox_of(recipient: str) -> str:
    """What the mail log counts by: the same for all spellings of an address."""
    return same_mailbox(recipient)[:320]


def _string(body: dict[str, object], key: str) -> str:
    if key not in body:
        raise InvalidMessage(f'the key "{key}" is missing')
    value = body[key]
    if not isinstance(value, str):
        raise InvalidMessage(f'the key "{key}" must be a string')
    return value
