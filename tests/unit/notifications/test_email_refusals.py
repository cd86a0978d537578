"""Real answers of mail servers and providers: which end a mail, and which wait until we have mended something."""

import smtplib

import pytest

from bridge.errors import PermanentError
from notifications.errors import DeliveryDeferred, OurFault
from notifications.sending.faults import Fault, Step
from notifications.sending.judgement import find_api_fault, find_fault
from notifications.sending.refusals import explain_refusal
from tests.support.server_answers import ANSWERS, API_ANSWERS, Answer, ApiAnswer


def raised(answer: Answer) -> Exception:
    """The error that smtplib raises for it."""
    code, reply = answer.code, answer.reply.encode()
    match answer.step:
        case Step.RECIPIENT:
            return smtplib.SMTPRecipientsRefused({"parent@example.net": (code, reply)})
        case Step.SENDER:
            return smtplib.SMTPSenderRefused(code, reply, "noreply@example.org")
        case Step.TEXT:
            return smtplib.SMTPDataError(code, reply)
        case Step.LOGIN:
            return smtplib.SMTPAuthenticationError(code, reply)
        case Step.HELLO:
            return smtplib.SMTPHeloError(code, reply)
        case Step.CONNECT:
            return smtplib.SMTPConnectError(code, reply)


def test_there_are_enough_answers_of_enough_servers() -> None:
    assert len(ANSWERS) > 60
    assert {answer.fault for answer in ANSWERS} > {
        Fault.SENDER,
        Fault.HOST,
        Fault.QUOTA,
        Fault.RECIPIENT,
        Fault.CONTENT,
    }


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: f"{answer.code} {answer.reply[:50]}")
def test_a_refusal_ends_the_mail_only_if_it_is_about_its_recipient_or_its_text(answer: Answer) -> None:
    error = explain_refusal(raised(answer))
    if answer.fault is None:
        assert type(error) is DeliveryDeferred
    elif answer.fault.is_ours:
        assert isinstance(error, OurFault)
        assert f"ours to mend: {answer.fault.remedy}" in str(error)
    else:
        assert type(error) is PermanentError
        assert "ours to mend" not in str(error)
    assert f"{answer.code} {' '.join(answer.reply.split())[:40]}" in str(error)


@pytest.mark.parametrize("answer", [answer for answer in ANSWERS if answer.fault], ids=lambda answer: answer.reply[:50])
@pytest.mark.parametrize("step", [Step.RECIPIENT, Step.TEXT])
def test_what_is_ours_is_so_at_whatever_step_the_server_says_it(answer: Answer, step: Step) -> None:
    found = find_fault(step, answer.code, answer.reply)
    assert (found is not None and found.is_ours) == (answer.fault is not None and answer.fault.is_ours)


@pytest.mark.parametrize(
    ("step", "code", "reply", "fault"),
    [
        (Step.CONNECT, 554, "No", Fault.HOST),
        (Step.HELLO, 550, "No", Fault.NAME),
        (Step.SENDER, 550, "No", Fault.SENDER),
        (Step.SENDER, 552, "5.2.2 Over quota", Fault.SENDER),
        (Step.SENDER, 552, "5.3.4 Message size exceeds fixed limit", Fault.CONTENT),
        (Step.RECIPIENT, 550, "No", Fault.RECIPIENT),
        (Step.TEXT, 554, "No", Fault.CONTENT),
        (Step.RECIPIENT, 503, "5.5.1 Error: nested MAIL command", Fault.PROTOCOL),
        (Step.RECIPIENT, 530, "5.7.0 No", Fault.LOGIN),
        (Step.RECIPIENT, 550, "Access denied", Fault.ACCOUNT),
        (Step.RECIPIENT, 550, "5.1.1 <a@b.example>: Sender address rejected: User unknown", Fault.SENDER),
        (Step.RECIPIENT, 554, "5.7.1 Your account is disabled", Fault.ACCOUNT),
        (Step.TEXT, 550, "Sending rate exceeded", Fault.QUOTA),
        (Step.TEXT, 554, "5.7.0 Limit exceeded", Fault.QUOTA),
        (Step.TEXT, 554, "5.7.1 Quota exceeded", Fault.QUOTA),
        (Step.TEXT, 552, "Message size exceeds the limit", Fault.CONTENT),
        (Step.RECIPIENT, 552, "The user has exceeded the quota", Fault.RECIPIENT),
        (Step.RECIPIENT, 552, "Requested mail action aborted: exceeded storage allocation", Fault.RECIPIENT),
        (Step.RECIPIENT, 550, "Failure. Try again later", Fault.BUSY),
        (Step.RECIPIENT, 450, "No", None),
    ],
)
def test_an_answer_that_nobody_knows_is_judged_by_its_step_and_code(
    step: Step, code: int, reply: str, fault: Fault | None
) -> None:
    assert find_fault(step, code, reply) is fault


def test_words_in_the_recipients_own_address_decide_nothing() -> None:
    reply = "5.1.1 <sender-address-rejected.relay.denied.quota@example.net>: User unknown"
    assert find_fault(Step.RECIPIENT, 550, reply) is Fault.RECIPIENT
    assert find_fault(Step.RECIPIENT, 550, "no mailbox too-many-messages.dmarc@example.net here") is Fault.RECIPIENT


def test_an_ip_address_is_no_status() -> None:
    assert find_fault(Step.SENDER, 550, "5.1.1.1 is not welcome") is Fault.SENDER


@pytest.mark.parametrize("answer", API_ANSWERS, ids=lambda answer: f"{answer.provider} {answer.status} {answer.seen}")
def test_what_an_http_provider_says_of_us_is_ours(answer: ApiAnswer) -> None:
    fault = find_api_fault(answer.status, str(answer.body))
    assert fault is not None
    assert fault.is_ours is answer.is_ours


def test_a_token_that_the_server_repeats_is_masked() -> None:
    echo = b"5.6.0 in line <a href='https://api.example.org/api/reports/1/file?v=1&token=s3-cr_et'>"
    assert "s3-cr_et" not in str(explain_refusal(smtplib.SMTPDataError(554, echo)))
