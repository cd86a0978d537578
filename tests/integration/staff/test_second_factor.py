"""What pages ask about the second factor: who needs one, who has proven it, how long ago."""

from typing import Any

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.messages import get_messages
from django.contrib.messages.storage.fallback import FallbackStorage
from django.db import ProgrammingError, connection
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import Settings

from staff.second_factor import FRESH_SECONDS, MARK, confirmed_act, is_confirmed, is_needed, may_act
from tests.support.databases import ClonedDatabase
from tests.support.second_factors import mark_of, prove

INDEX = "/admin/"


@pytest.fixture
def olga(database: ClonedDatabase) -> User:
    return User.objects.create_superuser("olga")


@pytest.fixture
def device(olga: User) -> TOTPDevice:
    return TOTPDevice.objects.create(user=olga, name="phone")


def request_of(user: Any, mark: dict[str, float] | None = None, method: str = "get") -> Any:
    request: Any = getattr(RequestFactory(), method)("/admin/some/page/?page=2")
    request.user, request.session = user, {MARK: mark} if mark else {}
    request._messages = FallbackStorage(request)
    return request


class Page:
    done = 0

    @confirmed_act
    def act(self, request: Any) -> HttpResponse:
        self.done += 1
        return HttpResponse()


def test_an_old_installation_lets_everybody_in_as_before(olga: User, settings: Settings) -> None:
    assert settings.STAFF_2FA == "optional"
    assert not is_needed(olga)
    assert may_act(request_of(olga))
    client = Client()
    client.force_login(olga)
    assert client.get(INDEX).status_code == 200


@pytest.mark.parametrize(
    ("mode", "without", "with_one"), [("off", False, False), ("optional", False, True), ("required", True, True)]
)
def test_who_needs_one(mode: str, without: bool, with_one: bool, olga: User, settings: Settings) -> None:
    settings.STAFF_2FA = mode
    assert is_needed(olga) is without
    TOTPDevice.objects.create(user=User.objects.create_user("boris"))
    assert is_needed(olga) is without
    TOTPDevice.objects.create(user=olga)
    assert is_needed(olga) is with_one
    assert not is_needed(AnonymousUser())


def test_a_device_that_is_not_set_up_yet_is_none(olga: User) -> None:
    TOTPDevice.objects.create(user=olga, confirmed=False)
    assert not is_needed(olga)


def test_a_session_without_the_code_that_it_needs_is_none(olga: User, device: TOTPDevice) -> None:
    client = Client()
    client.force_login(olga)
    assert client.get(INDEX).headers["Location"] == "/admin/login/?next=/admin/"
    assert "sessionid" not in client.cookies or not client.session.get("_auth_user_id")


def test_a_session_is_none_any_more_when_another_device_took_its_place(olga: User) -> None:
    client = Client()
    client.force_login(olga)
    device = TOTPDevice.objects.create(user=olga)
    prove(client, device)
    assert client.get(INDEX).status_code == 200
    device.delete()
    TOTPDevice.objects.create(user=olga)
    assert client.get(INDEX).status_code == 302


def test_where_everybody_must_a_session_of_before_ends(olga: User, settings: Settings) -> None:
    client = Client()
    client.force_login(olga)
    assert client.get(INDEX).status_code == 200
    settings.STAFF_2FA = "required"
    assert client.get(INDEX).status_code == 302
    settings.STAFF_2FA = "optional"
    assert client.get(INDEX).status_code == 302, "the session was ended, and not only kept out"


def test_somebody_elses_device_proves_nothing(olga: User, device: TOTPDevice) -> None:
    theirs = TOTPDevice.objects.create(user=User.objects.create_user("boris"))
    assert is_confirmed(request_of(olga, mark_of(device)))
    assert not is_confirmed(request_of(olga, mark_of(theirs)))


@pytest.mark.parametrize(
    ("ago", "fresh"), [(0, True), (FRESH_SECONDS - 10, True), (FRESH_SECONDS + 1, False), (-3600, False)]
)
def test_a_code_counts_for_some_hours(ago: float, fresh: bool, olga: User, device: TOTPDevice) -> None:
    assert may_act(request_of(olga, mark_of(device, seconds_ago=ago))) is fresh


def test_an_act_waits_for_a_code_and_says_that_nothing_was_done(olga: User, device: TOTPDevice) -> None:
    page = Page()
    for method, told in (("get", 0), ("post", 1), ("put", 1)):
        request = request_of(olga, method=method)
        answer = page.act(request)
        assert answer.headers["Location"] == "/admin/second-factor/code/?next=%2Fadmin%2Fsome%2Fpage%2F%3Fpage%3D2"
        assert len([*get_messages(request)]) == told
    assert page.done == 0
    page.act(request_of(olga, mark_of(device), "post"))
    assert page.done == 1


def test_who_was_shown_a_form_has_time_to_fill_it_in(olga: User, device: TOTPDevice) -> None:
    page = Page()
    late = mark_of(device, seconds_ago=FRESH_SECONDS - 900)
    assert page.act(request_of(olga, late)).status_code == 302
    assert page.act(request_of(olga, late, "post")).status_code == 200


def test_before_migrate_nobody_is_asked(olga: User, settings: Settings) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE otp_totp_totpdevice")
    assert not is_needed(olga)
    client = Client()
    client.force_login(olga)
    assert client.get(INDEX).status_code == 200
    # Where it is required, nobody gets in by that.
    settings.STAFF_2FA = "required"
    with pytest.raises(ProgrammingError):
        client.get(INDEX)


def test_no_page_shows_the_secrets_of_devices() -> None:
    assert not site.is_registered(TOTPDevice)
