"""Mails over a real SMTP server, well-behaved and not."""

import os
import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pytest_django import Settings

from bridge.errors import PermanentError
from notifications.errors import DeliveryDeferred, OurFault
from notifications.outgoing import OutgoingEmail, stable_message_id
from notifications.sending.mailer import Mailer
from sandbox.mailbox import Mailbox, Security, Verdict
from tests.support.scripted_smtp import ScriptedServer

AT = datetime(2026, 11, 23, 11, 30, tzinfo=UTC)


@pytest.fixture
def mailer() -> Iterator[Mailer]:
    mailer = Mailer()
    yield mailer
    mailer.close()


def email(to: str = "parent@example.org", number: int = 1) -> OutgoingEmail:
    return OutgoingEmail(
        recipient=to,
        subject="Отчёт готов: «Маша»",
        html="<p>Здравствуйте!</p>",
        text="Здравствуйте!\n",
        message_id=stable_message_id(queue="email_queue", msg_id=number, enqueued_at=AT),
        date=AT,
    )


@pytest.mark.parametrize(
    ("contact", "reply_to"),
    [
        ("help@балансити.рф", "help@xn--80aab4aapp6ak.xn--p1ai"),
        ("8 800 555-35-35", None),
        ("https://t.me/littleotter", None),
        ("", None),
    ],
)
def test_an_answer_reaches_the_contact_if_that_is_an_address(
    contact: str, reply_to: str | None, mailbox: Mailbox, mailer: Mailer, settings: Settings
) -> None:
    settings.SUPPORT_CONTACT = contact
    mailer.send(email())
    (mail,) = mailbox.messages
    assert mail.message["Reply-To"] == reply_to


def test_a_mail_arrives_as_it_was_meant(mailbox: Mailbox, mailer: Mailer, settings: Settings) -> None:
    settings.DEFAULT_FROM_EMAIL = "Выдра и друзья <hello@littleotter.example>"
    receipt = mailer.send(email())
    (mail,) = mailbox.messages
    assert (mail.recipient, mail.subject) == ("parent@example.org", "Отчёт готов: «Маша»")
    assert mail.message["From"] == "Выдра и друзья <hello@littleotter.example>"
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert mail.message["Date"].datetime == AT
    assert re.fullmatch(r"<email_queue\.1\.[0-9a-f]{16}@littleotter\.example>", mail.message_id)
    assert [part.get_content_type() for part in mail.message.iter_parts()] == ["text/plain", "text/html"]
    assert (mail.text.strip(), mail.html.strip()) == ("Здравствуйте!", "<p>Здравствуйте!</p>")
    assert (receipt.provider, receipt.provider_message_id) == ("smtp", "2.0.0 Kept")


def test_the_message_id_is_stable_for_a_message_and_differs_between_messages() -> None:
    one = stable_message_id(queue="email_queue", msg_id=1, enqueued_at=AT)
    assert one == stable_message_id(queue="email_queue", msg_id=1, enqueued_at=AT.astimezone())
    others = {
        stable_message_id(queue="email_queue", msg_id=2, enqueued_at=AT),
        stable_message_id(queue="other", msg_id=1, enqueued_at=AT),
        stable_message_id(queue="email_queue", msg_id=1, enqueued_at=AT.replace(microsecond=1)),
    }
    assert len(others | {one}) == 4


@pytest.mark.parametrize(
    ("reply_to", "reply", "error", "text"),
    [
        ("RCPT", "550 5.1.1 No such user", PermanentError, "refused the recipient: 550 5.1.1 No such user"),
        ("RCPT", "553 5.1.3 Bad address", PermanentError, "refused the recipient: 553 5.1.3 Bad address"),
        ("RCPT", "450 4.2.1 Greylisted", DeliveryDeferred, "refused the recipient: 450 4.2.1 Greylisted"),
        ("RCPT", "530 5.7.0 Log in first", DeliveryDeferred, "refused the recipient: 530 5.7.0 Log in first"),
        ("RCPT", "421 4.3.2 Going down", DeliveryDeferred, "refused the recipient: 421 4.3.2 Going down"),
        ("DATA", "554 5.7.1 Looks like spam", PermanentError, "refused the mail: 554 5.7.1 Looks like spam"),
        ("DATA", "451 4.3.0 Try later", DeliveryDeferred, "refused the mail: 451 4.3.0 Try later"),
        ("BODY", "552 5.3.4 Too big", PermanentError, "refused the mail: 552 5.3.4 Too big"),
        ("BODY", "452 4.3.1 Disk full", DeliveryDeferred, "refused the mail: 452 4.3.1 Disk full"),
        ("RCPT", "553 5.7.1 <a@example.org>: Sender address rejected: not owned by user u", OurFault, "SMTP_FROM"),
        ("RCPT", "554 5.7.1 <h[192.0.2.1]>: Client host rejected: Access denied", OurFault, "ask the mail provider"),
        (
            "RCPT",
            "554 5.7.1 <x@example.org>: Relay access denied",
            OurFault,
            "check SMTP_HOST, SMTP_PORT and SMTP_USER",
        ),
        (
            "RCPT",
            "504 5.5.2 <5c632f939fd4>: Helo command rejected: need fully-qualified hostname",
            OurFault,
            "HELO_NAME",
        ),
        ("RCPT", "550 5.4.5 Daily user sending quota exceeded", OurFault, "too many mails for the account"),
        ("BODY", "550 5.4.5 Daily user sending quota exceeded", OurFault, "too many mails for the account"),
        ("BODY", "554 5.7.0 The limit on the number of allowed outgoing messages was exceeded.", OurFault, "too many"),
        ("EHLO", "550 Access denied - Invalid HELO name (See RFC2821 4.1.1.1)", OurFault, "set SMTP_HELO_NAME"),
        ("MAIL", "550 5.7.1 Sender unknown", DeliveryDeferred, "refused our sender (SMTP_FROM): 550 5.7.1"),
        ("MAIL", "421 4.7.0 Too many mails", DeliveryDeferred, "refused our sender (SMTP_FROM): 421 4.7.0"),
        ("CONNECT", "554 5.7.1 Blocked", DeliveryDeferred, "answered: 554 5.7.1 Blocked"),
    ],
)
def test_a_refusal_is_permanent_only_if_it_is_about_this_mail(
    reply_to: str, reply: str, error: type[Exception], text: str, mailer: Mailer, settings: Settings
) -> None:
    # Who is refused as EHLO tries the older HELO.
    with ScriptedServer({reply_to: reply, **({"HELO": reply} if reply_to == "EHLO" else {})}) as server:
        server.use(settings)
        with pytest.raises(error, match=re.escape(text)):
            mailer.send(email())
        assert server.accepted == 0


def test_the_server_hears_our_full_name_and_dns_is_not_asked_for_it(
    mailer: Mailer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.getfqdn", lambda *_: pytest.fail("DNS was asked"))
    settings.SMTP_HELO_NAME = "xn--80a1acny.xn--p1ai"
    with ScriptedServer({}) as server:
        server.use(settings)
        mailer.send(email())
        assert server.greetings == ["ehlo xn--80a1acny.xn--p1ai"]


def test_what_a_server_says_is_bounded_and_without_control_characters(mailer: Mailer, settings: Settings) -> None:
    with ScriptedServer({"RCPT": "550 5.1.1 no\x00\x1b[31m " + "x" * 900}) as server:
        server.use(settings)
        with pytest.raises(PermanentError) as caught:
            mailer.send(email())
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


def test_a_closed_port_is_a_temporary_error(mailer: Mailer, settings: Settings) -> None:
    with closed_port() as port:
        settings.EMAIL_BACKEND = "notifications.sending.smtp.SmtpBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
        settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
        with pytest.raises(ConnectionRefusedError):
            mailer.send(email())


def test_a_server_that_never_answers_is_left_after_the_timeout(mailer: Mailer, settings: Settings) -> None:
    settings.EMAIL_TIMEOUT = 0.2
    with ScriptedServer({"CONNECT": ""}) as server:
        server.use(settings)
        with pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"):
            mailer.send(email())


def test_a_connection_is_kept_for_the_next_mail(mailer: Mailer, settings: Settings) -> None:
    with ScriptedServer({}) as server:
        server.use(settings)
        for number in range(5):
            mailer.send(email(number=number))
        assert (server.connections, server.accepted) == (1, 5)


def test_a_kept_connection_that_the_server_closed_is_opened_again_at_once(mailer: Mailer, settings: Settings) -> None:
    with ScriptedServer({}, mails_per_connection=1) as server:
        server.use(settings)
        for number in range(3):
            mailer.send(email(number=number))
        assert (server.connections, server.accepted) == (3, 3)


def test_a_421_on_a_kept_connection_opens_a_new_one(mailer: Mailer, settings: Settings) -> None:
    with ScriptedServer({}, mails_per_connection=1, farewell="421 4.4.2 Enough for now") as server:
        server.use(settings)
        for number in range(3):
            mailer.send(email(number=number))
        assert (server.connections, server.accepted) == (3, 3)


def test_a_connection_that_breaks_after_the_body_is_not_tried_again_silently(mailer: Mailer, mailbox: Mailbox) -> None:
    mailer.send(email())
    with pytest.raises(OSError, match=r"closed|reset"):
        mailer.send(email("parent+drop1@example.org", 2))
    assert [attempt.verdict for attempt in mailbox.attempts] == [Verdict.ACCEPTED, Verdict.DROPPED]
    mailer.send(email("parent+drop1@example.org", 2))
    dropped, accepted = mailbox.attempts[1:]
    assert accepted.verdict is Verdict.ACCEPTED
    assert dropped.message_id == accepted.message_id


def test_a_connection_is_not_kept_when_it_was_idle_for_long(
    mailer: Mailer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifications.sending.mailer.MOST_IDLE_SECONDS", -1)
    with ScriptedServer({}) as server:
        server.use(settings)
        mailer.send(email())
        mailer.send(email(number=2))
        assert server.connections == 2
        assert server.farewells == 1


def test_a_refused_recipient_does_not_harm_the_next_mail(mailbox: Mailbox, mailer: Mailer) -> None:
    with pytest.raises(PermanentError, match=re.escape("550 5.1.1 No such mailbox here")):
        mailer.send(email("nobody+reject550@example.org"))
    mailer.send(email())
    assert [mail.recipient for mail in mailbox.messages] == ["parent@example.org"]


def test_a_forked_child_opens_a_connection_of_its_own(mailer: Mailer, settings: Settings) -> None:
    with ScriptedServer({}) as server:
        server.use(settings)
        mailer.send(email())
        owner = os.getpid()
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("notifications.sending.mailer.os.getpid", lambda: owner + 1)
            mailer.send(email(number=2))
        assert server.connections == 2
        assert server.farewells == 0


def test_each_thread_has_its_own_connection(mailer: Mailer, settings: Settings) -> None:
    with ScriptedServer({}) as server:
        server.use(settings)
        mailer.send(email())

        def send() -> None:
            mailer.send(email(number=2))
            mailer.close()

        thread = threading.Thread(target=send)
        thread.start()
        thread.join(timeout=20)
        assert (server.connections, server.accepted) == (2, 2)


# aiosmtpd doesn't see that the whole conversation is inside TLS.
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
def test_tls_with_a_login(
    security: Security, mailer: Mailer, settings: Settings, tls: ssl.SSLContext, tmp_path: Path
) -> None:
    login = ("mailer", "correct horse")
    with Mailbox(tmp_path / "mail", security=security, certificate=tls, login=login) as mailbox:
        use(mailbox, security, settings)
        settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = login
        mailer.send(email())
        assert [mail.recipient for mail in mailbox.messages] == ["parent@example.org"]

        mailer.close()
        settings.EMAIL_HOST_PASSWORD = "wrong"
        with pytest.raises(DeliveryDeferred, match=r"refused our credentials \(SMTP_USER, SMTP_PASS\): 535") as caught:
            mailer.send(email(number=2))
        assert "wrong" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
@pytest.mark.parametrize("login", [("почта@пример.рф", "пароль ёлки"), ("mailer", "pässwörd€")])
def test_a_login_may_have_any_letters(
    login: tuple[str, str], mechanism: str, mailer: Mailer, settings: Settings, tls: ssl.SSLContext, tmp_path: Path
) -> None:
    kind = Security.STARTTLS
    with Mailbox(tmp_path / "mail", security=kind, certificate=tls, login=login, mechanisms=(mechanism,)) as mailbox:
        use(mailbox, kind, settings)
        settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = login
        mailer.send(email())
        assert len(mailbox.messages) == 1
        mailer.close()
        settings.EMAIL_HOST_PASSWORD = "не тот"
        with pytest.raises(DeliveryDeferred, match="refused our credentials"):
            mailer.send(email(number=2))


def test_a_certificate_that_nobody_signed_is_a_temporary_error(
    mailer: Mailer, settings: Settings, tls: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with Mailbox(tmp_path / "mail", security=Security.TLS, certificate=tls) as mailbox:
        use(mailbox, Security.TLS, settings)
        with pytest.raises(ssl.SSLCertVerificationError):
            mailer.send(email())
        assert mailbox.attempts == []


def test_a_server_without_starttls_gets_no_mail_in_the_clear(
    mailbox: Mailbox, mailer: Mailer, settings: Settings
) -> None:
    settings.EMAIL_USE_TLS = True
    with pytest.raises(OSError, match="STARTTLS"):
        mailer.send(email())
    assert mailbox.attempts == []


@pytest.fixture
def tls(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's side of TLS, whose certificate this process trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    return context


def use(mailbox: Mailbox, security: Security, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "notifications.sending.smtp.SmtpBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = mailbox.host, mailbox.port
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    settings.EMAIL_USE_SSL = security is Security.TLS
    settings.EMAIL_USE_TLS = security is Security.STARTTLS


@contextmanager
def closed_port() -> Iterator[int]:
    """A port on which nobody listens and that nobody else can take."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def test_a_refusal_on_a_kept_connection_is_heard_once(mailer: Mailer, mailbox: Mailbox) -> None:
    mailer.send(email())
    with pytest.raises(PermanentError, match="550"):
        mailer.send(email("parent+reject550@example.org", 2))
    assert [attempt.verdict for attempt in mailbox.attempts] == [Verdict.ACCEPTED, Verdict.REJECTED]
