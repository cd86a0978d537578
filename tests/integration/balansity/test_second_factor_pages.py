"""What people do about their own second factor, and administrators about somebody else's."""

import re
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import Settings

from balansity.doctor.people import look_at_people
from balansity.door.limits import attempts
from balansity.groups import make_groups
from balansity.models import LoginAttempt, Outcome, RecoveryCode
from balansity.second_factor import recovery
from balansity.second_factor.entrance import KEY
from staff.second_factor import FRESH_SECONDS
from tests.support.databases import ClonedDatabase
from tests.support.second_factors import code_of, prove

PAGE = "/admin/second-factor/"
SET_UP, CODES, OFF = f"{PAGE}set-up/", f"{PAGE}codes/", f"{PAGE}off/"
PASSWORD = "a-good-password"


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
def client(olga: User) -> Client:
    client = Client()
    client.force_login(olga)
    return client


@pytest.fixture
def device(client: Client, olga: User) -> TOTPDevice:
    """An app, and `client` has given its code."""
    device = TOTPDevice.objects.create(user=olga)
    prove(client, device)
    return device


def text(answer: Any) -> str:
    return str(answer.content.decode())


def noted() -> list[str]:
    return [*LogEntry.objects.order_by("pk").values_list("change_message", flat=True)]


def test_who_is_in_sets_one_up_with_the_password(client: Client, olga: User) -> None:
    assert "Включить второй фактор" in text(client.get(PAGE))
    client.get(SET_UP)
    new = TOTPDevice(user=olga, key=client.session[KEY])
    assert "Неверный пароль" in text(client.post(SET_UP, {"code": code_of(new), "password": "wrong"}))
    assert not TOTPDevice.objects.exists()
    answer = client.post(SET_UP, {"code": code_of(new), "password": PASSWORD, "next": PAGE})
    assert len(re.findall(r"<li><code>", text(answer))) == 10
    assert "no-store" in answer.headers["Cache-Control"]
    page = text(client.get(PAGE))
    assert "Осталось резервных кодов" in page
    # No page says it a second time.
    assert TOTPDevice.objects.get().key not in page
    assert client.post(SET_UP, {"code": code_of(new), "password": PASSWORD}).status_code == 200
    assert TOTPDevice.objects.get().key == new.key


def test_another_app_takes_its_place_for_a_code_of_the_old_one(client: Client, device: TOTPDevice) -> None:
    other = Client()
    TOTPDevice.objects.update(confirmed=False)
    other.force_login(device.user)
    TOTPDevice.objects.update(confirmed=True)
    prove(other, device)
    client.get(SET_UP)
    new = TOTPDevice(user=device.user, key=client.session[KEY])
    for wrong in ("", "1", code_of(new), code_of(device, steps=9)):
        TOTPDevice.objects.update(throttling_failure_timestamp=None)
        assert client.post(SET_UP, {"code": code_of(new), "current": wrong}).status_code == 200
        assert TOTPDevice.objects.get().key == device.key, wrong
    TOTPDevice.objects.update(throttling_failure_timestamp=None)
    # With the password alone nobody replaces it.
    assert client.post(SET_UP, {"code": code_of(new), "password": PASSWORD}).status_code == 200
    # A code of the new app that is wrong uses up none of the old one.
    assert client.post(SET_UP, {"code": "1", "current": code_of(device)}).status_code == 200
    answer = client.post(SET_UP, {"code": code_of(new), "current": code_of(device)})
    assert "<li><code>" in text(answer)
    assert TOTPDevice.objects.get().key == new.key
    assert client.get(PAGE).status_code == 200
    assert other.get(PAGE).status_code == 302, "a session with the old app is over"


def test_new_recovery_codes_void_the_old_ones(client: Client, device: TOTPDevice) -> None:
    old = recovery.make(device.user)
    assert client.post(CODES, {"code": "000"}).status_code == 200
    assert recovery.left(device.user) == 10
    assert RecoveryCode.objects.count() == 10
    answer = client.post(CODES, {"code": recovery.grouped(old[0])})
    new = [code.replace("-", "") for code in re.findall(r"<li><code>([^<]*)</code>", text(answer))]
    assert len(new) == 10
    assert not any(recovery.use(device.user, code) for code in old)
    assert all(recovery.use(device.user, code) for code in new)


def test_few_codes_are_a_warning(client: Client, device: TOTPDevice) -> None:
    codes = recovery.make(device.user)
    for code in codes[:7]:
        recovery.use(device.user, code)
    assert "staff-notice" not in text(client.get(PAGE))
    recovery.use(device.user, codes[7])
    page = text(client.get(PAGE))
    assert "Осталось 2\u00a0резервных кода. Создайте новые" in page


def test_switching_off_needs_a_code(client: Client, device: TOTPDevice) -> None:
    assert client.post(OFF, {"code": "1"}).status_code == 200
    assert client.get(OFF).status_code == 200
    assert TOTPDevice.objects.exists()
    TOTPDevice.objects.update(throttling_failure_timestamp=None)
    recovery.make(device.user)
    answer = client.post(OFF, {"code": code_of(device)}, follow=True)
    assert "Ваш второй фактор выключен" in text(answer)
    assert not TOTPDevice.objects.exists()
    assert not RecoveryCode.objects.exists()
    assert noted() == ["Второй фактор выключен."]


def test_where_it_is_required_it_is_not_switched_off(client: Client, device: TOTPDevice, settings: Settings) -> None:
    settings.STAFF_2FA = "required"
    for method in ("get", "post"):
        answer = getattr(client, method)(OFF, {"code": code_of(device)}, follow=True)
        assert "можно заменить, но не выключить" in text(answer)
    assert TOTPDevice.objects.exists()
    assert OFF not in text(client.get(PAGE))


def reset_address(user: User) -> str:
    return f"/admin/auth/user/{user.pk}/second-factor/"


@pytest.fixture
def boris(olga: User) -> User:
    boris = User.objects.create_user("boris", is_staff=True)
    TOTPDevice.objects.create(user=boris)
    recovery.make(boris)
    return boris


def test_an_administrator_resets_that_of_somebody_who_lost_it(client: Client, boris: User) -> None:
    theirs = Client()
    TOTPDevice.objects.update(confirmed=False)
    theirs.force_login(boris)
    TOTPDevice.objects.update(confirmed=True)
    prove(theirs, TOTPDevice.objects.get())
    assert reset_address(boris) in text(client.get(f"/admin/auth/user/{boris.pk}/change/"))
    assert client.get(reset_address(boris)).status_code == 200
    assert TOTPDevice.objects.exists()
    assert "Второй фактор сброшен" in text(client.post(reset_address(boris), follow=True))
    assert not TOTPDevice.objects.exists()
    assert not RecoveryCode.objects.exists()
    assert theirs.get(PAGE).status_code == 302, "whoever was in with it is out"
    assert noted() == ["Второй фактор сброшен."]
    assert LoginAttempt.objects.filter(outcome=Outcome.RESET, username="boris").count() == 1
    assert "нет второго фактора" in text(client.post(reset_address(boris), follow=True))


def test_nobody_resets_their_own_without_a_code(client: Client, device: TOTPDevice) -> None:
    assert reset_address(device.user) not in text(client.get(f"/admin/auth/user/{device.user.pk}/change/"))
    assert client.post(reset_address(device.user)).headers["Location"] == PAGE
    assert TOTPDevice.objects.exists()


def test_resetting_needs_a_code_that_is_fresh(client: Client, device: TOTPDevice, boris: User) -> None:
    prove(client, device, seconds_ago=FRESH_SECONDS + 1)
    answer = client.post(reset_address(boris))
    assert answer.headers["Location"].startswith(f"{PAGE}code/?next=")
    assert TOTPDevice.objects.filter(user=boris).exists()


def test_who_may_not_change_an_account_does_not_reset_it(boris: User) -> None:
    make_groups()
    anna = User.objects.create_user("anna", is_staff=True)
    anna.groups.add(*Group.objects.filter(name="Администратор"))
    client = Client()
    client.force_login(anna)
    assert client.post(reset_address(boris)).status_code == 302
    assert not TOTPDevice.objects.exists()
    boss = User.objects.get(username="olga")
    TOTPDevice.objects.create(user=boss)
    assert client.post(reset_address(boss)).status_code == 403
    assert reset_address(boss) not in text(client.get(f"/admin/auth/user/{boss.pk}/change/"))
    client.force_login(User.objects.create_user("nobody", is_staff=True))
    assert client.post(reset_address(boss)).status_code == 403
    assert TOTPDevice.objects.get().user == boss


def test_the_only_administrator_is_let_in_again_from_the_command_line(
    olga: User, device: TOTPDevice, caplog: Any
) -> None:
    recovery.make(olga)
    said = StringIO()
    call_command("reset_second_factor", "olga", stdout=said)
    assert "The second factor of olga is gone" in said.getvalue()
    assert "the second factor of olga is reset by" in caplog.text
    assert not TOTPDevice.objects.exists()
    assert not RecoveryCode.objects.exists()
    assert [*LoginAttempt.objects.values_list("outcome", "address")] == [(Outcome.RESET, "manage.py")]
    call_command("reset_second_factor", "olga", stdout=said)
    assert "nothing was changed" in said.getvalue()
    with pytest.raises(CommandError, match="There is no account nobody"):
        call_command("reset_second_factor", "nobody")


def test_who_has_none_is_told_of_where_everybody_must(client: Client, device: TOTPDevice, settings: Settings) -> None:
    User.objects.create_user("vera", is_staff=True)
    User.objects.create_user("gone", is_staff=True, is_active=False)
    User.objects.create_user("customer")

    def found() -> list[str]:
        return [finding.code for finding in look_at_people()]

    assert "people.second_factor" not in found()
    assert "second_factor=missing" not in text(client.get("/admin/"))
    settings.STAFF_2FA = "required"
    assert "people.second_factor" in found()
    page = text(client.get("/admin/"))
    address, *_ = re.findall(r'href="([^"]*second_factor=missing[^"]*)"', page)
    listed = text(client.get(address.replace("&amp;", "&")))
    assert re.findall(r"change/[^\"]*\">([a-z]+)</a>", listed.partition("result_list")[2]) == ["vera"]
    TOTPDevice.objects.create(user=User.objects.get(username="vera"))
    assert "people.second_factor" not in found()


def test_no_secret_is_on_a_page_or_in_the_log(
    client: Client, device: TOTPDevice, boris: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    for address in (
        "/admin/auth/user/",
        f"/admin/auth/user/{boris.pk}/change/",
        f"/admin/auth/user/{boris.pk}/delete/",
        f"/admin/auth/user/{boris.pk}/history/",
        PAGE,
        CODES,
        OFF,
        reset_address(boris),
        "/admin/",
    ):
        page = text(client.get(address))
        assert not any(known.key in page for known in TOTPDevice.objects.all()), address
    client.get(SET_UP)
    client.post(SET_UP, {"code": "123456", "current": code_of(device)})
    shown = client.get(SET_UP).context["secret"].replace(" ", "")
    assert not any(hidden in caplog.text for hidden in (client.session[KEY], shown))
