"""The page about set-up and surroundings: who may look, what it shows, and that one at a time is enough."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils.translation import gettext_lazy

from balansity import admin as page
from balansity.doctor.examination import Examination
from bridge.diagnosis import Finding, error, info, warning
from tests.support.databases import ClonedDatabase

pytestmark = pytest.mark.usefixtures("database", "broker_url")

FINDINGS = [
    error(
        "broker.unreachable",
        gettext_lazy("Redis does not answer: %(said)s"),
        gettext_lazy("Raise its maxmemory"),
        said="<b>refused</b>",
    ),
    warning("people.no_superuser", gettext_lazy("Raise its maxmemory")),
    info("queues.open_functions", gettext_lazy("Raise its maxmemory")),
]


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    """What the looks find; that they find it is shown elsewhere."""
    findings: list[Finding] = []
    monkeypatch.setattr(page, "examine", lambda: Examination(findings, 23, 1.5))
    return findings


@pytest.fixture
def operator(database: ClonedDatabase) -> Client:
    """Somebody with this one permission."""
    user = User.objects.create_user("operator", is_staff=True)
    user.user_permissions.add(Permission.objects.get(content_type__app_label="balansity", codename="view_surroundings"))
    client = Client()
    client.force_login(user)
    return client


def html_of(answer: object) -> str:
    return str(answer.content.decode())  # type: ignore[attr-defined]


def test_nothing_is_looked_at_before_somebody_asks_for_it(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "examine", lambda: pytest.fail("nobody asked"))
    html = html_of(operator.get(reverse("admin:balansity_surroundings_changelist")))
    assert "Проверить" in html
    assert "Всё в порядке" not in html


def test_what_was_found_is_shown_in_russian_with_its_remedy_and_code(operator: Client, found: list[Finding]) -> None:
    found += FINDINGS
    html = html_of(operator.post(reverse("admin:balansity_surroundings_changelist")))
    assert "Redis не отвечает: &lt;b&gt;refused&lt;/b&gt;" in html
    for text in ("Увеличьте maxmemory", "broker.unreachable", "Найдена 1 ошибка.", "1 предупреждение.", "к сведению"):
        assert text in html
    assert "style=" not in html.partition('id="content-start"')[2]


@pytest.mark.usefixtures("found")
def test_nothing_found_is_said(operator: Client) -> None:
    assert "Всё в порядке." in html_of(operator.post(reverse("admin:balansity_surroundings_changelist")))


def test_one_look_at_a_time_is_enough(operator: Client, found: list[Finding]) -> None:
    found += FINDINGS
    with page._examining:
        html = html_of(operator.post(reverse("admin:balansity_surroundings_changelist")))
    assert "Проверка уже идёт" in html
    assert "broker.unreachable" not in html


def test_administrators_find_it_in_the_menu() -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    assert reverse("admin:balansity_surroundings_changelist") in html_of(client.get(reverse("admin:index")))
