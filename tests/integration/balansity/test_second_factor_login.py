"""The way in with a second factor: password, code, page that was wanted; and what is no way in."""

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import Settings

from balansity.door.limits import attempts
from balansity.models import LoginAttempt, Outcome, RecoveryCode
from balansity.second_factor import devices, recovery
from balansity.second_factor.entrance import KEY, SECONDS
from staff.second_factor import FRESH_SECONDS
from tests.support.databases import ClonedDatabase
from tests.support.overlapping import overlap
from tests.support.second_factors import code_of, prove

LOGIN, INDEX, QUESTION, SET_UP = (
    "/admin/login/",
    "/admin/",
    "/admin/second-factor/code/",
    "/admin/second-factor/set-up/",
)
WANTED = "/admin/auth/user/?q=7"
PASSWORD = "a-good-password"
FROM = {"X-Forwarded-For": "203.0.113.5"}


@pytest.fixture(autouse=True)
def _door(settings: Settings, broker_url: str) -> Iterator[None]:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    attempts.forget_all()
    yield
    attempts.forget_all()


@pytest.fixture
def olga(database: ClonedDatabase) -> User:
    return User.objects.create_superuser("olga", password=PASSWORD)


@pytest.fixture
def device(olga: User) -> TOTPDevice:
    return TOTPDevice.objects.create(user=olga)


def give_password(client: Client, name: str = "olga", wanted: str = WANTED) -> Any:
    return client.post(LOGIN, {"username": name, "password": PASSWORD, "next": wanted}, headers=FROM)


def give(client: Client, code: str, address: str = QUESTION, **fields: str) -> Any:
    return client.post(address, {"code": code, **fields}, headers=FROM)


def is_in(client: Client) -> bool:
    """Asked at a page that is read in a quarter of the time of the first one."""
    return bool(client.get("/admin/password_change/").status_code == 200)


def text(answer: Any) -> str:
    return str(answer.content.decode())


def outcomes() -> list[str]:
    return [*LoginAttempt.objects.order_by("pk").values_list("outcome", flat=True)]


def codes_on(answer: Any) -> list[str]:
    return re.findall(r"<code>([a-z2-9-]{19})</code>", text(answer))


def test_password_and_code_lead_to_the_page_that_was_wanted(device: TOTPDevice) -> None:
    client = Client()
    assert give_password(client).headers["Location"] == QUESTION
    assert not is_in(client)
    assert client.get(INDEX).status_code == 302
    assert outcomes() == []
    page = client.get(QUESTION)
    assert 'autocomplete="one-time-code"' in text(page)
    assert 'inputmode="numeric"' in text(page)
    assert "no-store" in page.headers["Cache-Control"]
    assert give(client, code_of(device)).headers["Location"] == WANTED
    assert is_in(client)
    assert client.get(INDEX).status_code == 200
    assert outcomes() == [Outcome.SUCCEEDED]


@pytest.mark.parametrize("odd", ["", "abcdef", "12345", "1234567", "٣٣٣٣٣٣", "1" * 1000, "-1", "1e5"])
def test_whatever_is_no_code_is_wrong(odd: str, device: TOTPDevice) -> None:
    client = Client()
    give_password(client)
    assert give(client, odd).status_code == 200
    assert not is_in(client)


def test_a_code_may_be_copied_with_its_spaces(device: TOTPDevice) -> None:
    client = Client()
    give_password(client)
    code = code_of(device)
    assert give(client, f" {code[:3]} {code[3:]} ").status_code == 302


@pytest.mark.parametrize(("steps", "right"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_clocks_may_differ_by_one_code(steps: int, right: bool, device: TOTPDevice) -> None:
    assert devices.check(device.user, code_of(device, steps=steps)).is_right is right


def test_a_wrong_code_is_noted_and_the_next_one_waits(device: TOTPDevice, clock: Any) -> None:
    client, wrong = Client(), code_of(device, steps=500)
    give_password(client)
    page = text(give(client, wrong))
    assert "Код неверный" in page
    assert wrong not in page
    answer = give(client, code_of(device))
    assert "Подождите 1\u00a0секунду" in text(answer)
    assert outcomes() == [Outcome.WRONG_CODE] * 2
    assert LoginAttempt.objects.filter(username="olga", user=device.user).count() == 2
    clock.tick(2)
    assert give(client, code_of(device)).status_code == 302


def test_the_wait_does_not_grow_for_ever(device: TOTPDevice) -> None:
    wrong = code_of(device, steps=500)
    for _ in range(30):
        TOTPDevice.objects.update(throttling_failure_timestamp=None)
        assert not devices.check(device.user, wrong).is_right
    # Twice or half as much would be another wait.
    assert 128 < devices.check(device.user, code_of(device)).seconds <= 256


def test_codes_are_counted_at_the_door(device: TOTPDevice, settings: Settings) -> None:
    settings.ADMIN_LOGINS_PER_HOUR = 4
    client = Client()
    give_password(client)
    assert [give(client, "1").status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    assert give(client, code_of(device)).status_code == 429
    assert not is_in(client)


def test_a_right_code_opens_the_door_again(device: TOTPDevice, settings: Settings) -> None:
    settings.ADMIN_LOGINS_PER_HOUR = 4
    for step in (-1, 0, 1):
        client = Client()
        give_password(client)
        assert give(client, code_of(device, steps=step)).status_code == 302, step


def test_a_code_counts_once(device: TOTPDevice) -> None:
    code, (first, second) = code_of(device), (Client(), Client())
    give_password(first)
    give_password(second)
    assert give(first, code).status_code == 302
    assert give(second, code).status_code == 200
    assert not is_in(second)


@pytest.mark.parametrize("of_paper", [False, True])
def test_a_code_that_is_sent_twice_at_once_counts_once(of_paper: bool, device: TOTPDevice) -> None:
    code = recovery.make(device.user)[0] if of_paper else code_of(device)
    right: list[bool] = []

    def check() -> None:
        right.append(devices.check(device.user, code).is_right)

    assert overlap(check, check), "the second waits for what the first has written"
    assert right == [True, False]


def test_no_session_is_taken_over_from_before_the_code(device: TOTPDevice) -> None:
    client = Client()
    client.get(LOGIN)
    numbers = []
    give_password(client)
    numbers.append(client.cookies["sessionid"].value)
    give(client, code_of(device))
    numbers.append(client.cookies["sessionid"].value)
    assert len({*numbers}) == 2
    assert [*Session.objects.values_list("pk", flat=True)] == numbers[1:]


def test_who_waits_too_long_begins_anew(device: TOTPDevice, clock: Any) -> None:
    client = Client()
    give_password(client)
    clock.tick(SECONDS + 1)
    answer = client.get(QUESTION, follow=True)
    assert answer.redirect_chain[0][0].startswith(LOGIN)
    assert "Код введён слишком поздно" in text(answer)
    assert give(client, code_of(device)).headers["Location"].startswith(LOGIN)


@pytest.mark.parametrize("change", [{"is_active": False}, {"is_staff": False}, {"password": "md5$another$x"}])
def test_who_may_not_come_in_any_more_is_not_let_in(change: dict[str, object], device: TOTPDevice) -> None:
    client = Client()
    give_password(client)
    User.objects.update(**change)
    assert give(client, code_of(device)).headers["Location"].startswith(LOGIN)
    assert not is_in(client)


def test_a_stranger_sees_no_question(device: TOTPDevice) -> None:
    for address in (
        QUESTION,
        SET_UP,
        "/admin/second-factor/",
        "/admin/second-factor/codes/",
        "/admin/second-factor/off/",
    ):
        for method in ("get", "post"):
            assert getattr(Client(), method)(address).headers["Location"].startswith(LOGIN), address


def test_a_wanted_page_elsewhere_is_forgotten(device: TOTPDevice) -> None:
    client = Client()
    give_password(client, wanted="https://evil.example/")
    assert give(client, code_of(device)).headers["Location"] == INDEX
    for evil in ("https://evil.example/", "//evil.example/", "javascript:alert(1)"):
        assert "evil" not in text(client.get(QUESTION, {"next": evil}))
        TOTPDevice.objects.update(last_t=-1)
        assert give(client, code_of(device), next=evil).headers["Location"] == INDEX


def test_who_gave_a_password_cannot_set_up_an_app_in_place_of_the_one_there_is(device: TOTPDevice) -> None:
    client = Client()
    give_password(client)
    assert client.get(SET_UP).headers["Location"] == QUESTION
    assert KEY not in client.session
    assert give(client, "123456", SET_UP).headers["Location"] == QUESTION
    assert TOTPDevice.objects.get().key == device.key


def test_who_has_none_is_let_in_by_the_password_where_nobody_must(olga: User) -> None:
    client = Client()
    assert give_password(client).headers["Location"] == WANTED
    assert is_in(client)


def test_where_everybody_must_the_first_login_sets_one_up(olga: User, settings: Settings) -> None:
    settings.STAFF_2FA = "required"
    client = Client()
    give_password(client)
    page = client.get(QUESTION, follow=True)
    assert page.redirect_chain == [(SET_UP, 302)]
    assert "no-store" in page.headers["Cache-Control"]
    key = client.session[KEY]
    # Reloaded, it is the same: the phone has it already.
    assert client.get(SET_UP).context["secret"] == page.context["secret"]
    new = TOTPDevice(user=olga, key=key)
    assert "не подходит" in text(give(client, code_of(new, steps=9), SET_UP))
    assert not TOTPDevice.objects.exists()
    assert not is_in(client)
    answer = give(client, code_of(new), SET_UP)
    assert len(codes_on(answer)) == 10
    assert f'href="{WANTED}"' in text(answer)
    assert is_in(client)
    assert KEY not in client.session
    assert [*LogEntry.objects.values_list("change_message", flat=True)] == ["Второй фактор включён."]
    # The code that set it up is used.
    assert not devices.check(olga, code_of(new)).is_right


def test_another_browser_gets_another_secret(olga: User, settings: Settings) -> None:
    settings.STAFF_2FA = "required"
    secrets = set()
    for _ in range(2):
        client = Client()
        give_password(client)
        secrets.add(client.get(SET_UP).context["secret"])
    assert len(secrets) == 2


def test_a_recovery_code_lets_in_once(device: TOTPDevice) -> None:
    code, *_ = recovery.make(device.user)
    assert not {*RecoveryCode.objects.values_list("digest", flat=True)} & {code, recovery.grouped(code)}
    first, second = Client(), Client()
    for client in (first, second):
        give_password(client)
    assert 'inputmode="numeric"' not in text(first.get(f"{QUESTION}?recovery=1"))
    typed = recovery.grouped(code).upper()
    answer = first.post(f"{QUESTION}?recovery=1", {"code": typed}, headers=FROM, follow=True)
    assert "Осталось 9\u00a0резервных кодов" in text(answer)
    assert is_in(first)
    assert give(second, typed).status_code == 200
    assert not is_in(second)


def test_somebody_elses_recovery_code_is_wrong(device: TOTPDevice) -> None:
    boris = User.objects.create_user("boris", is_staff=True)
    TOTPDevice.objects.create(user=boris)
    code, *_ = recovery.make(boris)
    assert not devices.check(device.user, code).is_right
    assert devices.check(boris, code).is_right


def test_before_something_of_weight_the_code_is_asked_for_again(device: TOTPDevice) -> None:
    client = Client()
    give_password(client)
    give(client, code_of(device, steps=-1))
    before = client.cookies["sessionid"].value
    prove(client, device, seconds_ago=FRESH_SECONDS)
    asked_at = time.time()
    answer = give(client, code_of(device), next=WANTED)
    assert answer.headers["Location"] == WANTED
    assert client.cookies["sessionid"].value != before
    assert int(asked_at) <= client.session["second_factor"]["at"] <= time.time()
    # And one that is wrong throws nobody out.
    assert give(client, "1", next=WANTED).status_code == 200
    assert is_in(client)


def test_a_login_over_that_of_somebody_else_takes_nothing_along(device: TOTPDevice) -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("boris"))
    give_password(client)
    assert "_auth_user_id" not in client.session
    give(client, code_of(device))
    assert client.session["_auth_user_id"] == str(device.user.pk)


def test_switched_off_nobody_is_asked(device: TOTPDevice, settings: Settings) -> None:
    settings.STAFF_2FA = "off"
    client = Client()
    assert give_password(client).headers["Location"] == WANTED
    assert is_in(client)
    assert client.get(QUESTION).headers["Location"] == INDEX
    assert client.get(SET_UP).headers["Location"] == INDEX
    assert "отключён" in text(client.get("/admin/second-factor/"))


def test_a_changed_password_does_not_switch_it_off(device: TOTPDevice) -> None:
    device.user.set_password(PASSWORD)
    device.user.save()
    client = Client()
    assert give_password(client).headers["Location"] == QUESTION
