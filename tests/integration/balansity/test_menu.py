"""The menu beside each page is kept, and is the one that Django would draw for whoever asks, now."""

from typing import Any

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import Permission, User
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.urls import set_script_prefix
from django.utils.translation import override

from balansity.menu import Menu, Menus

pytestmark = pytest.mark.usefixtures("database", "broker_url")

# In the menu, below a list of it, in a package of it, and in none.
PATHS = (
    "/admin/auth/user/",
    "/admin/auth/user/1/change/",
    "/admin/payments/payment/",
    "/admin/auth/",
    "/admin/",
    "/x й/",
)
RIGHTS = ((), ("view_payment",), ("view_payment", "view_emailmessage"), ("add_user", "change_user"))


def request_of(user: User, path: str) -> Any:
    request = RequestFactory().get(path)
    request.user = user
    return request


def drawn_by_django(request: Any) -> str:
    apps = super(type(site._wrapped), site._wrapped).get_app_list(request)  # type: ignore[attr-defined]
    return render_to_string("admin/nav_sidebar.html", {"available_apps": apps, "request": request})


@pytest.fixture
def people() -> list[User]:
    """Who may do everything, and others with a few rights."""
    everybody = [User.objects.create_superuser("boss")]
    for number, rights in enumerate(RIGHTS):
        user = User.objects.create(username=f"staff{number}", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=rights))
        everybody.append(user)
    return everybody


@pytest.mark.parametrize("language", ["ru", "en"])
def test_it_is_as_django_draws_it_for_everybody_everywhere(people: list[User], language: str) -> None:
    with override(language):
        for _ in range(2):
            for user in people:
                for path in PATHS:
                    request = request_of(user, path)
                    menu = site.each_context(request)["menu"]
                    assert menu == drawn_by_django(request), (user, path)
    assert ('aria-current="page"' in menu, "/admin/" in menu) == (False, True)


def test_it_is_drawn_once_for_all_who_may_see_the_same(people: list[User]) -> None:
    request = request_of(people[0], "/admin/auth/user/")
    other = request_of(User.objects.create_superuser("other"), "/admin/auth/user/7/change/")
    assert site.each_context(request)["menu"] is site.each_context(other)["menu"]


def test_a_right_that_is_given_or_taken_is_seen_on_the_next_page() -> None:
    user = User.objects.create(username="support", is_staff=True)
    client = Client()
    client.force_login(user)
    right = Permission.objects.get(codename="view_emailmessage")
    shown = []
    for change in (user.user_permissions.add, user.user_permissions.remove, user.user_permissions.add):
        change(right)
        page = client.get("/admin/password_change/").content.decode()
        shown.append(
            "/admin/notifications/emailmessage/" in page.partition('id="nav-sidebar"')[2].partition("</nav>")[0]
        )
    assert shown == [True, False, True]


def test_below_another_path_its_addresses_are_others(people: list[User]) -> None:
    request = request_of(people[0], "/admin/auth/user/")
    before = site.each_context(request)["menu"]
    set_script_prefix("/worker/")
    try:
        assert 'href="/worker/admin/auth/user/"' in site.each_context(request)["menu"]
    finally:
        set_script_prefix("/")
    assert site.each_context(request)["menu"] == before


def test_it_stands_on_a_page_once(people: list[User]) -> None:
    client = Client()
    client.force_login(people[0])
    page = client.get("/admin/auth/user/").content.decode()
    assert page.count('id="nav-sidebar"') == 1
    assert page.count('aria-current="page"') == 1


def test_those_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("balansity.menu._MOST", 2)
    menus = Menus()
    made = [menus.get(number, list) for number in (1, 2, 2, 3)]
    assert made[1] is made[2]
    assert len(menus._kept) == 1
    assert all(type(menu) is Menu for menu in made)
