"""Which failures of a mail are the server's, so that every mail would meet them: in the words of real servers."""

import smtplib
import socket
import ssl

import pytest
import requests

from bridge.errors import Away, PermanentError
from notifications.sending.faults import Fault, Step
from notifications.sending.outages import judge_outage
from notifications.sending.refusals import explain_refusal
from tests.support.server_answers import ANSWERS, Answer
from tests.unit.notifications.test_email_refusals import raised


def judged(error: Exception) -> Away | None:
    """What is made of what the mailer raises for it."""
    explained = explain_refusal(error)
    if explained is not error:
        explained.__cause__ = error
    verdict = judge_outage(explained)
    return verdict.kind if verdict else None


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: f"{answer.code} {answer.reply[:50]}")
def test_what_is_ours_concerns_every_mail_and_what_is_not_concerns_one(answer: Answer) -> None:
    found = judged(raised(answer))
    if answer.fault is Fault.QUOTA:
        assert found is Away.QUOTA
    elif answer.fault is not None and answer.fault.is_ours:
        assert found is Away.REFUSED
    elif answer.fault is not None:
        assert found is None
    else:
        # Temporary, and of some it is not known whose trouble it is; but nothing that a person has to mend.
        assert found in (None, Away.SERVER_ERROR)


@pytest.mark.parametrize(
    ("step", "code", "reply"),
    [
        # Postfix, at any step: postfix.org/TLS_README, its source (smtpd.c, smtpd_check.c, cleanup_strerror).
        (Step.CONNECT, 421, "4.3.2 All server ports are busy"),
        (Step.CONNECT, 421, "mail.example.org Error: too busy right now"),
        (Step.CONNECT, 454, "4.3.0 TLS not available due to local problem"),
        (Step.HELLO, 421, "4.3.0 mail.example.org Server local data error"),
        (Step.SENDER, 452, "4.3.1 Insufficient system storage"),
        (Step.RECIPIENT, 451, "4.3.0 <parent@example.net>: Temporary lookup failure"),
        (Step.RECIPIENT, 451, "4.3.5 Server configuration error"),
        (Step.RECIPIENT, 451, "4.7.1 Service unavailable - try again later"),
        (Step.TEXT, 451, "4.3.0 Error: queue file write error"),
        (Step.TEXT, 452, "4.3.1 Message file too big for file system: Insufficient system resources"),
        (Step.TEXT, 421, "4.4.2 mail.example.org Error: timeout exceeded"),
        # Exim: its specification, "Access control lists", and smtp_in.c.
        (Step.CONNECT, 421, "Unexpected failure, please try later"),
        (Step.SENDER, 452, "space shortage, please try later"),
        # Exchange and Microsoft 365: their list of NDR codes.
        (Step.TEXT, 451, "4.3.2 System not accepting network messages"),
        (Step.CONNECT, 421, "4.3.2 Service not available"),
        (Step.RECIPIENT, 452, "4.3.1 Insufficient system resources"),
        # Google: support.google.com/a/answer/3726730. Yandex and Mail.ru: their help pages on errors.
        (Step.CONNECT, 421, "4.3.0 Temporary System Problem. Try again later."),
        (Step.SENDER, 451, "4.7.1 Sorry, the service is currently unavailable. Please come back later."),
        (Step.TEXT, 421, "Service not available, closing transmission channel"),
    ],
)
def test_a_server_that_takes_no_mail_at_the_moment_is_away(step: Step, code: int, reply: str) -> None:
    assert judged(raised(Answer(step, code, reply, None, ""))) in (Away.SERVER_ERROR, Away.QUOTA)


@pytest.mark.parametrize(
    ("step", "code", "reply"),
    [
        (Step.RECIPIENT, 450, "4.7.1 <parent@example.net>: Recipient address rejected: Greylisted, see postgrey.org"),
        (Step.RECIPIENT, 451, "4.7.1 Greylisting in action, please come back later"),
        (Step.RECIPIENT, 450, "4.2.2 <parent@example.net>: user is overquota"),
        (Step.RECIPIENT, 450, "4.1.1 <a@b.example>: unverified address: connect to mx.b.example: Service unavailable"),
        (Step.RECIPIENT, 450, "4.4.1 <a@b.example>: host mx.b.example said: 421 server too busy"),
        (Step.RECIPIENT, 450, "4.2.1 The user you are trying to contact is receiving mail too quickly"),
        (Step.RECIPIENT, 450, "4.1.1 <parent@example.net>: unverified address"),
        (Step.RECIPIENT, 451, "4.4.1 Host not found, connection to example.net timed out"),
        (Step.TEXT, 451, "4.3.0 Try again later"),
        (Step.TEXT, 451, "4.7.1 Please try again later, this message looks odd"),
        (Step.RECIPIENT, 550, "5.1.1 No such mailbox here"),
        (Step.TEXT, 554, "5.7.1 spam message rejected"),
    ],
)
def test_what_the_server_says_of_one_recipient_or_text_is_no_outage(step: Step, code: int, reply: str) -> None:
    assert judged(raised(Answer(step, code, reply, None, ""))) is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionRefusedError(111, "Connection refused"), Away.AWAY),
        (ConnectionResetError(104, "Connection reset by peer"), Away.AWAY),
        (TimeoutError("timed out"), Away.AWAY),
        (OSError(113, "No route to host"), Away.AWAY),
        (socket.gaierror(-3, "Temporary failure in name resolution"), Away.AWAY),
        (smtplib.SMTPServerDisconnected("Connection unexpectedly closed"), Away.AWAY),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), Away.AWAY),
        (requests.ConnectionError("no route"), Away.AWAY),
        (requests.Timeout("read timed out"), Away.AWAY),
        (ssl.SSLCertVerificationError(1, "certificate has expired"), Away.REFUSED),
        (smtplib.SMTPNotSupportedError("STARTTLS extension not supported by server."), Away.REFUSED),
        (smtplib.SMTPNotSupportedError("SMTP AUTH extension not supported by server."), Away.REFUSED),
        (smtplib.SMTPNotSupportedError("One or more source or delivery addresses require SMTPUTF8"), None),
        (PermanentError("the address cannot be used"), None),
        (ValueError("a mistake of ours"), None),
        (UnicodeEncodeError("ascii", "я", 0, 1, "ordinal not in range"), None),
    ],
    ids=lambda value: f"{type(value).__name__} {value}"[:60],
)
def test_a_server_that_is_not_reached_is_away_and_a_mistake_of_ours_is_not(error: Exception, kind: Away | None) -> None:
    assert judged(error) is kind
