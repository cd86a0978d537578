"""The pictures of `docs/images` show what there is now: seen by their fingerprints, without a browser."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import pytest
from django.db import connection
from django.test import Client

from bridge.queues import registry
from notifications.models import EmailMessage
from payments.models import Checkout
from sandbox.dev.pictures.album import EMAIL, PICTURES, PagePicture, Picture
from sandbox.dev.pictures.fingerprint import fingerprint, logged_in_staff, stale
from sandbox.dev.pictures.rows import payment_id
from sandbox.dev.pictures.scenery import fill, frozen
from sandbox.probe.apps import QUEUE
from tests.support.databases import ClonedDatabase


@pytest.fixture(autouse=True)
def _world(database: ClonedDatabase, broker_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the command finds it: without the tests' own queue."""
    monkeypatch.delitem(registry._queues, QUEUE)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.drop_queue(%s)", [QUEUE])


@contextmanager
def looking_staff() -> Iterator[Client]:
    """Who looks at the scenery of the pictures, at the moment when they are taken."""
    with frozen() as clock:
        yield logged_in_staff(fill(clock))


def fingerprints(staff: Client, taken: Callable[[Picture, Client], str] = fingerprint) -> dict[str, str]:
    return {picture.name: taken(picture, staff) for picture in PICTURES if isinstance(picture, PagePicture)}


def test_every_picture_shows_what_there_is_and_what_a_page_says_makes_its_own_stale_and_no_others(
    subtests: pytest.Subtests, monkeypatch: pytest.MonkeyPatch
) -> None:
    with looking_staff() as staff:
        with subtests.test("every picture shows what there is now"), monkeypatch.context() as patch:
            # What `stale` compares is looked at once.
            patch.setattr("sandbox.dev.pictures.fingerprint.fingerprint", once := cache(fingerprint))
            assert [f"./dev pictures {picture.name}" for picture in stale(staff)] == []
        before = fingerprints(staff, once)
        Checkout.objects.filter(pk=payment_id(47)).update(amount=1)
        EmailMessage.objects.filter(pk=EMAIL).update(html_body="<p>Другое письмо</p>")
        after = fingerprints(staff)
    changed = {name for name in after if after[name] != before[name]}
    # The home page says what came in today.
    assert changed == {"admin-home", "admin-payments", "admin-revenue", "admin-email"}
