"""The SMTP side of the mailbox, in a thread of its own."""

import asyncio
import hmac
import logging
import secrets
import ssl
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from sandbox.mailbox.faults import Faults
from sandbox.mailbox.store import Attempt, Mail, MailStore, Verdict, parse_mail

# At INFO it tells every line of every conversation.
logging.getLogger("mail.log").setLevel(logging.WARNING)


class Security(StrEnum):
    NONE = "none"
    STARTTLS = "starttls"
    # TLS from the first byte, as on port 465.
    TLS = "tls"


MECHANISMS = ("PLAIN", "LOGIN")
CRAM_MD5 = "CRAM-MD5"


class _Handler:
    def __init__(self, store: MailStore, login: tuple[str, str] | None) -> None:
        self._store = store
        self._login = login

    # aiosmtpd finds it by this name.
    async def auth_CRAM__MD5(self, server: SMTP, args: list[str]) -> AuthResult:  # noqa: N802
        user, password = self._login or ("", "")
        challenge = f"<{secrets.token_hex(8)}@localhost>".encode()
        right = user.encode() + b" " + hmac.new(password.encode(), challenge, "md5").hexdigest().encode()
        return AuthResult(success=await server.challenge_auth(challenge) == right, handled=False)

    # As Postfix, Exim and all large providers, and as aiosmtpd can: it reads on when it has answered.
    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", *responses[-1:]]

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._login and not session.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if Faults.of(address).reject_550:
            self._store.begin(address, "", "")
            reply = "550 5.1.1 No such mailbox here"
            self._store.note(Attempt(datetime.now(UTC), address, "", "", Verdict.REJECTED, reply))
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content if isinstance(envelope.content, bytes) else (envelope.content or "").encode()
        mail = parse_mail(content)
        message_id, subject = str(mail["Message-ID"] or "").strip(), str(mail["Subject"] or "")
        started = datetime.now(UTC)
        tries = {address: self._store.begin(address, message_id, subject) for address in envelope.rcpt_tos}
        faults = {address: Faults.of(address) for address in tries}

        def note(verdict: Verdict, reply: str, file: str = "") -> str:
            for address in tries:
                self._store.note(Attempt(started, address, message_id, subject, verdict, reply, file))
            return reply

        try:
            await asyncio.sleep(max(fault.slow for fault in faults.values()))
        except asyncio.CancelledError:
            note(Verdict.ABANDONED, "")
            raise
        if any(faults[address].drops(number) for address, number in tries.items()):
            note(Verdict.DROPPED, "")
            if server.transport is not None:
                server.transport.abort()  # type: ignore[attr-defined]
            # Losing the connection cancels this task: nothing may be answered meanwhile.
            await asyncio.Event().wait()
        if any(faults[address].refuses(number) for address, number in tries.items()):
            return note(Verdict.REFUSED, "451 4.3.0 Try again later")
        return note(Verdict.ACCEPTED, "250 2.0.0 Kept", self._store.keep(content))


class Mailbox:
    """A mail server on 127.0.0.1 that keeps what it gets in `folder`; `port` 0 takes a free one.

    `certificate` is a server-side context, needed unless `security` is NONE. With `login` (user, password) nobody
    sends without it; it needs TLS. `mechanisms` are the ways to log in that it offers.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        security: Security = Security.NONE,
        certificate: ssl.SSLContext | None = None,
        login: tuple[str, str] | None = None,
        mechanisms: tuple[str, ...] = MECHANISMS,
    ) -> None:
        self.store = MailStore(folder)
        self.port = port
        self.host = "127.0.0.1"
        self._security = security
        self._certificate = certificate
        self._login = login
        self._mechanisms = mechanisms
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def messages(self) -> list[Mail]:
        """The mails that were accepted, newest first."""
        return self.store.messages()

    @property
    def attempts(self) -> list[Attempt]:
        """Every try so far, oldest first."""
        return self.store.attempts()

    def start(self) -> None:
        """Listen. Raises `OSError` when the port is taken."""
        listening: Future[int] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(listening)), name="mailbox", daemon=True)
        self._thread.start()
        self.port = listening.result(timeout=30)

    def stop(self) -> None:
        """Close the port and every connection."""
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join(timeout=30)
            self._loop = self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def _serve(self, listening: "Future[int]") -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        connections: weakref.WeakSet[SMTP] = weakref.WeakSet()
        try:
            server = await self._loop.create_server(
                self._connection(connections),
                self.host,
                self.port,
                ssl=self._certificate if self._security is Security.TLS else None,
            )
        except OSError as error:
            listening.set_exception(error)
            return
        listening.set_result(server.sockets[0].getsockname()[1])
        await self._stopped.wait()
        server.close()
        for connection in list(connections):
            # One of TLS that is closing already fails at this on Python 3.11.2.
            if connection.transport is not None and not connection.transport.is_closing():
                connection.transport.abort()  # type: ignore[attr-defined]
        # One turn of the loop, in which the connections learn that they are lost.
        await asyncio.sleep(0)
        await server.wait_closed()

    def _connection(self, connections: "weakref.WeakSet[SMTP]") -> Callable[[], SMTP]:
        handler = _Handler(self.store, self._login)
        starttls = self._certificate if self._security is Security.STARTTLS else None

        def connection() -> SMTP:
            made = SMTP(
                handler,
                # The default asks the name service, which may take seconds.
                hostname="localhost",
                ident="Balansity sandbox",
                enable_SMTPUTF8=True,
                tls_context=starttls,
                require_starttls=starttls is not None,
                authenticator=self._authenticate if self._login else None,
                auth_exclude_mechanism={*MECHANISMS, CRAM_MD5} - {*self._mechanisms},
                # It knows only TLS that began with STARTTLS.
                auth_require_tls=self._security is not Security.TLS,
                loop=self._loop,
            )
            connections.add(made)
            return made

        return connection

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        known = self._login and tuple(part.encode() for part in self._login)
        given = (data.login, data.password) if isinstance(data, LoginPassword) else None
        return AuthResult(success=given == known, handled=False)
