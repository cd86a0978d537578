"""A mail server that delivers nothing: it keeps every mail as a file, shows it on a page, and misbehaves on request."""

from sandbox.mailbox.server import Mailbox, Security
from sandbox.mailbox.store import Attempt, Mail, MailStore, Verdict

__all__ = ["Attempt", "Mail", "MailStore", "Mailbox", "Security", "Verdict"]
