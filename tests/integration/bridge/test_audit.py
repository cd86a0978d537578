"""Who did what is written down with it, or not at all."""

import getpass

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction

from bridge.models import OperatorAction
from bridge.operations import audit
from bridge.operations.actor import Actor, Kind, cli_actor, staff_actor
from sandbox.probe.apps import QUEUE
from tests.support.databases import ClonedDatabase


def test_an_act_of_staff_outlives_its_user(database: ClonedDatabase) -> None:
    user = get_user_model().objects.create_user("anna")
    with transaction.atomic():
        audit.record(
            staff_actor(user), "requeue", queue=QUEUE, count=60, skipped={"requeued_before": 2}, filters={"reason": "x"}
        )
    user.delete()
    found = OperatorAction.objects.get()
    assert (found.actor_kind, found.actor, found.user_id) == ("staff", "anna", None)
    assert (found.action, found.queue, found.msg_id, found.count) == ("requeue", QUEUE, None, 60)
    assert (found.skipped, found.filters) == ({"requeued_before": 2}, {"reason": "x"})


def test_it_is_not_noted_apart_from_what_it_is_about(database: ClonedDatabase) -> None:
    with pytest.raises(transaction.TransactionManagementError, match="in the transaction that does it"):
        audit.record(Actor(Kind.SYSTEM, "breaker"), "pause", queue=QUEUE)
    with transaction.atomic():
        audit.record(Actor(Kind.SYSTEM, "breaker"), "pause", queue=QUEUE)
        transaction.set_rollback(True)
    assert not OperatorAction.objects.exists()


def test_a_reason_is_one_line_of_bounded_length(database: ClonedDatabase) -> None:
    with transaction.atomic():
        audit.record(cli_actor(), "pause", queue=QUEUE, reason="  the\nserver\x00\x1b[31m moves " + "x" * 9000)
    found = OperatorAction.objects.get()
    assert found.reason.startswith("the server [31m moves xxx")
    assert len(found.reason) == audit.MOST_CHARACTERS


def test_the_command_line_is_whom_the_system_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = getpass.getuser()
    monkeypatch.setenv("LOGNAME", "somebody-else")
    monkeypatch.setenv("USER", "somebody-else")
    assert cli_actor().name in {expected, "root"}
    assert str(cli_actor()) == f"{cli_actor().name} (cli)"
    monkeypatch.setattr("os.getuid", lambda: 987_654)
    assert cli_actor() == Actor(Kind.CLI, "uid 987654")
