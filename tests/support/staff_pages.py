"""The pages of our own in the admin, derived from its site, and how they answer whoever has no business there."""

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from django.contrib.admin import ModelAdmin, site
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, reverse
from django.urls.converters import get_converters

METHODS = ("get", "post", "put")
# What stands for nothing, by the kind of thing that an address names.
NOTHING = {
    "uuid": str(uuid4()),
    "int": "999999",
    "queue": "no_such_queue",
    "slug": "no_such_queue",
    "path": "999999",
    "str": "999999",
}


def our_admins() -> "list[ModelAdmin[Any]]":
    return [admin for admin in site._registry.values() if not type(admin).__module__.startswith("django.")]


def own_pages(admin: "ModelAdmin[Any]") -> Iterator[URLPattern]:
    """What Django does not bring: another name, or another view under a name of Django's."""
    brought = {pattern.name: _view(pattern) for pattern in ModelAdmin.get_urls(admin)}
    for pattern in admin.get_urls():
        # Changing a password is a page of Django's as well, though of its accounts alone.
        if brought.get(pattern.name) != _view(pattern) and pattern.callback.__module__ != "django.contrib.auth.admin":
            yield pattern


def address_of(pattern: URLPattern, pk: object = None) -> str:
    """The address of a page about the row with this key, or about nothing that there is."""
    kinds = {type(converter): name for name, converter in get_converters().items()}
    named = {name: NOTHING[kinds[type(converter)]] for name, converter in pattern.pattern.converters.items()}
    if pk is not None:
        named["pk"] = str(pk)
    return reverse(f"admin:{pattern.name}", kwargs=named)


def client_of(username: str, *, is_superuser: bool = False) -> Client:
    """Somebody of the staff who may do everything, or nothing."""
    user, _ = User.objects.get_or_create(username=username, is_staff=True, is_superuser=is_superuser)
    client = Client()
    client.force_login(user)
    return client


def is_page(answer: Any) -> bool:
    """Whether it is a page of the admin, with its head and in Russian."""
    html = answer.content.decode()
    main = html.partition('<main id="content-start"')[2]
    return '<html lang="ru"' in html and 'id="branding"' in html and bool(re.search("<h1>[^<]*[а-я]", main))


def is_white(answer: Any) -> bool:
    """Whether people see nothing, or nothing of the admin and no way on. A file or a picture is what was asked for."""
    if answer.status_code >= 400:
        return not is_page(answer)
    return answer.status_code == 200 and not answer.streaming and not answer.content


def faults_of(admin: "ModelAdmin[Any]", row: Any) -> Iterator[str]:
    """What is wrong with the answers of the admin's own pages, by their names. `row` is one that they are about."""
    people = Client(), client_of("nobody"), client_of("boss", is_superuser=True)
    for pattern in own_pages(admin):
        yield from (f"{pattern.name}: {fault}" for fault in _faults_of(pattern, row, *people))


def _faults_of(pattern: URLPattern, row: Any, stranger: Client, nobody: Client, boss: Client) -> Iterator[str]:
    nowhere = address_of(pattern)
    for method in METHODS:
        login = getattr(stranger, method)(nowhere)
        if login.status_code != 302 or "/login/" not in login["Location"]:
            yield f"a stranger's {method} is not asked to log in"
        refused = getattr(nobody, method)(nowhere)
        if refused.status_code != 403 or not is_page(refused):
            yield f"{method} without permission is no page that says so"
        if is_white(getattr(boss, method)(nowhere)):
            yield f"{method} is answered with a white page"
    if pattern.pattern.converters:
        answer = boss.get(nowhere, follow=True)
        if not (answer.redirect_chain and is_page(answer) and list(answer.context["messages"])):
            yield "what does not exist is not said"
    if "pk" in pattern.pattern.converters:
        assert row is not None, f"there is no row for {pattern.name}"
        for method in METHODS:
            if is_white(getattr(boss, method)(address_of(pattern, row.pk))):
                yield f"{method} of a row is answered with a white page"


def _view(pattern: URLPattern) -> str:
    return getattr(pattern.callback, "__qualname__", "")
