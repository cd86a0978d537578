"""Staff pause a queue with a reason and an end, and let it go on; who may not, cannot."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from bridge import holds
from bridge.models import OperatorAction, OutsideService
from bridge.operations.actor import Actor, Kind
from bridge.operations.pausing import change_pause, pause, paused, resume
from bridge.pgmq import PgmqQueue
from sandbox.probe.apps import QUEUE
from tests.integration.bridge.test_admin import PAGE, client_with

PAUSE, RESUME = f"{PAGE}{QUEUE}/pause/", f"{PAGE}{QUEUE}/resume/"
ALL = ("view_queueoverview", "pause_queue")
BORIS = Actor(Kind.STAFF, "boris")


def text(response: object) -> str:
    return getattr(response, "content", b"").decode()


@pytest.mark.parametrize("end", ["hour", "morning", "open"])
def test_a_queue_is_paused_with_why_and_until_when(probe: PgmqQueue, broker_url: str, end: str) -> None:
    client = client_with(*ALL)
    page = text(client.get(PAUSE))
    assert 'value="hour" checked' in page
    assert "на час" in page
    assert "пока не сниму" in page
    now = timezone.localtime()
    answer = client.post(PAUSE, {"why": "сервер <b>переезжает</b>", "end": end, "seen": ""}, follow=True)
    hold = paused(QUEUE)
    assert hold is not None
    assert (hold.by, hold.why) == (" ".join(ALL), "сервер <b>переезжает</b>")
    if end == "hour":
        assert hold.until is not None
        assert abs(hold.until - now - timedelta(hours=1)) < timedelta(minutes=1)
    elif end == "morning":
        assert hold.until is not None
        assert timezone.localtime(hold.until).strftime("%H:%M:%S") == "08:00:00"
        assert timedelta(0) < hold.until - now <= timedelta(days=1)
    else:
        assert hold.until is None
    assert "сервер &lt;b&gt;переезжает&lt;/b&gt;" in text(answer)
    assert "Снять паузу" in text(answer)
    action = OperatorAction.objects.get()
    assert (action.actor_kind, action.actor, action.user_id) == ("staff", " ".join(ALL), User.objects.get().pk)


@pytest.mark.parametrize(
    "values", [{"why": " ", "end": "hour"}, {"why": "x", "end": ""}, {"why": "x", "end": "year"}, {"end": "hour"}, {}]
)
def test_without_a_reason_or_an_end_it_asks_again(probe: PgmqQueue, broker_url: str, values: dict[str, str]) -> None:
    answer = client_with(*ALL).post(PAUSE, values)
    assert answer.status_code == 200
    assert "Напишите, почему" in text(answer)
    assert paused(QUEUE) is None


def test_a_pause_is_changed_by_whoever_saw_it_as_it_is(probe: PgmqQueue, broker_url: str) -> None:
    client = client_with(*ALL)
    pause(QUEUE, BORIS, "рано")
    seen = client.get(PAUSE).context["seen"]
    client.post(PAUSE, {"why": "дольше", "end": "hour", "seen": seen})
    changed = paused(QUEUE)
    assert changed is not None
    assert (changed.by, changed.why, changed.until is None) == (" ".join(ALL), "дольше", False)
    # The same form once more, and one that was opened before anybody had paused it.
    for old in (seen, ""):
        answer = client.post(PAUSE, {"why": "ещё раз", "end": "open", "seen": old}, follow=True)
        assert "Кто-то успел раньше" in text(answer)
        assert paused(QUEUE) == changed
    seen = client.get(PAUSE).context["seen"]
    resume(QUEUE, BORIS)
    answer = client.post(PAUSE, {"why": "ещё раз", "end": "open", "seen": seen}, follow=True)
    assert "уже не на паузе" in text(answer)
    assert paused(QUEUE) is None


def test_a_pause_without_an_end_keeps_none_unless_somebody_says_so(probe: PgmqQueue, broker_url: str) -> None:
    client = client_with(*ALL)
    pause(QUEUE, BORIS, "переезд")
    assert 'value="open" checked' in text(client.get(PAUSE))
    resume(QUEUE, BORIS)
    pause(QUEUE, BORIS, "переезд", until=timedelta(hours=3))
    assert 'value="hour" checked' in text(client.get(PAUSE))


def test_what_was_done_to_a_pause_is_listed_in_russian(probe: PgmqQueue, broker_url: str) -> None:
    first = pause(QUEUE, BORIS, "x", until=timedelta(hours=3)).hold
    assert first is not None
    change_pause(first, BORIS, "y", until=timedelta(hours=5))
    resume(QUEUE, BORIS)
    pages = client_with("view_operatoraction")
    listed = text(pages.get("/admin/bridge/operatoraction/"))
    assert "пауза изменена" in listed
    told = [listed, *(text(pages.get(f"/admin/bridge/operatoraction/{act.pk}/change/")) for act in acts())]
    shown = re.sub("<[^>]*>", " ", " ".join(told))
    assert re.findall(r"change_pause|until_before|\bby: ", shown) == []
    assert re.search(r"раньше было до: \d\d\.\d\d\.\d{4} \d\d:\d\d", shown)


def acts() -> list[OperatorAction]:
    return list(OperatorAction.objects.all())


def test_it_goes_on_with_one_press_and_a_second_one_is_harmless(probe: PgmqQueue, broker_url: str) -> None:
    client = client_with(*ALL)
    pause(QUEUE, BORIS, "x")
    assert "снова работает" in text(client.post(RESUME, follow=True))
    assert "уже не на паузе" in text(client.post(RESUME, follow=True))
    assert paused(QUEUE) is None
    pause(QUEUE, BORIS, "x")
    client.get(RESUME)
    assert paused(QUEUE) is not None, "a link that somebody follows changes nothing"


def test_who_may_only_look_sees_the_pause_and_cannot_change_it(probe: PgmqQueue, broker_url: str) -> None:
    client = client_with("view_queueoverview", "requeue_message")
    pause(QUEUE, BORIS, "сервер переезжает")
    page = text(client.get(PAGE))
    assert "сервер переезжает" in page
    assert "Снять паузу" not in page
    assert "Приостановить…" not in page
    assert client.get(PAUSE).status_code == 403
    assert client.post(PAUSE, {"why": "x", "end": "open"}).status_code == 403
    assert client.post(RESUME).status_code == 403
    assert paused(QUEUE) is not None


def test_who_paused_at_the_command_line_is_told_in_russian(probe: PgmqQueue, broker_url: str) -> None:
    pause(QUEUE, Actor(Kind.CLI, "root"), "x")
    assert "(root, командная строка)" in text(client_with(*ALL).get(PAGE))


def test_what_a_service_holds_is_no_pause_of_staff(probe: PgmqQueue, broker_url: str) -> None:
    holds.place(QUEUE, "service:smtp", by="breaker", why="no answer")
    client = client_with(*ALL)
    assert "Снять паузу" not in text(client.get(PAGE))
    page = text(client.get(f"{PAGE}{QUEUE}/"))
    assert "нужна служба: Почтовый сервер" in page
    assert "Приостановить…" in page
    assert "Изменить паузу…" not in page
    pause(QUEUE, BORIS, "сервер переезжает")
    assert "Изменить паузу…" in text(client.get(f"{PAGE}{QUEUE}/"))


def test_the_list_names_a_service_that_is_away_and_what_to_do(probe: PgmqQueue, broker_url: str) -> None:
    client = client_with(*ALL)
    assert "не отвечает" not in text(client.get(PAGE))
    since = datetime(2026, 11, 24, 8, 47, tzinfo=UTC)
    OutsideService.objects.create(name="smtp", is_open=True, kind="away", why="port 587: timed out", since=since)
    page = text(client.get(PAGE))
    assert "Почтовый сервер: не отвечает с 24.11.2026 11:47, ждут 0 сообщений" in page
    assert "port 587: timed out" in page
    assert "Ничего не потеряно" in page


@pytest.mark.parametrize("queue", ["no_such_queue", "orders", "%D0%96"])
def test_a_queue_that_nobody_works_on_is_not_paused(probe: PgmqQueue, broker_url: str, queue: str) -> None:
    client = client_with(*ALL)
    for answer in (
        client.get(f"{PAGE}{queue}/pause/", follow=True),
        client.post(f"{PAGE}{queue}/pause/", {"why": "x", "end": "open"}, follow=True),
        client.post(f"{PAGE}{queue}/resume/", follow=True),
    ):
        assert "здесь никто не обрабатывает" in text(answer)
    assert holds.in_force() == {}
