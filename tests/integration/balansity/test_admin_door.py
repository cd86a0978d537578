"""The door of the admin: how often it may be tried, who is written down, and when it closes by itself."""

import logging
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from typing import Any

import pytest
import redis
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.models import Session
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client, RequestFactory
from freezegun import freeze_time
from pytest_django import Settings

from balansity.counting import Limit, MistakeCounter
from balansity.door.guard import through_the_door
from balansity.door.hashing import HashingRoom, TooBusy
from balansity.door.limits import attempts
from balansity.models import LoginAttempt, Outcome
from balansity.tasks import forget_old_logins

LOGIN = "/admin/login/"
INDEX = "/admin/"
# For who is logged in, and read in a quarter of the time of the first page.
INSIDE = "/admin/password_change/"
PASSWORD, WRONG = "a-good-password", "wrong"
PROXY = "127.0.0.1/32"
# Where it is not their number that counts.
FEW = 3


@pytest.fixture(autouse=True)
def _door(settings: Settings, broker_url: str) -> Iterator[None]:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.TRUSTED_PROXIES = (ip_network(PROXY),)
    attempts.forget_all()
    yield
    attempts.forget_all()


@pytest.fixture
def olga(database: object) -> User:
    return User.objects.create_superuser("olga", password=PASSWORD)


@pytest.fixture
def few_a_minute(settings: Settings) -> None:
    settings.ADMIN_LOGINS_PER_MINUTE = FEW


@pytest.fixture
def few_an_hour(settings: Settings) -> None:
    settings.ADMIN_LOGINS_PER_HOUR = FEW


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were hashed."""
    seen: list[str] = []

    def encode(_self: object, password: str, salt: str) -> str:
        seen.append(password)
        return f"md5${salt}$"

    monkeypatch.setattr("django.contrib.auth.hashers.MD5PasswordHasher.encode", encode)
    return seen


def log_in(name: str, password: str = WRONG, address: str = "203.0.113.5", client: Client | None = None) -> Any:
    return (client or Client()).post(
        LOGIN, {"username": name, "password": password, "next": INDEX}, headers={"X-Forwarded-For": address}
    )


def text(answer: Any) -> str:
    return str(answer.content.decode())


def test_one_address_has_ten_attempts_a_minute_whatever_the_name(olga: User, hashed: list[str]) -> None:
    answers = [log_in(f"name-{number}") for number in range(12)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429] * 2
    assert re.search(r"Слишком много попыток входа. Попробуйте через (1 минуту|\d+ секунд[уы]?)\.", text(answers[-1]))
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert len(hashed) == 10
    assert "<title>Войти | Balansity</title>" in text(answers[-1])
    # The right password is no way round it, and other addresses are not concerned.
    assert log_in("olga", PASSWORD).status_code == 429
    assert log_in("somebody", address="203.0.113.6").status_code == 200


def test_one_name_has_twenty_attempts_an_hour_wherever_they_come_from(olga: User, hashed: list[str]) -> None:
    spellings = ("olga", "OLGA", " olga ", "Ｏlga")
    answers = [log_in(spellings[number % 4], address=f"203.0.113.{number}") for number in range(22)]
    assert [answer.status_code for answer in answers] == [200] * 20 + [429] * 2
    assert 3590 <= int(answers[-1].headers["Retry-After"]) <= 3600
    assert "Попробуйте через 60 минут." in text(answers[-1])
    assert len(hashed) == 20
    assert log_in("maria", address="203.0.113.99").status_code == 200


@pytest.mark.usefixtures("few_a_minute")
def test_one_household_is_one_address(olga: User) -> None:
    answers = [log_in("x", address=f"2001:db8:1:1::{number:x}").status_code for number in range(FEW + 1)]
    assert answers == [200] * FEW + [429]
    assert log_in("x", address="2001:db8:1:2::1").status_code == 200


@pytest.mark.usefixtures("few_an_hour")
def test_the_right_password_gives_the_name_its_attempts_back(olga: User) -> None:
    for number in range(FEW - 1):
        log_in("olga", address=f"203.0.113.{number}")
    assert log_in("olga", PASSWORD, address="203.0.113.100").status_code == 302
    assert log_in("olga", address="203.0.113.101").status_code == 200
    assert log_in("olga", address="203.0.113.102").status_code == 200


@pytest.mark.usefixtures("few_an_hour")
def test_strangers_who_guess_at_a_name_do_not_lock_its_owner_out(olga: User) -> None:
    User.objects.create_superuser("maria", password=PASSWORD)
    known, other = Client(), Client()
    assert log_in("olga", PASSWORD, client=known).status_code == 302
    assert log_in("maria", PASSWORD, client=other).status_code == 302
    for client in (known, other):
        client.cookies.pop("sessionid")
    for number in range(FEW + 1):
        log_in("olga", address=f"198.51.100.{number}")
    assert log_in("olga", PASSWORD).status_code == 429
    # A cookie of another name, or one that nobody signed, is worth nothing.
    assert log_in("olga", PASSWORD, client=other, address="203.0.113.7").status_code == 429
    value = known.cookies["balansity_known"].value
    other.cookies["balansity_known"] = f"{value[:-1]}{'A' if value[-1] != 'A' else 'B'}"
    assert log_in("olga", PASSWORD, client=other, address="203.0.113.8").status_code == 429
    assert log_in("OLGA ", PASSWORD, client=known, address="203.0.113.9").status_code == 200
    assert log_in("olga", PASSWORD, client=known, address="203.0.113.9").status_code == 302
    assert known.cookies["balansity_known"]["httponly"]


@pytest.mark.usefixtures("few_an_hour")
def test_a_known_browser_has_no_more_attempts_than_others(olga: User) -> None:
    known = Client()
    log_in("olga", PASSWORD, client=known)
    answers = [log_in("olga", client=known, address=f"198.51.100.{number}").status_code for number in range(FEW + 1)]
    assert answers == [200] * FEW + [429]


@pytest.mark.usefixtures("few_a_minute")
def test_no_method_goes_round_the_limits(olga: User) -> None:
    answers = [Client().put(LOGIN, f"username=olga&password={WRONG}").status_code for _ in range(FEW + 1)]
    assert answers == [200] * FEW + [429]


@pytest.mark.usefixtures("few_a_minute")
@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "redis://:geheim@127.0.0.1:1/0"])
def test_without_redis_the_door_is_not_open(
    olga: User, settings: Settings, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REDIS_URL = url
    assert [log_in("x").status_code for _ in range(FEW + 1)] == [200] * FEW + [429]
    # Asked once, and then left alone.
    assert caplog.text.count("Redis is away") == 1
    assert "geheim" not in caplog.text


def test_processes_count_together(broker_url: str) -> None:
    limit, processes = Limit("address", 10, 60), [MistakeCounter(), MistakeCounter()]
    assert [processes[number % 2].count(limit, "a").number for number in range(4)] == [1, 2, 3, 4]
    with redis.Redis.from_url(broker_url) as server:
        (key,) = server.scan_iter("balansity:door:*")
        assert b"a" not in key.rpartition(b":")[0].removeprefix(b"balansity:door:address")
        assert 0 < server.ttl(key) <= 60
        server.flushdb()
    # A wiped Redis gives nobody new attempts.
    assert processes[0].count(limit, "a").number == 3


def test_a_flood_from_one_address_is_not_passed_on_to_redis(broker_url: str) -> None:
    limit, counter = Limit("address", 3, 60), MistakeCounter()
    assert [counter.count(limit, "a").number for _ in range(6)] == [1, 2, 3, 4, 5, 6]
    with redis.Redis.from_url(broker_url) as server:
        (key,) = server.scan_iter("balansity:door:*")
        assert server.get(key) == b"3"


def test_a_flood_of_names_neither_fills_the_memory_nor_washes_out_who_is_guessed_at(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    limit, counter = Limit("name", 20, 3600), MistakeCounter()
    for _ in range(15):
        counter.count(limit, "olga")
    for number in range(25_000):
        counter.count(limit, f"name-{number}")
    assert len(counter._counts) <= 10_000
    assert counter.count(limit, "olga").number == 16


def test_counters_end_with_their_time(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    counter = MistakeCounter()
    assert counter.count(Limit("address", 10, 0), "a").number == 1
    assert counter.count(Limit("address", 10, 0), "a").number == 1


def held(room: HashingRoom, entered: threading.Semaphore, leave: threading.Event) -> str:
    try:
        with room.place():
            entered.release()
            assert leave.wait(30)
            return "hashed"
    except TooBusy:
        return "busy"


def test_one_password_is_checked_at_a_time_and_one_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("balansity.door.hashing.WAIT_SECONDS", 30)
    room, entered, leave = HashingRoom(), threading.Semaphore(0), threading.Event()
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(held, room, entered, leave)
        assert entered.acquire(timeout=30)
        others = [pool.submit(held, room, entered, leave) for _ in range(7)]
        # All but the one that waits are sent away while the first is still at work.
        while sum(other.done() for other in others) < 6:
            time.sleep(0.001)
        leave.set()
        assert [first.result(), *sorted(other.result() for other in others)] == ["hashed", *["busy"] * 6, "hashed"]
    with room.place():
        pass


def test_who_waits_in_vain_is_sent_away_and_the_room_stays_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("balansity.door.hashing.WAIT_SECONDS", 0.01)
    room = HashingRoom()
    with room.place(), ThreadPoolExecutor(1) as pool:
        for _ in range(3):
            assert pool.submit(held, room, threading.Semaphore(0), threading.Event()).result() == "busy"
    with room.place():
        pass


def test_a_busy_door_says_when_to_come_back(
    monkeypatch: pytest.MonkeyPatch, database: object, caplog: pytest.LogCaptureFixture
) -> None:
    room = HashingRoom()
    monkeypatch.setattr("balansity.door.guard.room", room)
    monkeypatch.setattr("balansity.door.hashing.WAIT_SECONDS", 0.01)
    with room.place():
        answer = [log_in("olga", PASSWORD) for _ in range(3)][-1]
    assert caplog.text.count("logins are sent away") == 1
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "Сейчас входит много людей. Попробуйте через 5 секунд." in text(answer)


@pytest.mark.usefixtures("few_a_minute")
def test_the_old_password_is_not_guessed_at_in_a_browser_left_open(olga: User, client: Client) -> None:
    client.force_login(olga)
    form = {"old_password": "wrong", "new_password1": "x", "new_password2": "x"}
    answers = [client.post("/admin/password_change/", form).status_code for _ in range(FEW + 1)]
    assert answers == [200] * FEW + [429]


def test_attempts_are_logged_and_written_down(olga: User, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log_in("olga\r\nroot logged in" + "x" * 200, "a-secret-guess")
    assert log_in("olga", PASSWORD, address="203.0.113.6").status_code == 302
    lines = [line.message for line in caplog.records if line.name.startswith("balansity.door")]
    assert lines[0].startswith("login to the admin failed: olga root logged in")
    assert lines[0].endswith("from 203.0.113.5")
    assert "\n" not in lines[0]
    assert len(lines[0]) < 160
    assert lines[1] == "login to the admin succeeded: olga from 203.0.113.6"
    assert "a-secret-guess" not in caplog.text
    rows = list(LoginAttempt.objects.order_by("id").values_list("outcome", "address", "user_id"))
    assert rows == [(Outcome.FAILED, "203.0.113.5", None), (Outcome.SUCCEEDED, "203.0.113.6", olga.pk)]


@pytest.mark.usefixtures("few_a_minute")
def test_a_closed_door_is_noted_once(olga: User, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2 * FEW):
        log_in("olga")
    assert LoginAttempt.objects.filter(outcome=Outcome.REFUSED).count() == 1
    assert caplog.text.count("login to the admin refused") == 1
    assert "Too Many Requests" not in caplog.text


def test_guesses_do_not_fill_the_table(olga: User, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("balansity.door.audit._ROWS", Limit("rows", 3, 3600))
    for number in range(6):
        log_in(f"name-{number}")
    assert log_in("olga", PASSWORD).status_code == 302
    assert LoginAttempt.objects.filter(outcome=Outcome.FAILED).count() == 3
    assert LoginAttempt.objects.filter(outcome=Outcome.SUCCEEDED).count() == 1


def test_administrators_see_who_tried_and_change_nothing(olga: User, client: Client) -> None:
    log_in("<b>mallory</b>")
    client.force_login(olga)
    page = client.get("/admin/balansity/loginattempt/")
    shown = text(page)
    assert "&lt;b&gt;mallory&lt;/b&gt;" in shown
    assert "203.0.113.5" in shown
    assert "неверное имя или пароль" in shown
    assert "<h1>Попытки входа</h1>" in shown
    assert "Попытки входа" in text(client.get(INDEX))
    assert client.get("/admin/balansity/loginattempt/add/").status_code == 403
    row = LoginAttempt.objects.get()
    assert client.post(f"/admin/balansity/loginattempt/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    support = User.objects.create(username="support", is_staff=True)
    support.user_permissions.set(Permission.objects.filter(codename="view_emailmessage"))
    other = Client()
    other.force_login(support)
    assert other.get("/admin/balansity/loginattempt/").status_code == 403


def test_old_attempts_and_ended_sessions_are_forgotten(olga: User) -> None:
    with freeze_time("2026-01-01"):
        log_in("old")
        log_in("olga", PASSWORD)
    log_in("new")
    assert Session.objects.count() == 1
    forget_old_logins()
    assert list(LoginAttempt.objects.values_list("username", flat=True)) == ["new"]
    assert Session.objects.count() == 0


def may_look(client: Client) -> bool:
    answer = client.get(INSIDE)
    assert answer.status_code in {200, 302}
    return answer.status_code == 200


def test_a_session_ends_when_nobody_uses_it(olga: User) -> None:
    client = Client()
    with freeze_time("2026-11-26 09:00") as clock:
        assert log_in("olga", PASSWORD, client=client).status_code == 302
        for _ in range(3):
            clock.tick(119 * 60)
            assert may_look(client)
        clock.tick(121 * 60)
        assert not may_look(client)
        assert client.get(INDEX).headers["Location"] == "/admin/login/?next=/admin/"
    assert Session.objects.count() == 0


def test_a_session_ends_after_some_hours_however_busy(olga: User) -> None:
    client = Client()
    with freeze_time("2026-11-26 09:00") as clock:
        assert log_in("olga", PASSWORD, client=client).status_code == 302
        for _ in range(12):
            clock.tick(3600)
            assert may_look(client)
        clock.tick(1)
        assert not may_look(client)


def test_both_ends_are_settings(olga: User, settings: Settings) -> None:
    settings.ADMIN_SESSION_IDLE_MINUTES = 5
    client = Client()
    with freeze_time("2026-11-26 09:00") as clock:
        log_in("olga", PASSWORD, client=client)
        clock.tick(301)
        assert not may_look(client)


def test_a_session_of_before_these_rules_is_over(olga: User, client: Client) -> None:
    client.force_login(olga)
    session = client.session
    del session["balansity_started"]
    session.save()
    assert not may_look(client)


def test_a_session_is_not_written_for_every_request(olga: User) -> None:
    client = Client()
    with freeze_time("2026-11-26 09:00") as clock:
        log_in("olga", PASSWORD, client=client)
        before = Session.objects.get().session_data
        clock.tick(30)
        assert may_look(client)
        assert Session.objects.get().session_data == before
        clock.tick(31)
        assert may_look(client)
        assert Session.objects.get().session_data != before


def test_money_is_not_moved_with_a_session_that_is_over(olga: User, client: Client) -> None:
    with freeze_time("2026-11-26 09:00") as clock:
        client.force_login(olga)
        address = "/api/payments/d0000000-0000-4000-8000-000000000009/refund"
        assert client.post(address, {}, content_type="application/json").status_code in {400, 404}
        clock.tick(121 * 60)
        assert client.post(address, {}, content_type="application/json").status_code in {401, 403}


def test_a_page_that_needs_no_session_reads_none(client: Client) -> None:
    client.cookies["sessionid"] = "x" * 32
    assert client.get("/health").status_code == 200


def test_a_peer_without_an_address_is_counted_as_well(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("balansity.door.guard.note_refusal", lambda *_: None)
    request = RequestFactory().post(LOGIN)
    request.META["CLIENT_ADDRESS"] = ""
    statuses = [
        through_the_door(request, f"n{number}", lambda: HttpResponse("in"), {}).status_code for number in range(11)
    ]
    assert statuses == [200] * 10 + [429]


@pytest.mark.parametrize("address", [LOGIN, "/admin/password_change/", "/admin/notifications/emailmessage/"])
def test_nobody_fills_the_disk_with_files(address: str, olga: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def kept(*_: Any, **__: Any) -> Any:
        raise AssertionError("a file was kept")

    monkeypatch.setattr("django.core.files.uploadhandler.TemporaryUploadedFile", kept)
    client = Client(enforce_csrf_checks=True)
    # Whoever has seen the login has the cookie that makes Django look into the form.
    client.get(LOGIN)
    large = SimpleUploadedFile("x.bin", b"x" * 3 * 1024 * 1024)
    answer = client.post(address, {"username": "olga", "password": WRONG, "file": large})
    assert answer.status_code == 413
    small = SimpleUploadedFile("x.bin", b"x" * 1024)
    assert Client().post(LOGIN, {"username": "olga", "password": PASSWORD, "file": small}).status_code == 302
