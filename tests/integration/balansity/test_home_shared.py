"""The home page is read once for all who look at it within two seconds, and shows everybody what was committed."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from balansity.dashboard import bounds
from balansity.dashboard import sharing as sharing_module
from balansity.dashboard.sharing import KEPT_SECONDS, Sharing, sharing
from bridge.daemon.heartbeat import Heartbeat
from bridge.dashboard.broker import broker
from bridge.message import LastError, Outcome, Reason
from bridge.pgmq import pgmq_queue
from notifications.models import Status
from notifications.queue import QUEUE
from staff.attention import MOST_COUNTED
from tests.integration.balansity.test_home import client_with
from tests.integration.notifications.test_notifications_admin import row as email_row
from tests.support.databases import ClonedDatabase

pytestmark = pytest.mark.usefixtures("database", "broker_url")

HOME, NOW = "/admin/", "/admin/now/"
# Who asks: session, user and second factor, and what is committed.
MOST_OF_SHARED = 4
# Rows of mails that a statement may look at, of thousands that ended long ago; what failed is counted that far.
MOST_LOOKED_AT = MOST_COUNTED + 1


@pytest.fixture(autouse=True)
def _all_is_well(database: ClonedDatabase) -> None:
    broker.forget()
    sharing._kept.clear()
    Heartbeat().beat(published=0, archived=0, waits_for="")


@pytest.fixture
def viewers() -> list[Client]:
    """Two who may see everything, and somebody who may see mails alone."""
    bosses = [User.objects.create_superuser(name) for name in ("boss", "other")]
    clients = [Client(), Client()]
    for client, user in zip(clients, bosses, strict=True):
        client.force_login(user)
    return [*clients, client_with("notifications.view_emailmessage")]


def asked(look: Callable[[], Any]) -> tuple[Any, int]:
    with CaptureQueriesContext(connection) as queries:
        answer = look()
    assert answer.status_code in (200, 304)
    return answer, len(queries)


@pytest.fixture
def nobody_commits(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From then on nothing is committed: the server counts transactions, and other tests use it at the same time."""
    state = (object(),)
    return lambda: monkeypatch.setattr(sharing_module, "_seen", lambda: state)


def failed_mails(answer: Any) -> str:
    found: str = answer.content.decode().partition("не отправлен")[0].rpartition(">")[2]
    return found


def test_while_nothing_is_committed_it_is_read_once_for_everybody(
    viewers: list[Client], nobody_commits: Callable[[], None]
) -> None:
    boss, other, support = viewers
    email_row(1, status=Status.FAILED)
    nobody_commits()
    first, all_of_it = asked(lambda: boss.get(NOW))
    assert all_of_it > MOST_OF_SHARED
    again, shared = asked(lambda: other.get(NOW))
    assert shared <= MOST_OF_SHARED
    # But for the seconds of its time, if somebody else's commit had it read once more.
    assert failed_mails(again) == failed_mails(first)
    # Of what was read for others nobody sees more than they may.
    part, _count = asked(lambda: support.get(NOW))
    assert "не отправлено" in part.content.decode()
    assert "email_queue" not in part.content.decode()


def test_whoever_opens_the_page_sees_what_was_committed_a_moment_ago(viewers: list[Client]) -> None:
    for number in (1, 2, 3):
        email_row(number, status=Status.FAILED)
        for viewer in viewers:
            assert failed_mails(viewer.get(HOME)).startswith(str(number))


def test_whoever_shows_something_older_gets_what_another_was_told_and_then_the_newest(
    viewers: list[Client], nobody_commits: Callable[[], None]
) -> None:
    boss, other, _support = viewers
    old = boss.get(NOW)
    email_row(1, status=Status.FAILED)
    told = other.get(HOME)
    email_row(2, status=Status.FAILED)
    news, cost = asked(lambda: boss.get(NOW, headers={"If-None-Match": old["ETag"]}))
    assert failed_mails(news) == failed_mails(told) == "1 письмо "
    assert cost <= MOST_OF_SHARED
    nobody_commits()
    newest = boss.get(NOW, headers={"If-None-Match": news["ETag"]})
    assert failed_mails(newest) == "2 письма "
    unchanged, cost = asked(lambda: boss.get(NOW, headers={"If-None-Match": newest["ETag"]}))
    assert unchanged.status_code == 304
    assert cost <= MOST_OF_SHARED


def test_nothing_is_kept_for_longer_than_its_times_may_be_wrong(
    viewers: list[Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    boss, *_others = viewers
    began, counts = sharing._clock(), []
    # The first of them finds out besides what a process finds out once.
    for turn in range(3):
        now = began + turn * KEPT_SECONDS
        monkeypatch.setattr(sharing, "_clock", partial(float, now))
        counts.append(asked(lambda: boss.get(NOW))[1])
    assert counts[2] >= counts[1] - 1 > MOST_OF_SHARED
    answer, _count = asked(lambda: boss.get(NOW, headers={"If-None-Match": '"older"'}))
    assert answer.status_code == 200


def test_what_could_not_be_read_is_read_for_the_next_who_opens_the_page(
    viewers: list[Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    boss, *_others = viewers
    with monkeypatch.context() as patched:
        patched.setattr("balansity.dashboard.reading.bounded", lambda: bounds.bounded(seconds=-1))
        assert "Не удалось прочитать" in boss.get(HOME).content.decode()
    assert "Не удалось прочитать" not in boss.get(HOME).content.decode()


def test_in_a_transaction_its_own_changes_are_seen(viewers: list[Client]) -> None:
    boss, *_others = viewers
    boss.get(HOME)
    with transaction.atomic():
        email_row(1, status=Status.FAILED)
        assert failed_mails(boss.get(HOME)).startswith("1 ")


def test_of_two_at_once_the_second_takes_what_was_read_since_it_came() -> None:
    time = iter((1.0, 1.1, 1.2, 0.9, 1.3))
    both = Sharing(clock=lambda: next(time))
    watch: Any = object()
    with transaction.atomic():
        assert [said.what for said in both.now([watch], lambda _parts: ["read"])] == ["read"]
        # It came before that was read, at 0.9, and had to wait for its turn.
        next(time)
        assert [said.what for said in both.now([watch], lambda _parts: ["once more"])] == ["read"]


def test_no_statement_of_the_page_looks_at_what_ended_long_ago(viewers: list[Client]) -> None:
    boss, *_others = viewers
    queue = pgmq_queue(QUEUE)
    queue.send({"to": "nobody"})
    for message in queue.read(limit=1, lease=60):
        queue.finish(message, Outcome.FAILED, reason=Reason.PERMANENT_ERROR, error=LastError("SMTPError", "550"))
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO notifications_emailmessage (queue, msg_id, enqueued_at, recipient, subject, template,
                html_body, text_body, status, attempts, reason, error, error_type, provider, provider_message_id,
                message_id, dedupe_key, trace_id, created_at, updated_at, sent_at)
            SELECT 'email_queue', n, past, 'client' || n || '@mail.example', 'Заказ № ' || n, 'welcome', '', '',
                CASE n % 10 WHEN 0 THEN 'failed' ELSE 'sent' END, 1,
                CASE n % 10 WHEN 0 THEN 'worker_lost' ELSE '' END,
                CASE n % 10 WHEN 0 THEN '550' ELSE '' END, '', 'smtp', '', n::text, '',
                md5(n::text), past, past, CASE WHEN n % 10 > 0 THEN past END
            FROM generate_series(1, 4000) AS n, (SELECT now() - interval '9 days' AS past) AS then_"""
        )
        cursor.execute("VACUUM (ANALYZE) notifications_emailmessage")
    with CaptureQueriesContext(connection) as queries:
        boss.get(NOW)
    statements = [one["sql"] for one in queries if one["sql"].lstrip().startswith(("SELECT", "WITH"))]
    assert any("notifications_emailmessage" in statement for statement in statements)
    for statement in statements:
        with transaction.atomic(), connection.cursor() as cursor:
            # Of so few rows Postgres would rather look at each. What is asked here is whether there is another way.
            cursor.execute("SET LOCAL enable_seqscan TO off")
            cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}")
            plan = cursor.fetchone()[0][0]["Plan"]
        for node in nodes(plan):
            looked_at = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
            assert looked_at <= MOST_LOOKED_AT or "notifications" not in node.get("Relation Name", ""), (
                node,
                statement,
            )


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(found for below in plan.get("Plans", ()) for found in nodes(below))]
