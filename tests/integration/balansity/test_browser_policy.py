"""What browsers are told: nothing inline, nothing of anybody else's, in no frame, over TLS alone; on every answer."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import User
from django.core.checks import run_checks
from django.test import Client, override_settings
from django.urls import reverse
from pytest_django import Settings

from sandbox.packages import CHECKOUT, packages
from tests.support.loaded_settings import MAIL, load_settings

pytestmark = pytest.mark.usefixtures("database", "broker_url")

import_module("balansity.urls")

# Mails and reports are no pages: nobody's browser asks us for them as such.
NO_PAGES = ("templates/notifications/email/", "templates/reports/")
PUBLIC = {"API_BASE_URL": "https://api.example.ru", **MAIL}
# Wherever it comes from: a page, a problem, a file, an address that there is not, a host that is not ours.
ANSWERS = (
    "/admin/",
    "/admin/login/",
    "/admin/nothing/",
    "/admin/payments/payment/",
    "/nothing",
    "/health",
    "/api/nothing",
    "/api/payments",
    "/api/docs",
    "/api/schema",
    "/static/admin/css/base.css",
    "/static/nothing.css",
)


class Inline(HTMLParser):
    """Collects what the policy would not let live."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        executable = tag == "script" and given.get("type", "module") in {"module", "text/javascript", ""}
        if tag == "style" or (executable and not given.get("src")):
            self.found.append(f"<{tag}>")
        self.found += [f"{tag} {name}" for name in given if name == "style" or re.fullmatch("on[a-z]+", name)]
        addresses = [str(given[name]) for name in ("src", "href", "action") if name in given]
        self.found += [f"{tag} {to}" for to in addresses if to.startswith("javascript:")]
        foreign = [to for to in addresses if tag in {"script", "link", "img"} and re.match("(?:https?:)?//", to)]
        self.found += [f"{tag} {to}" for to in foreign]


def ask(client: Client, path: str, **options: Any) -> Any:
    """The answer, its file closed: nobody reads that."""
    answer = client.get(path, **options)
    answer.close()
    return answer


def policy_of(answer: Any) -> dict[str, str]:
    parts = (part.strip().partition(" ") for part in answer.headers["Content-Security-Policy"].split(";"))
    return {name: values for name, _, values in parts}


@pytest.fixture
def boss() -> Client:
    client = Client()
    client.force_login(User.objects.create(username="boss", is_staff=True, is_superuser=True))
    return client


def admin_pages() -> Iterator[str]:
    """The list of everything, a form of everything, and what stands beside them."""
    yield from ("/admin/", "/admin/password_change/", reverse("admin:payments_payment_revenue"))
    for admin in site._registry.values():
        brought = {pattern.name for pattern in admin.get_urls()}
        names = [f"{admin.opts.app_label}_{admin.opts.model_name}_{kind}" for kind in ("changelist", "add")]
        yield from (reverse(f"admin:{name}") for name in names if name in brought)
    yield reverse("admin:auth_user_change", args=[User.objects.get(username="boss").pk])


@pytest.mark.parametrize("path", ANSWERS)
def test_every_answer_carries_the_policy(path: str, boss: Client) -> None:
    answer = ask(boss, path)
    policy = policy_of(answer)
    assert policy["default-src"] == policy["base-uri"] == policy["object-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_a_host_that_is_not_ours_gets_the_policy_as_well(client: Client, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["api.example.ru"]
    for path in ("/api/nothing", "/admin/"):
        answer = client.get(path, headers={"Host": "evil.example"})
        assert answer.status_code == 400
        assert policy_of(answer)["default-src"] == "'none'"


def test_only_the_page_of_the_api_takes_pictures_from_its_styles(boss: Client) -> None:
    assert policy_of(boss.get("/api/docs"))["img-src"] == "'self' data:"
    assert policy_of(boss.get("/admin/"))["img-src"] == "'self'"


def test_no_page_has_anything_inline_or_of_somebody_elses(boss: Client) -> None:
    looked_at = 0
    for path in (*admin_pages(), "/api/docs", "/nothing", "/admin/nothing/", "/admin/logout/"):
        answer = boss.get(path)
        if answer.headers["Content-Type"].startswith("text/html"):
            assert Inline(answer.content.decode()).found == [], path
            looked_at += 1
    assert looked_at > 20


def test_no_template_of_ours_has_anything_inline() -> None:
    found = [file for name in packages() for file in (CHECKOUT / name).rglob("templates/**/*.html")]
    pages = [file for file in found if not any(part in file.as_posix() for part in NO_PAGES)]
    assert len(pages) > 15
    assert {str(file): faults for file in pages if (faults := inline_in(file))} == {}


def inline_in(template: Path) -> list[str]:
    tags = re.sub(r"{[%#].*?[%#]}|{{.*?}}", "x", template.read_text(encoding="utf-8"))
    return Inline(tags).found


def test_no_list_hides_its_actions_by_a_style_in_the_page() -> None:
    # Django's template of lists would bring one.
    hidden = [admin for admin in site._registry.values() if not (admin.actions_on_top or admin.actions_on_bottom)]
    assert hidden == []


def test_the_page_of_the_api_finds_its_script_apart(client: Client) -> None:
    page = client.get("/api/docs").content.decode()
    script = re.findall(r'<script src="(/api/docs[^"]*)"', page)
    assert len(script) == 1
    answer = client.get(script[0].replace("&amp;", "&"))
    assert answer.headers["Content-Type"].startswith("application/javascript")
    assert "SwaggerUIBundle({" in answer.content.decode()


def test_what_is_served_over_tls_stays_there(client: Client) -> None:
    public = load_settings(PUBLIC)
    for path in ("/api/nothing", "/admin/login/", "/static/admin/css/base.css"):
        with override_settings(SECURE_HSTS_SECONDS=public["SECURE_HSTS_SECONDS"]):
            answer = ask(client, path, secure=True)
            assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
            assert "Strict-Transport-Security" not in ask(client, path).headers
    assert load_settings(MAIL)["SECURE_HSTS_SECONDS"] == 0


def test_django_finds_nothing_to_say_about_a_public_service() -> None:
    public = load_settings(PUBLIC)
    names = [name for name in public if name.startswith(("SECURE_", "SESSION_", "CSRF_", "X_FRAME", "SILENCED"))]
    given = {name: public[name] for name in (*names, "SECRET_KEY", "DEBUG", "ALLOWED_HOSTS", "MIDDLEWARE")}
    # Its first remark is about the key of the test, all of one letter.
    with override_settings(**{**given, "SECRET_KEY": "".join(map(chr, range(48, 110)))}):
        found = run_checks(tags=["security"], include_deployment_checks=True)
    assert [str(one) for one in found if not one.is_silenced()] == []


def test_cookies_of_staff_reach_no_script_and_no_other_site(settings: Settings) -> None:
    public = load_settings(PUBLIC)
    assert public["SESSION_COOKIE_SECURE"]
    assert public["CSRF_COOKIE_SECURE"]
    assert public["SESSION_COOKIE_HTTPONLY"]
    assert settings.SESSION_COOKIE_SAMESITE == settings.CSRF_COOKIE_SAMESITE == "Lax"
