"""The queues as staff see them."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from bridge.daemon.heartbeat import Heartbeat
from bridge.models import BridgeProcess
from bridge.pgmq import PgmqQueue

PAGE = "/admin/bridge/queueoverview/"
FAILED = f"{PAGE}probe_queue/?tab=failures"


def client_with(*permissions: str) -> Client:
    user = User.objects.create(username=" ".join(permissions)[:150] or "nobody", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


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
    assert '<td data-label="Чего ждёт" class="field-waits">—</td>' in page


@pytest.mark.parametrize("address", [PAGE, FAILED])
def test_staff_without_the_permission_see_no_queues(probe: PgmqQueue, address: str) -> None:
    assert client_with().get(address).status_code == 403


def test_an_unknown_queue_leads_back_with_a_message(probe: PgmqQueue, broker_url: str) -> None:
    answer = client_with("view_queueoverview").get(f"{PAGE}no_such_queue/", follow=True)
    assert "Очереди no_such_queue нет в базе данных." in answer.content.decode()
