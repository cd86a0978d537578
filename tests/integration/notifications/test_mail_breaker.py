"""Mails and the breaker of their server: what a probe sees, what staff see, and a mail that is broken alone."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery.exceptions import Ignore, Retry
from pytest_django import Settings

from bridge import holds
from bridge.breaker import services
from bridge.errors import Away
from bridge.models import OutsideService
from bridge.queues import registry
from notifications.models import Status
from notifications.queue import QUEUE
from notifications.sending.mailer import mailer
from notifications.tasks import send_email
from sandbox.mailbox import Mailbox, Security
from tests.support import deliveries
from tests.support.email_deliveries import attempt, enqueue, outcome_of, read_one, row_of
from tests.support.scripted_smtp import ScriptedServer

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def _no_kept_connection(settings: Settings) -> Iterator[None]:
    settings.EMAIL_TIMEOUT = 3
    yield
    mailer.close()


def seen() -> tuple[Away, str] | None:
    service = services.get("smtp")
    assert service is not None
    verdict = service.look(3)
    return (verdict.kind, verdict.why) if verdict else None


def is_open() -> bool:
    return OutsideService.objects.filter(is_open=True).exists()


def test_a_probe_that_is_content_has_sent_nothing(mailbox: Mailbox) -> None:
    assert seen() is None
    assert (mailbox.messages, mailbox.attempts) == ([], [])


def test_a_server_that_is_not_there_is_away(mailbox: Mailbox) -> None:
    mailbox.stop()
    found = seen()
    assert found is not None
    assert found[0] is Away.AWAY
    assert found[1].startswith("The mail server 127.0.0.1")


def test_a_wrong_password_is_a_refusal(tmp_path: Path, certificate: tuple[Path, Path], settings: Settings) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    login = ("balansity", "right")
    with Mailbox(tmp_path, security=Security.STARTTLS, certificate=context, login=login) as server:
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "localhost", server.port, True
        settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "balansity", "pw-Of-Yesterday"
        found = seen()
    assert found is not None
    assert found[0] is Away.REFUSED
    assert "pw-Of-Yesterday" not in found[1]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [("550 5.7.1 Sender address rejected", Away.REFUSED), ("452 4.3.1 Insufficient system storage", Away.AWAY)],
)
def test_what_the_server_says_of_our_sender_is_seen_without_a_mail(reply: str, kind: Away, settings: Settings) -> None:
    with ScriptedServer({"MAIL": reply}) as server:
        server.use(settings)
        found = seen()
    assert found is not None
    assert found[0] is kind


def test_staff_see_mails_that_wait_for_their_server_as_waiting_and_they_go_out_at_their_first_attempt(
    mailbox: Mailbox,
) -> None:
    mailbox.stop()
    ids = [enqueue("payment_failed", to=f"parent{number}@example.org") for number in range(3)]
    for msg_id in ids[:2]:
        assert ended(msg_id) is Retry
    assert ended(ids[2]) is Ignore
    assert is_open()
    row = row_of(ids[2])
    assert (row.status, row.error_type) == (Status.RETRYING, "ConnectionRefusedError")
    assert row.next_retry_at is not None
    mailbox.start()
    lift()
    row = attempt(ids[2])
    assert (row.status, row.attempts, row.error) == (Status.SENT, 1, "")
    assert not is_open()


def test_a_mail_at_which_the_server_hangs_up_each_time_ends_alone_and_opens_nothing(mailbox: Mailbox) -> None:
    poison = enqueue("payment_failed", to="parent+drop99@example.org")
    for _ in range(registry.get(QUEUE).most_attempts):
        ended(poison)
    assert outcome_of(poison) == ("failed", "retries_exhausted")
    assert row_of(poison).attempts == 6
    assert not is_open()
    assert attempt(enqueue("payment_failed", to="other@example.org")).status == Status.SENT


def test_a_mail_whose_last_attempt_meets_an_outage_goes_out_once_the_server_is_back(mailbox: Mailbox) -> None:
    msg_id = enqueue("payment_failed", to="parent@example.org")
    mailbox.stop()
    for _ in range(registry.get(QUEUE).most_attempts):
        ended(msg_id)
    assert is_open()
    mailbox.start()
    lift()
    assert attempt(msg_id).status == Status.SENT


def ended(msg_id: int) -> type[BaseException] | None:
    """How Celery would see an attempt end."""
    try:
        deliveries.run(send_email, read_one(msg_id))
    except (Retry, Ignore, OSError) as error:
        return type(error)
    return None


def lift() -> None:
    """Let the queue be read as for the message that is let through."""
    assert holds.lift(QUEUE, "service:smtp")
