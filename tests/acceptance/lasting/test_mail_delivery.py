"""Mail from the queue to the server's mailbox, through everything that servers and workers do to it."""

from collections import Counter
from typing import TypeVar

from tests.acceptance.lasting.processes import Inbox, Lasting
from tests.acceptance.ledger import Ledger
from tests.acceptance.mails import mail_log, mails, payment_failed, reminder
from tests.acceptance.waiting import wait_until

T = TypeVar("T")


def test_each_mail_ends_as_its_server_and_its_message_decide(lasting: Lasting, mail: Ledger, mailbox: Inbox) -> None:
    sent = {
        "accepted": payment_failed("ok@example.org"),
        "accepted at the third try": payment_failed("later+refuse2@example.org"),
        "never accepted": payment_failed("never+always451@example.org"),
        "refused for good": payment_failed("gone+reject550@example.org"),
        "accepted after the connection broke": payment_failed("broken+drop1@example.org"),
        "no address": payment_failed("nobody"),
        "unknown template": payment_failed("ok@example.org", template="no_such_template"),
        "lacks a variable": payment_failed("ok@example.org", variables={"amount": 5000}),
        "reminder": reminder("family@example.org"),
    }
    ids = {name: mail.send(body) for name, body in sent.items()}
    # The copy must not overtake its original.
    mail.await_ending(ids["reminder"])
    ids["same reminder again"] = mail.send(reminder("family@example.org"))
    ids["reminder of another time"] = mail.send(reminder("family@example.org", "2026-11-25T11:30:00Z"))
    endings = mail.await_endings(ids.values())
    expected = {
        "accepted": ("succeeded", "", 1),
        "accepted at the third try": ("succeeded", "", 3),
        "never accepted": ("failed", "retries_exhausted", 6),
        "refused for good": ("failed", "permanent_error", 1),
        "accepted after the connection broke": ("succeeded", "", 2),
        "no address": ("failed", "permanent_error", 1),
        "unknown template": ("failed", "permanent_error", 1),
        "lacks a variable": ("failed", "permanent_error", 1),
        "reminder": ("succeeded", "", 1),
        "same reminder again": ("duplicate", "", 1),
        "reminder of another time": ("succeeded", "", 1),
    }
    assert {name: (end.outcome, end.reason, end.attempts) for name, end in by_name(ids, endings).items()} == expected
    status = {"succeeded": "sent", "failed": "failed", "duplicate": "duplicate"}
    assert by_name(ids, mail_log(mail)) == {name: (status[end], *rest) for name, (end, *rest) in expected.items()}
    assert Counter(kept.recipient for kept in mails(mailbox)) == {
        "ok@example.org": 1,
        "later+refuse2@example.org": 1,
        "broken+drop1@example.org": 1,
        "family@example.org": 2,
    }
    # One identity for every attempt of a mail, and another one for every other mail.
    tried = Counter(attempt.message_id for attempt in mailbox.attempts if attempt.message_id)
    assert sorted(tried.values()) == [1, 1, 1, 2, 3, 6]


def test_a_mail_whose_worker_died_before_the_commit_is_repeated_with_the_same_message_id(
    lasting: Lasting, mail: Ledger, mailbox: Inbox
) -> None:
    doomed = lasting.worker()
    msg_id = mail.send(payment_failed("family+slow1@example.org"))
    mail.await_attempt(msg_id)
    # Whoever holds the row keeps the outcome from being written.
    with mail.locked(msg_id):
        wait_until(lambda: mailbox.messages, "the server accepts the mail")
        sessions = mail.await_blocked()
        doomed.kill()
        # It goes on with what it was told, until it sees that nobody is there any more. Here it sees that at once.
        mail.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s) AS session (pid)", [sessions])
    mail.let_lease_run_out(msg_id)
    lasting.worker()
    ending = mail.await_ending(msg_id)
    assert (ending.outcome, ending.attempts) == ("succeeded", 2)
    first, second = mailbox.messages
    assert first.message_id == second.message_id
    assert first.message["Date"] == second.message["Date"]
    assert mail_log(mail) == {msg_id: ("sent", "", 2)}


def test_a_mail_whose_worker_died_before_the_server_accepted_it_arrives_once(
    lasting: Lasting, mail: Ledger, mailbox: Inbox
) -> None:
    doomed = lasting.worker()
    msg_id = mail.send(payment_failed("family+slow1@example.org"))
    mail.await_attempt(msg_id)
    doomed.kill()
    mail.let_lease_run_out(msg_id)
    lasting.worker()
    ending = mail.await_ending(msg_id)
    assert (ending.outcome, ending.attempts) == ("succeeded", 2)
    assert len(mailbox.messages) == 1
    assert mail_log(mail) == {msg_id: ("sent", "", 2)}


def test_mails_wait_for_a_mail_server_that_is_down(lasting: Lasting, mail: Ledger, mailbox: Inbox) -> None:
    mailbox.stop()
    worker = lasting.worker()
    msg_ids = mail.send_many([payment_failed(f"family{number}@example.org") for number in range(5)])
    worker.await_text("Mail server (smtp) does not do its part")
    wait_until(lambda: {status for status, *_ in mail_log(mail).values()} == {"retrying"}, "all wait for a repeat")
    mailbox.start()
    endings = mail.await_endings(msg_ids)
    assert {ending.outcome for ending in endings.values()} == {"succeeded"}
    assert sorted(kept.recipient for kept in mails(mailbox)) == [f"family{number}@example.org" for number in range(5)]


def by_name(ids: dict[str, int], found: dict[int, T]) -> dict[str, T]:
    return {name: found[msg_id] for name, msg_id in ids.items()}
