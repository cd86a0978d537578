"""The queues as staff see them."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from bridge.daemon.heartbeat import Heartbeat
from bridge.message import LastError, Outcome, Reason
from bridge.models import BridgeProcess
from bridge.pgmq import PgmqQueue

PAGE = "/admin/bridge/queueoverview/"
FAILED = f"{PAGE}probe_queue/failed/"


def client_with(*permissions: str) -> Client:
    user = User.objects.create_user("staff", password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def fail_one(probe: PgmqQueue, body: object) -> int:
    msg_id = probe.send(body)
    (message,) = probe.read(limit=1, lease=60)
    probe.finish(message, Outcome.FAILED, reason=Reason.WORKER_LOST, error=LastError("WorkerLost", "it died <b>"))
    return msg_id


def test_the_page_shows_the_queues_in_russian_and_that_no_bridge_runs(probe: PgmqQueue, broker_url: str) -> None:
    page = client_with("view_queueoverview").get(PAGE).content.decode()
    assert "Ни один процесс моста не работает" in page
    assert "analytics_queue" in page
    assert "нет обработчика" in page


def test_a_living_bridge_is_shown(probe: PgmqQueue, broker_url: str) -> None:
    Heartbeat().beat(published=3, archived=0, waits_for="")
    page = client_with("view_queueoverview", "view_bridgeprocess")
    assert "Работает 1 процесс моста" in page.get(PAGE).content.decode()
    assert page.get("/admin/bridge/bridgeprocess/").status_code == 200


def test_the_times_of_a_process_are_short(probe: PgmqQueue, broker_url: str) -> None:
    seen = datetime(2026, 11, 26, 21, 5, tzinfo=UTC)
    BridgeProcess.objects.create(name="host:1", started_at=seen, seen_at=seen)
    page = client_with("view_bridgeprocess").get("/admin/bridge/bridgeprocess/").content.decode()
    assert page.count("27.11.2026 00:05") == 2
    assert '<td data-label="Остановлен" class="field-stopped">—</td>' in page


def test_failed_messages_are_listed_with_their_reason_and_escaped(probe: PgmqQueue) -> None:
    fail_one(probe, {"to": "<script>alert(1)</script>"})
    page = client_with("view_queueoverview", "requeue_message").get(FAILED).content.decode()
    assert "исполнитель каждый раз погибал" in page
    assert "it died &lt;b&gt;" in page
    assert "<script>alert" not in page
    assert 'name="msg_id"' in page


def test_a_link_in_a_failed_message_opens_nothing_for_whoever_reads_it(probe: PgmqQueue) -> None:
    fail_one(probe, {"variables": {"report_url": "https://api.example.org/file?v=1&token=1vN:s3-cr_et"}})
    page = client_with("view_queueoverview").get(FAILED).content.decode()
    assert "https://api.example.org/file?v=1&amp;token=***&quot;" in page
    assert "s3-cr_et" not in page


def test_marked_messages_are_put_back_and_leave_the_list(probe: PgmqQueue) -> None:
    ids = [fail_one(probe, {"n": n}) for n in range(3)]
    client = client_with("view_queueoverview", "requeue_message")
    answer = client.post(FAILED, {"msg_id": [str(ids[0]), str(ids[1]), "nonsense", "9" * 5000]}, follow=True)
    assert "2 сообщения возвращены в очередь" in answer.content.decode()
    assert [failed.msg_id for failed in probe.failed()] == ids[2:]
    assert probe.counts().ready == 2


def test_why_a_message_is_not_put_back_is_said_in_russian(probe: PgmqQueue) -> None:
    before, queued = fail_one(probe, {}), probe.send({})
    client = client_with("view_queueoverview", "requeue_message")
    client.post(FAILED, {"msg_id": str(before)}, follow=True)
    answer = client.post(FAILED, {"msg_id": [str(before), str(queued), "999999"]}, follow=True)
    assert [str(message) for message in answer.context["messages"]] == [
        f"Сообщение № {before} уже возвращали в очередь, под № {queued + 1}.",
        f"Сообщение № {queued} ещё в очереди: возвращают только то, что окончательно не удалось.",
        "Сообщения № 999999 больше нет в архиве.",
        "0 сообщений возвращено в очередь.",
    ]


def test_without_the_permission_nothing_is_put_back(probe: PgmqQueue) -> None:
    msg_id = fail_one(probe, {})
    client = client_with("view_queueoverview")
    assert 'name="msg_id"' not in client.get(FAILED).content.decode()
    assert client.post(FAILED, {"msg_id": [str(msg_id)]}).status_code == 403
    assert probe.counts().total == 0


@pytest.mark.parametrize("address", [PAGE, FAILED])
def test_staff_without_the_permission_see_no_queues(probe: PgmqQueue, address: str) -> None:
    assert client_with().get(address).status_code == 403


def test_an_unknown_queue_leads_back_with_a_message(probe: PgmqQueue, broker_url: str) -> None:
    answer = client_with("view_queueoverview").get(f"{PAGE}no_such_queue/failed/", follow=True)
    assert "Очереди no_such_queue нет в базе данных." in answer.content.decode()


def test_long_lists_come_in_pages(probe: PgmqQueue) -> None:
    ids = [fail_one(probe, {}) for _ in range(51)]
    client = client_with("view_queueoverview")
    first, second = client.get(FAILED).content.decode(), client.get(f"{FAILED}?page=2").content.decode()
    assert "Всего: 51" in first
    # The newest first.
    assert f">{ids[50]}<" in first
    assert f">{ids[0]}<" not in first
    assert 'href="/admin/bridge/queueoverview/probe_queue/failed/?page=2"' in first
    assert f">{ids[0]}<" in second
    # A page that there is not is the last one.
    assert f">{ids[0]}<" in client.get(f"{FAILED}?page=77").content.decode()
    assert f">{ids[50]}<" in client.get(f"{FAILED}?page=²").content.decode()
