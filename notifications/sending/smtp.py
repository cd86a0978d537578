"""SMTP that also tells what Django's backend keeps to itself: was the body sent, and the server's last reply."""

import smtplib
import ssl
import time
from collections.abc import Callable
from functools import lru_cache
from smtplib import quoteaddr
from typing import Any, cast

from django.conf import settings
from django.core.mail.backends import smtp
from django.core.mail.backends.smtp import EmailBackend
from django.core.mail.message import EmailMessage, sanitize_address
from django.core.mail.utils import CachedDnsName

from notifications.sending.composing import compose


class _HelloName(CachedDnsName):
    """What we call ourselves in EHLO, in place of what Django finds: the id of a container, after a question to DNS."""

    def get_fqdn(self) -> str:
        return str(settings.SMTP_HELO_NAME)


# Django's backend takes the name from here alone.
smtp.DNS_NAME = _HelloName()  # type: ignore[attr-defined]


class _Utf8(str):
    """Text that is UTF-8 to smtplib, which asks for ASCII."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return super().encode("utf-8", errors)


# One sender for all, and Django reads the address anew each time.
_sanitized = lru_cache(maxsize=10)(sanitize_address)


# How long a server is asked one by one that took several commands in another way than it had announced.
DISTRUST_SECONDS = 3600.0
# A command that came too early, by the server's words.
_BAD_SEQUENCE = 503
_distrusted: dict[tuple[str, int], float] = {}


def _quoted(msg: bytes) -> bytes:
    """A body as it is sent: no line of it is the one that ends it (RFC 5321, 4.5.2)."""
    whole = msg if msg.endswith(smtplib.bCRLF) else msg + smtplib.bCRLF
    dotted = b"." + whole if whole.startswith(b".") else whole
    return dotted.replace(b"\r\n.", b"\r\n..") + b".\r\n"


class _Observed(smtplib.SMTP):
    """Notes how far a transaction came, and logs in with any letters. Mixed into both of smtplib's classes."""

    body_sent = False
    last_reply = ""

    def login(self, user: str, password: str, **options: Any) -> Any:
        # RFC 4616 wants UTF-8, where smtplib ends in a UnicodeEncodeError. `auth_cram_md5` encodes the password itself.
        return super().login(_Utf8(user), _Utf8(password), **options)

    def auth(self, mechanism: str, authobject: Any, **options: Any) -> Any:
        def answer(challenge: bytes | None = None, /) -> Any:
            said = authobject(challenge)
            return None if said is None else _Utf8(said)

        return super().auth(mechanism, cast(Any, answer), **options)

    def sendmail(self, from_addr: Any, to_addrs: Any, msg: Any, *args: Any, **kwargs: Any) -> Any:
        self.body_sent, self.last_reply = False, ""
        self.ehlo_or_helo_if_needed()
        if self._says_more():
            # A farewell, or a second answer to the last mail: this one would take it for its own.
            self.close()
            raise smtplib.SMTPServerDisconnected("the server said what it was not asked for")
        is_usual = isinstance(msg, bytes) and len(to_addrs) == 1 and not any((*args, *kwargs.values()))
        if is_usual and self._takes_several() and (from_addr + to_addrs[0]).isascii():
            return self._sendmail_at_once(from_addr, to_addrs[0], msg)
        return super().sendmail(from_addr, to_addrs, msg, *args, **kwargs)

    def _sendmail_at_once(self, from_addr: str, to_addr: str, msg: bytes) -> dict[str, tuple[int, bytes]]:
        """Ask all that comes before the body in one go (RFC 2920), which saves two of four round trips.

        Raises what smtplib does. The conversation ends with it: what else was asked has other answers by then.
        """
        size = f" size={len(msg)}" if self.has_extn("size") else ""
        asked = f"mail FROM:{quoteaddr(from_addr)}{size}", f"rcpt TO:{quoteaddr(to_addr)}", "data"
        if any("\r" in line or "\n" in line for line in asked):
            raise ValueError("an address contains a line break")
        self.send("".join(f"{line}{smtplib.CRLF}" for line in asked))
        is_begun = False
        try:
            self._expect((250,), lambda code, reply: smtplib.SMTPSenderRefused(code, reply, from_addr))
            is_begun = True
            self._expect((250, 251), lambda code, reply: smtplib.SMTPRecipientsRefused({to_addr: (code, reply)}))
            self._expect((354,), smtplib.SMTPDataError)
            if self._says_more():
                # What is no answer to the body must not be taken for one.
                raise smtplib.SMTPDataError(-1, b"the server said what it was not asked for")
            is_begun = False
            self.body_sent = True
            self.send(_quoted(msg))
            self.last_reply = self._expect((250,), smtplib.SMTPDataError).decode("utf-8", "replace")
        except (smtplib.SMTPServerDisconnected, smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused) as error:
            self.close()
            if is_begun and _lost_its_place(error):
                _distrusted[_server()] = time.monotonic() + DISTRUST_SECONDS
            raise
        return {}

    def _takes_several(self) -> bool:
        return self.has_extn("pipelining") and _distrusted.get(_server(), 0.0) < time.monotonic()

    def _says_more(self) -> bool:
        """Whether there is something to read although no answer is due."""
        sock, answers = self.sock, self.file
        if sock is None or answers is None:
            return False
        patience = sock.gettimeout()
        sock.settimeout(0)
        try:
            return bool(answers.peek(1))
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        finally:
            sock.settimeout(patience)

    def _expect(self, codes: tuple[int, ...], refusal: Callable[[int, bytes], Exception]) -> bytes:
        code, reply = self.getreply()
        if code not in codes:
            raise refusal(code, reply)
        return reply

    def data(self, msg: Any) -> tuple[int, bytes]:
        self.body_sent = True
        code, reply = super().data(msg)
        self.last_reply = reply.decode("utf-8", "replace")
        return code, reply


def _server() -> tuple[str, int]:
    return settings.EMAIL_HOST, settings.EMAIL_PORT


def _lost_its_place(error: Exception) -> bool:
    """Whether the server, having begun a mail, did not hear what stood behind, or did not expect it there."""
    match error:
        case smtplib.SMTPRecipientsRefused():
            return any(code == _BAD_SEQUENCE for code, _reply in error.recipients.values())
        case smtplib.SMTPResponseException():
            return error.smtp_code == _BAD_SEQUENCE
        case _:
            return isinstance(error.__context__, TimeoutError)


class _ObservedSSL(_Observed, smtplib.SMTP_SSL):
    pass


class SmtpBackend(EmailBackend):
    """Django's SMTP backend that can tell whether a failed mail may have been accepted."""

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return _ObservedSSL if self.use_ssl else _Observed

    def open(self) -> bool | None:
        try:
            return super().open()
        except BaseException:
            # Django keeps a connection whose login was refused, and nobody closes it.
            self.abandon()
            raise

    @property
    def body_sent(self) -> bool:
        """Whether the body of the last mail was handed over. Only then can the server have accepted it."""
        return isinstance(self.connection, _Observed) and self.connection.body_sent

    @property
    def last_reply(self) -> str:
        """What the server said when it accepted the last mail; most name the id in their own log."""
        return self.connection.last_reply if isinstance(self.connection, _Observed) else ""

    def _send(self, email_message: EmailMessage) -> bool:
        composed = compose(email_message)
        if composed is None:
            return bool(super()._send(email_message))  # type: ignore[misc]  # Django's own, which its stubs leave out
        encoding = settings.DEFAULT_CHARSET
        recipients = [sanitize_address(address, encoding) for address in email_message.recipients()]
        sender = _sanitized(email_message.from_email, encoding)
        assert self.connection is not None  # noqa: S101 # `send_messages` opened it.
        try:
            self.connection.sendmail(sender, recipients, composed)
        except smtplib.SMTPException:
            if not self.fail_silently:
                raise
            return False
        return True

    def abandon(self) -> None:
        """Drop the connection without a word: a QUIT to a dead peer would wait for the timeout.

        In a forked child this leaves the parent's connection as it was.
        """
        for name in ("connection", "_partial_connection"):
            connection: smtplib.SMTP | None = getattr(self, name)
            if connection is not None:
                connection.close()
                setattr(self, name, None)
