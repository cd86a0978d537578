"""The API's variables: what they become, and what is refused."""

from ipaddress import ip_network
from typing import Any

import pytest

from balansity.env import ConfigurationError
from balansity.sandbox_keys import SANDBOX_JWT_SECRET
from tests.support.loaded_settings import MAIL, load_settings, problems_of


def read(variables: dict[str, str], *, sandbox: bool = False) -> dict[str, Any]:
    return load_settings({**MAIL, **variables}, sandbox=sandbox)


def test_tokens_must_come_from_the_auth_server_of_that_supabase() -> None:
    settings = read({"SUPABASE_URL": "https://abc.supabase.co/"})
    assert settings["SUPABASE_URL"] == "https://abc.supabase.co"
    assert settings["SUPABASE_JWT_ISSUERS"] == ("https://abc.supabase.co", "https://abc.supabase.co/auth/v1")
    assert settings["SUPABASE_JWT_SECRET"] == ""


def test_issuers_can_be_added_where_the_inner_address_differs() -> None:
    issuers = {"SUPABASE_URL": "http://kong:8000", "SUPABASE_JWT_ISSUER": "https://a.example/auth/v1,https://b.example"}
    usual = ("http://kong:8000", "http://kong:8000/auth/v1")
    assert read(issuers)["SUPABASE_JWT_ISSUERS"] == (*usual, "https://a.example/auth/v1", "https://b.example")


def test_only_the_sandbox_brings_a_secret_of_its_own() -> None:
    assert read({}, sandbox=True)["SUPABASE_JWT_SECRET"] == SANDBOX_JWT_SECRET
    assert read({})["SUPABASE_JWT_SECRET"] == ""


def test_the_sandbox_may_name_its_own_secret() -> None:
    assert read({"SUPABASE_JWT_SECRET": SANDBOX_JWT_SECRET}, sandbox=True)["SUPABASE_JWT_SECRET"] == SANDBOX_JWT_SECRET


def test_sessions_are_checked_where_supabase_can_be_asked() -> None:
    variables = {"SUPABASE_URL": "https://abc.supabase.co", "SUPABASE_SERVICE_ROLE_KEY": "sb_secret_x"}
    assert read({**variables, "SUPABASE_SESSION_CHECK": "true"})["SUPABASE_SESSION_CHECK"] is True
    assert read(variables)["SUPABASE_SESSION_CHECK"] is False


@pytest.mark.parametrize("sandbox", [True, False])
def test_a_secret_of_the_least_length_is_taken_as_it_is(sandbox: bool) -> None:
    secret = "x" * 32
    assert read({"SUPABASE_JWT_SECRET": secret}, sandbox=sandbox)["SUPABASE_JWT_SECRET"] == secret


@pytest.mark.parametrize(
    ("url", "sandbox", "problems"),
    [
        ("http://supabase.example.com", False, ["SUPABASE_URL must start with https://"]),
        ("http://supabase.example.com", True, []),
        ("http://kong:8000", False, []),
        ("https://supabase.example.com", False, []),
    ],
)
def test_a_supabase_without_tls_is_refused_outside(url: str, sandbox: bool, problems: list[str]) -> None:
    assert [line.partition(": ")[0] for line in problems_of({**MAIL, "SUPABASE_URL": url}, sandbox=sandbox)] == problems


@pytest.mark.parametrize(
    "front_end", ["https://app.example.org", "https://app.example.org/", "https://app.example.org/ru/"]
)
def test_the_front_end_is_the_only_origin(front_end: str) -> None:
    assert read({"FRONTEND_URL": front_end})["CORS_ALLOWED_ORIGINS"] == ["https://app.example.org"]


def test_proxies_are_addresses_and_networks() -> None:
    proxies = read({"TRUSTED_PROXIES": "10.0.0.0/8, 192.0.2.7,fd00::1/64"})["TRUSTED_PROXIES"]
    assert proxies == (ip_network("10.0.0.0/8"), ip_network("192.0.2.7"), ip_network("fd00::/64"))


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"TRUSTED_PROXIES": "nginx"}, "TRUSTED_PROXIES must be addresses or networks like 10.0.0.0/8, not 'nginx'"),
        (
            {"SUPABASE_JWT_SECRET": "short"},
            "SUPABASE_JWT_SECRET is shorter than 32 characters: copy the one of Supabase",
        ),
        (
            {"SUPABASE_JWT_SECRET": SANDBOX_JWT_SECRET},
            "SUPABASE_JWT_SECRET is the one of the sandbox: copy the one of Supabase, or leave it empty",
        ),
        (
            {"SUPABASE_SESSION_CHECK": "true", "SUPABASE_URL": "https://abc.supabase.co"},
            "SUPABASE_SESSION_CHECK needs SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY: set both, or turn it off",
        ),
        (
            {"SUPABASE_SESSION_CHECK": "true", "SUPABASE_SERVICE_ROLE_KEY": "sb_secret_x"},
            "SUPABASE_SESSION_CHECK needs SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY: set both, or turn it off",
        ),
        ({"API_THROTTLE_CREATE": "0"}, "API_THROTTLE_CREATE must be between 1 and 2147483647, not 0"),
    ],
)
def test_a_bad_variable_is_named(variables: dict[str, str], line: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(variables)
    assert caught.value.problems == [line]
