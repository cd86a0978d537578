"""The addresses of the environment: one spelling, what follows from it, and what an operator is told."""

import unicodedata
from typing import Any

import pytest

from balansity.sandbox_keys import SANDBOX_KEY
from tests.support.loaded_settings import MAIL, load_settings, problems_of

OURS = "https://апи.балансити.рф"
PUNYCODE = "https://xn--80aqu.xn--80aab4aapp6ak.xn--p1ai"
FRONT_END = "https://xn--80aab4aapp6ak.xn--p1ai"
# A production that is set up as it should be.
SOUND = {
    **MAIL,
    "REDIS_URL": "redis://redis:6379/0",
    "SECRET_KEY": "3hF-9dKq_Zx7LwVt2RbYcM8sNpGe4uJaXoTi6EvQ1kHyWzBnUmDr5fS",
    "API_BASE_URL": "https://api.example.ru",
    "FRONTEND_URL": "https://example.ru",
    "TRUSTED_PROXIES": "127.0.0.1",
    "SUPPORT_CONTACT": "help@example.ru",
}


def read(**variables: str) -> dict[str, Any]:
    return load_settings(SOUND | variables)


def warnings(**variables: str) -> list[str]:
    found: list[str] = read(**variables)["START_WARNINGS"]
    return found


SPELLINGS = [
    OURS,
    f"{OURS}/",
    f"{OURS}:443",
    "HTTPS://АПИ.Балансити.РФ",
    f"{OURS}./",
    unicodedata.normalize("NFD", OURS),
    PUNYCODE,
    PUNYCODE.upper(),
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_our_own_address_is_one_in_every_spelling(spelling: str) -> None:
    settings = read(API_BASE_URL=spelling, FRONTEND_URL=spelling.replace("апи.", "").replace("АПИ.", ""))
    assert settings["API_BASE_URL"] == PUNYCODE
    assert settings["CSRF_TRUSTED_ORIGINS"] == [PUNYCODE]
    assert settings["ALLOWED_HOSTS"][0] == PUNYCODE.removeprefix("https://")
    assert settings["SESSION_COOKIE_SECURE"] is settings["CSRF_COOKIE_SECURE"] is True
    assert settings["SMTP_HELO_NAME"] == PUNYCODE.removeprefix("https://")


@pytest.mark.parametrize("spelling", [each.replace("апи.", "").replace("АПИ.", "") for each in SPELLINGS[:6]])
def test_the_front_ends_address_is_one_too(spelling: str) -> None:
    settings = read(FRONTEND_URL=spelling)
    assert (settings["FRONTEND_URL"], settings["CORS_ALLOWED_ORIGINS"]) == (FRONT_END, [FRONT_END])


@pytest.mark.parametrize(
    ("name", "setting", "written", "value"),
    [
        ("SUPABASE_URL", "SUPABASE_URL", "https://Супа.рф/", "https://xn--80a3afi.xn--p1ai"),
        ("SUPABASE_URL", "SUPABASE_URL", "https://ABC.supabase.co:443/rest/v1/", "https://abc.supabase.co"),
        ("SUPABASE_URL", "SUPABASE_URL", "https://a.example/supa/auth/v1", "https://a.example/supa"),
        ("SUPABASE_URL", "SUPABASE_URL", "http://Supabase_Kong:8000", "http://supabase_kong:8000"),
        (
            "EMAIL_LINK_HOSTS",
            "EMAIL_LINK_HOSTS",
            "Файлы.рф, Files.example.",
            ("xn--80asg7a0b.xn--p1ai", "files.example"),
        ),
        ("SMTP_HOST", "EMAIL_HOST", "Почта.рф", "xn--80a1acny.xn--p1ai"),
        ("SMTP_HOST", "EMAIL_HOST", "SMTP.Example.org.", "smtp.example.org"),
        ("SMTP_HOST", "EMAIL_HOST", "[::1]", "::1"),
        ("SMTP_HELO_NAME", "SMTP_HELO_NAME", "Почта.рф", "xn--80a1acny.xn--p1ai"),
        ("SMTP_FROM", "DEFAULT_FROM_EMAIL", "hello@Почта.рф", "Balansity <hello@xn--80a1acny.xn--p1ai>"),
        (
            "YUKASSA_WIDGET_URL",
            "YUKASSA_WIDGET_URL",
            "https://YooKassa.ru:443/w.js?v=1",
            "https://yookassa.ru/w.js?v=1",
        ),
        (
            "SUPABASE_JWT_ISSUER",
            "SUPABASE_JWT_ISSUERS",
            "https://Супа.рф:443/auth/v1/, balansity",
            ("https://xn--80a3afi.xn--p1ai/auth/v1", "balansity"),
        ),
        (
            "ALLOWED_HOSTS",
            "ALLOWED_HOSTS",
            "АПИ.Балансити.рф., *.Example.ru, .b.example, https://c.example/x, d.example:443,::1,api.example.ru",
            [
                *(PUNYCODE.removeprefix("https://"), ".example.ru", ".b.example", "c.example", "d.example", "[::1]"),
                "api.example.ru",
            ],
        ),
    ],
)
def test_every_other_address_is_read_in_the_same_way(name: str, setting: str, written: str, value: object) -> None:
    assert read(**{name: written})[setting] == value


@pytest.mark.parametrize("name", ["API_BASE_URL", "FRONTEND_URL", "SUPABASE_URL", "YUKASSA_WIDGET_URL"])
@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("example.ru", "must be an address that starts with https:// or http://"),
        ("https://", "has no name of a host that can be"),
        ("https://*.example.ru", "has no name of a host that can be"),
        ("https://выдра..рф", "has no name of a host that can be"),
        ("https://example.ru:0x50", "has a port that is none"),
        ("https://me:geheim@example.ru", "carries a user or a password before @: leave them out"),
        ("https://example.ru/#/app", "ends with ?… or #…: leave that out"),
    ],
)
def test_what_is_no_address_is_one_line(name: str, written: str, told: str) -> None:
    assert problems_of({**SOUND, name: written}) == [f"{name} {told}"]


@pytest.mark.parametrize("name", ["API_BASE_URL", "SUPABASE_URL"])
@pytest.mark.parametrize("between", [",", ", ", ";", " "])
def test_two_addresses_where_one_is_meant_are_one_line(name: str, between: str) -> None:
    written = f"https://a.example{between}https://b.example"
    assert problems_of({**SOUND, name: written}) == [f"{name} names several addresses: leave the one that is meant"]


def test_a_port_behind_the_name_of_the_mail_server_is_named() -> None:
    (line,) = problems_of({**SOUND, "SMTP_HOST": "smtp.example.ru:465"})
    assert line.startswith("SMTP_HOST must be the name of a host, like mail.example.org, without a port")


@pytest.mark.parametrize("between", [",", ", ", ";", " , ", "\t"])
def test_of_several_front_ends_the_first_is_for_links_and_all_may_call(between: str) -> None:
    addresses = ("https://Балансити.рф/app/", "https://www.балансити.рф:443", f"{FRONT_END}/other")
    settings = read(FRONTEND_URL=between.join(addresses))
    assert settings["FRONTEND_URL"] == f"{FRONT_END}/app"
    assert settings["CORS_ALLOWED_ORIGINS"] == [FRONT_END, "https://www.xn--80aab4aapp6ak.xn--p1ai"]
    (line,) = settings["START_WARNINGS"]
    assert line.startswith("FRONTEND_URL names several addresses")
    assert f"the first, {FRONT_END}/app" in line


@pytest.mark.parametrize(
    ("base", "prefix"),
    [("https://a.example/worker", "/worker"), ("https://a.example/services//worker/", "/services/worker")],
)
def test_a_path_stands_in_all_that_browsers_are_told(base: str, prefix: str) -> None:
    settings = read(API_BASE_URL=base)
    assert settings["API_BASE_URL"] == f"https://a.example{prefix}"
    assert settings["FORCE_SCRIPT_NAME"] == prefix
    assert settings["STATIC_URL"] == f"{prefix}/static/"
    assert settings["SESSION_COOKIE_PATH"] == settings["CSRF_COOKIE_PATH"] == f"{prefix}/"
    assert settings["CSRF_TRUSTED_ORIGINS"] == ["https://a.example"]
    assert settings["SPECTACULAR_SETTINGS"]["SERVERS"] == [{"url": prefix}]


def test_without_a_path_all_is_at_the_root() -> None:
    settings = read()
    assert (settings["FORCE_SCRIPT_NAME"], settings["STATIC_URL"]) == (None, "/static/")
    assert (settings["SESSION_COOKIE_PATH"], settings["SPECTACULAR_SETTINGS"]["SERVERS"]) == ("/", [])


def test_a_path_that_no_route_can_begin_with_is_refused() -> None:
    for path in ("/воркер", "/a%20b", "/a(b)"):
        (line,) = problems_of({**SOUND, "API_BASE_URL": f"https://a.example{path}"})
        assert line.startswith("API_BASE_URL has a path of other signs")


def test_hosts_are_ours_and_those_within_as_soon_as_our_address_is_known() -> None:
    own = read(API_BASE_URL="https://[2001:db8::1]:8443/worker")["ALLOWED_HOSTS"]
    assert own == ["[2001:db8::1]", "localhost", "127.0.0.1", "[::1]", "web"]
    assert read(API_BASE_URL="")["ALLOWED_HOSTS"] == ["*"]
    assert read(API_BASE_URL="")["CSRF_TRUSTED_ORIGINS"] == []
    assert load_settings(SOUND, sandbox=True)["ALLOWED_HOSTS"] == ["*"]


def test_a_host_that_is_none_is_named() -> None:
    (line,) = problems_of({**SOUND, "ALLOWED_HOSTS": "api.example.ru, a b, x..y"})[:1]
    assert line == "ALLOWED_HOSTS must be names of hosts, like api.example.ru, not 'a b'"


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({}, []),
        ({"SECRET_KEY": "k" * 50}, ["SECRET_KEY repeats a few characters"]),
        ({"SECRET_KEY": "a1b2c3d4e5" * 5}, ["SECRET_KEY repeats a few characters"]),
        ({"SECRET_KEY": "abababababab" * 4 + "x"}, ["SECRET_KEY repeats a few characters"]),
        ({"SECRET_KEY": "please-changeme-3hF9dKqZx7LwVt2RbYcM8sNpGe4u"}, ["SECRET_KEY reads like a placeholder"]),
        ({"SECRET_KEY": "change_me_3hF9dKqZx7LwVt2RbYcM8sNpGe4uJaXoTi"}, ["SECRET_KEY reads like a placeholder"]),
        ({"SECRET_KEY": "django-insecure-3h=f9d@kq$zx7lw%vt2rbycm8snp"}, ["SECRET_KEY reads like a placeholder"]),
        ({"SECRET_KEY": "your-very-secret-key-goes-here-3hF9dKqZx7LwV"}, ["SECRET_KEY reads like a placeholder"]),
        # `openssl rand -hex 16` is short and strong.
        ({"SECRET_KEY": "9f86d081884c7d659a2feaa0c55ad015"}, []),
        (
            {"SUPABASE_JWT_SECRET": "your-super-secret-jwt-token-with-at-least-32-characters-long"},
            ["SUPABASE_JWT_SECRET reads like a placeholder"],
        ),
        ({"API_BASE_URL": ""}, ["API_BASE_URL is not set"]),
        ({"FRONTEND_URL": ""}, ["FRONTEND_URL is not set"]),
        ({"API_BASE_URL": "http://api.example.ru"}, ["API_BASE_URL starts with http://"]),
        ({"API_BASE_URL": "http://10.0.0.5:3001"}, []),
        ({"FRONTEND_URL": "http://example.ru"}, ["FRONTEND_URL starts with http://"]),
        ({"API_BASE_URL": "https://api.example.ru/api"}, ["API_BASE_URL ends with /api"]),
        ({"ALLOWED_HOSTS": "example.ru, localhost"}, ["ALLOWED_HOSTS leaves out api.example.ru"]),
        ({"ALLOWED_HOSTS": ".example.ru"}, []),
        ({"TRUSTED_PROXIES": ""}, ["TRUSTED_PROXIES is not set"]),
        ({"TRUSTED_PROXIES": "", "API_BASE_URL": "http://10.0.0.5:3001"}, []),
        ({"TRUSTED_PROXIES": "10.0.0.1, 0.0.0.0/0"}, ["TRUSTED_PROXIES holds the whole internet"]),
    ],
)
def test_what_works_and_should_not_stay_is_one_line_each(variables: dict[str, str], told: list[str]) -> None:
    found = warnings(**variables)
    assert len(found) == len(told), found
    for line, beginning in zip(found, told, strict=True):
        assert line.startswith(beginning)
        assert "\n" not in line
    assert not [line for line in found if variables.get("SECRET_KEY", SANDBOX_KEY) in line]


def test_a_sandbox_is_told_nothing() -> None:
    found = load_settings({}, sandbox=True)["START_WARNINGS"]
    assert [line for line in found if not line.startswith(("DATABASE_URL", "REDIS_URL"))] == []
