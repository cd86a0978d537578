"""What the checker of `./dev chaos` says of mails: whether each has arrived, and which fault explains a copy."""

from dataclasses import replace

import pytest

from sandbox.chaos.books import Books, Delivery, Done, LoggedMail, Message, Try
from sandbox.chaos.happened import CUTS_OFF, Happened
from sandbox.chaos.judging.verdict import judge
from sandbox.chaos.schedule import KINDS
from tests.support.chaos_books import (
    ANNA,
    ID,
    LEASE,
    MAIL,
    PAYMENTS,
    SIBLING,
    WORKER,
    at,
    changed,
    known,
    right,
    violations,
    without,
)


@pytest.mark.parametrize(
    ("books", "found"),
    [
        pytest.param(without(right(), "deliveries", 0), "the mail server never got it", id="not arrived"),
        pytest.param(
            changed(right(), "messages", 0, outcome="failed", reason="retries_exhausted", attempts=6),
            "it did not arrive: retries_exhausted",
            id="given up",
        ),
        pytest.param(
            changed(right(), "deliveries", 0, recipient="igor@x.example"), "it went to …@x.example", id="astray"
        ),
        pytest.param(
            changed(right(), "deliveries", 0, message_id="<email_queue.99.0123456789abcdef@example.org>"),
            "a mail to …@families.example that no message asked for",
            id="nobody asked for it",
        ),
        pytest.param(
            changed(right(), "deliveries", 0, message_id="<made@up>"), "that no message asked for", id="unknown id"
        ),
        pytest.param(changed(right(), "mail_log", 0, attempts=2), "the mail log has 2 attempts", id="attempts differ"),
        pytest.param(changed(right(), "mail_log", 0, status="sending"), "the mail log says sending", id="log left"),
        pytest.param(
            changed(right(), "mail_log", 0, reason="refused"), "the mail log says refused", id="reasons differ"
        ),
        pytest.param(changed(right(), "mail_log", 0, message_id="<x@y>"), "has the Message-ID <x@y>", id="ids differ"),
        pytest.param(without(right(), "mail_log", 0), "the mail log does not know it", id="not logged"),
        pytest.param(
            changed(right(), "messages", 0, outcome="duplicate"), "the duplicate of another one, and arrived", id="both"
        ),
        pytest.param(
            changed(
                changed(without(right(), "deliveries", 0), "messages", 0, outcome="duplicate"),
                "mail_log",
                0,
                status="duplicate",
            ),
            "it counts as a duplicate, and there is no other mail of its kind to the same recipient",
            id="a duplicate of nothing",
        ),
        pytest.param(
            replace(right(), mail_log=(*right().mail_log, LoggedMail(77, "sent", 1, "", ""))),
            "mail 77: the mail log has it, and no message asked for it",
            id="logged of nothing",
        ),
    ],
)
def test_mails(books: Books, found: str) -> None:
    assert any(found in one for one in violations(books)), violations(books)


def test_whom_the_mail_server_refuses_for_good_gets_no_mail() -> None:
    refused = Message(MAIL, 8, outcome="failed", reason="permanent_error", recipient="x+reject550@families.example")
    logged = LoggedMail(8, "failed", 1, "permanent_error", "")
    books = replace(right(), messages=(*right().messages, refused), mail_log=(*right().mail_log, logged))
    assert violations(books) == []
    healthy = changed(books, "messages", -1, recipient="x@families.example")
    assert any("it did not arrive: permanent_error" in one for one in violations(healthy))


def copied(*, second: float = 20, message_id: str = ID) -> Books:
    """The mail came a second time: the first attempt was lost, the next one was made by a sibling."""
    tries = (Try(1, at(10), WORKER, is_lost=True), Try(2, at(19), SIBLING))
    books = changed(right(), "messages", 0, attempts=2, tries=tries)
    books = changed(books, "mail_log", 0, attempts=2)
    return replace(
        books,
        done=(Done(MAIL, 1, 2), Done(PAYMENTS, 1, 1)),
        deliveries=(*books.deliveries, Delivery(ANNA, message_id, at(second))),
    )


def fault(kind: str, began: float, ended: float, *pids: int, number: int = 7) -> Happened:
    return Happened(number, kind, "", at(began), at(ended), frozenset(pids))


@pytest.mark.parametrize(
    "cause",
    [
        fault("child_kill", 11.5, 11.5, WORKER),
        fault("worker_stop", 10.5, 21, WORKER, 1, 2),
        fault("worker_kill", 12, 12, 1, WORKER),
        # Its children die with it.
        fault("parent_kill", 11.5, 11.5, WORKER),
        # Nobody's process: it was away for everybody.
        fault("postgres_immediate", 11, 12),
        fault("mail_kill", 10.8, 12),
    ],
)
def test_a_copy_is_explained_by_the_fault_between_the_two_and_named_by_its_number(cause: Happened) -> None:
    others = (fault("beat_kill", 11, 11, number=1), fault("child_kill", 11, 11, 999, number=2))
    verdict = judge(copied(), known(), (*others, cause))
    assert verdict.violations == ()
    assert [(one.msg_id, one.copy, one.fault, one.kind) for one in verdict.copies] == [(1, 2, 7, cause.kind)]


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param((), id="no fault at all"),
        pytest.param((fault("child_kill", 11.5, 11.5, 999),), id="another process was killed"),
        pytest.param((fault("child_kill", 20.5, 20.5, WORKER),), id="killed after the copy"),
        pytest.param((fault("child_kill", 5, 5, WORKER),), id="killed before the first attempt"),
        pytest.param((fault("postgres_fast", 2, 4),), id="Postgres was back long before"),
        pytest.param((fault("mail_outage", 30, 35),), id="the mail server went later"),
        pytest.param((fault("broker_double", 9, 21),), id="a doubled task must be found stale"),
        pytest.param((fault("bridge_kill", 9, 21, WORKER),), id="a bridge sends no mail"),
        pytest.param((fault("queue_paused", 9, 21),), id="a pause ends no attempt"),
        pytest.param((fault("child_kill", 10 + LEASE + 1.5, 19.8, WORKER),), id="killed when it was over"),
        pytest.param((fault("postgres_fast", 10 + LEASE + 1.5, 19.8),), id="Postgres went when it was over"),
    ],
)
def test_a_copy_without_an_explanation_is_found(faults: tuple[Happened, ...]) -> None:
    found = violations(copied(), faults=faults)
    assert found == [
        "invariant 3: mail 1: copy 2 came 9.0 s after the one before, and no fault between them explains it"
    ]


def test_a_copy_with_another_message_id_is_found_whatever_explains_it() -> None:
    other = ID.replace("0123456789abcdef", "fedcba9876543210")
    found = violations(copied(message_id=other), faults=(fault("child_kill", 11.5, 11.5, WORKER),))
    assert found == ["invariant 3: mail 1: its copies have 2 different Message-IDs"]


def test_each_of_three_copies_needs_a_fault_of_its_own_time() -> None:
    books = copied()
    books = replace(books, deliveries=(*books.deliveries, Delivery(ANNA, ID, at(30))))
    verdict = judge(books, known(), (fault("mail_kill", 11, 12),))
    assert [one.copy for one in verdict.copies] == [2]
    assert [str(one) for one in verdict.violations] == [
        "invariant 3: mail 1: copy 3 came 10.0 s after the one before, and no fault between them explains it"
    ]


def test_only_faults_that_can_be_scheduled_explain_anything() -> None:
    assert {kind.name for kind in KINDS} >= CUTS_OFF.keys()
