"""SMTP that also tells what Django's backend keeps to itself: was the body sent, and the server's last reply."""

import smtplib
from typing import Any, cast

from django.conf import settings
from django.core.mail.backends import smtp
from django.core.mail.backends.smtp import EmailBackend
from django.core.mail.utils import CachedDnsName


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

    def sendmail(self, *args: Any, **kwargs: Any) -> Any:
        self.body_sent, self.last_reply = False, ""
        return super().sendmail(*args, **kwargs)

    def data(self, msg: Any) -> tuple[int, bytes]:
        self.body_sent = True
        code, reply = super().data(msg)
        self.last_reply = reply.decode("utf-8", "replace")
        return code, reply


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

    def abandon(self) -> None:
        """Drop the connection without a word: a QUIT to a dead peer would wait for the timeout.

        In a forked child this leaves the parent's connection as it was.
        """
        for name in ("connection", "_partial_connection"):
            connection: smtplib.SMTP | None = getattr(self, name)
            if connection is not None:
                connection.close()
                setattr(self, name, None)
