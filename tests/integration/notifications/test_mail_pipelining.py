"""Servers that take several commands at once (RFC 2920): a mail is asked for in one go, and refused as one by one."""

import re
import smtplib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pytest_django import Settings

from bridge.errors import PermanentError
from notifications.errors import DeliveryDeferred, OurFault
from notifications.outgoing import OutgoingEmail
from notifications.sending.mailer import Mailer
from sandbox.mailbox import Mailbox
from tests.support.scripted_smtp import ScriptedServer

OFFERS = {"EHLO": "250-scripted\r\n250-SIZE 1000000\r\n250 PIPELINING"}
EMAIL = OutgoingEmail(
    recipient="parent@example.org",
    subject="Отчёт готов: «Маша»",
    html="<p>Здравствуйте!</p>",
    text="Здравствуйте!\n",
    message_id="<email_queue.1.abc@example.org>",
    date=datetime(2026, 11, 23, 11, 30, tzinfo=UTC),
)


@pytest.fixture
def mailer() -> Iterator[Mailer]:
    mailer = Mailer()
    yield mailer
    mailer.close()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What servers are sent, in the pieces in which it leaves."""
    pieces: list[bytes] = []
    send = smtplib.SMTP.send

    def noted(self: smtplib.SMTP, data: bytes | str) -> None:
        pieces.append(data.encode() if isinstance(data, str) else data)
        send(self, data)

    monkeypatch.setattr(smtplib.SMTP, "send", noted)
    return pieces


def test_a_mail_takes_two_round_trips(mailer: Mailer, settings: Settings, sent: list[bytes]) -> None:
    with ScriptedServer(OFFERS) as server:
        server.use(settings)
        mailer.send(EMAIL)
        sent.clear()
        receipt = mailer.send(EMAIL)
    (asked, body), end = sent, b".\r\n"
    verbs = [line.partition(b" ")[0].lower() for line in asked.split(b"\r\n")]
    assert verbs == [b"mail", b"rcpt", b"data", b""]
    assert f" size={len(body.removesuffix(end))}".encode() in asked
    assert body.endswith(b"\r\n" + end)
    assert (server.accepted, receipt.provider_message_id) == (2, "Kept")


@pytest.mark.parametrize(
    ("command", "reply", "error"),
    [
        ("RCPT", "550 5.1.1 no such user here", PermanentError),
        ("RCPT", "451 4.7.1 greylisted, come back later", DeliveryDeferred),
        ("MAIL", "451 4.3.2 the system is shutting down", DeliveryDeferred),
        ("MAIL", "535 5.7.8 authentication failed", OurFault),
        ("DATA", "554 5.7.1 no valid recipients", PermanentError),
        ("BODY", "552 5.3.4 the message is too big", PermanentError),
        ("BODY", "451 4.3.0 try again later", DeliveryDeferred),
    ],
)
def test_a_refusal_means_what_it_means_one_by_one(
    command: str, reply: str, error: type[Exception], mailer: Mailer, settings: Settings
) -> None:
    told = []
    for offers in ({}, OFFERS):
        with ScriptedServer({**offers, command: reply}) as server:
            server.use(settings)
            with pytest.raises(error, match=re.escape(reply.partition(" ")[2])) as caught:
                mailer.send(EMAIL)
            assert server.accepted == 0
            told.append((type(caught.value), str(caught.value)))
    assert told[0] == told[1]


def test_a_refused_mail_of_which_the_server_awaits_the_body_leaves_no_body(mailer: Mailer, settings: Settings) -> None:
    # It says 354 to DATA although it has refused the recipient, as RFC 2920 warns.
    with ScriptedServer({**OFFERS, "RCPT": "550 5.1.1 no such user"}) as server:
        server.use(settings)
        with pytest.raises(PermanentError):
            mailer.send(EMAIL)
        assert (server.accepted, server.connections) == (0, 1)


@pytest.mark.parametrize("farewell", ["", "421 4.4.2 Enough for now"])
def test_a_kept_connection_that_the_server_ends_is_opened_again_at_once(
    farewell: str, mailer: Mailer, settings: Settings
) -> None:
    with ScriptedServer(OFFERS, mails_per_connection=1, farewell=farewell) as server:
        server.use(settings)
        for _ in range(3):
            mailer.send(EMAIL)
        assert (server.connections, server.accepted) == (3, 3)


def test_a_body_with_lines_of_dots_arrives_as_it_is(mailbox: Mailbox, mailer: Mailer) -> None:
    text = ".\n..\n. a line\nFrom here on\n.\n"
    mailer.send(replace(EMAIL, text=text))
    (mail,) = mailbox.messages
    assert mail.text.replace("\r\n", "\n") == text


def test_an_address_cannot_bring_a_command_of_its_own(mailer: Mailer, settings: Settings) -> None:
    with ScriptedServer(OFFERS) as server:
        server.use(settings)
        with pytest.raises(ValueError, match=r"newline|line break|Invalid address"):
            mailer.send(replace(EMAIL, recipient="parent@example.org>\r\nRCPT TO:<other@example.org"))
        assert server.accepted == 0


def test_what_a_server_says_too_early_is_not_taken_for_its_answer_to_the_mail(
    mailer: Mailer, settings: Settings
) -> None:
    with ScriptedServer({**OFFERS, "DATA": "354 Go on\r\n250 Not asked for", "BODY": "554 5.7.1 spam"}) as server:
        server.use(settings)
        for _ in range(2):
            with pytest.raises(DeliveryDeferred, match="said what it was not asked for"):
                mailer.send(EMAIL)
        assert (server.accepted, server.connections) == (0, 2)


@pytest.mark.parametrize("offers", [{}, OFFERS])
def test_a_second_answer_to_one_mail_is_not_taken_for_that_to_the_next(
    offers: dict[str, str], mailer: Mailer, settings: Settings
) -> None:
    with ScriptedServer({**offers, "BODY": "250 Kept\r\n250 Kept, as I said"}) as server:
        server.use(settings)
        receipts = [mailer.send(EMAIL).provider_message_id for _ in range(2)]
        assert (receipts, server.accepted, server.connections) == (["Kept"] * 2, 2, 2)


def test_whoever_forgets_what_stands_behind_a_command_is_asked_one_by_one_from_then_on(
    mailer: Mailer, settings: Settings
) -> None:
    with ScriptedServer(OFFERS, forgets=True) as server:
        server.use(settings)
        settings.EMAIL_TIMEOUT = 2
        with pytest.raises(smtplib.SMTPServerDisconnected):
            mailer.send(EMAIL)
        settings.EMAIL_TIMEOUT = 20
        mailer.send(EMAIL)
        mailer.send(EMAIL)
        assert (server.accepted, server.connections) == (2, 2)


def test_whoever_calls_several_commands_a_bad_sequence_is_asked_one_by_one_from_then_on(
    mailer: Mailer, settings: Settings, sent: list[bytes]
) -> None:
    with ScriptedServer({**OFFERS, "RCPT": "503 5.5.1 One at a time"}) as server:
        server.use(settings)
        for _ in range(2):
            sent.clear()
            with pytest.raises(OurFault, match="One at a time"):
                mailer.send(EMAIL)
        assert not any(b"\r\n" in piece.removesuffix(b"\r\n") for piece in sent)
