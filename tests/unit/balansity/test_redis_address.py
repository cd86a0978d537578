"""What people write into `REDIS_URL`, what both clients get of it, and what is said about it."""

from pathlib import Path

import pytest

from balansity.env import ConfigurationError, EnvReader
from balansity.settings.redis_address import redis_address

HOST = "rediss://:geheim@redis.example.com:6380/0"


def read(raw: str) -> tuple[str, list[str]]:
    env = EnvReader({"REDIS_URL": raw})
    url = redis_address(env, "REDIS_URL")
    env.finish()
    return url, env.warnings


@pytest.mark.parametrize(
    ("raw", "url"),
    [
        (HOST, f"{HOST}?ssl_cert_reqs=required"),
        (f"{HOST}?ssl_cert_reqs=required", f"{HOST}?ssl_cert_reqs=required"),
        (f"{HOST}?ssl_cert_reqs=CERT_REQUIRED", f"{HOST}?ssl_cert_reqs=required"),
        (f"{HOST}?ssl_cert_reqs=CERT_OPTIONAL", f"{HOST}?ssl_cert_reqs=optional"),
        (f"{HOST}?ssl_check_hostname=False", f"{HOST}?ssl_cert_reqs=required&ssl_check_hostname=false"),
        (f"{HOST}?ssl_cert_reqs=", None),
        (f"{HOST}?family=0", f"{HOST}?ssl_cert_reqs=required"),
        ("redis://redis:6379/0", "redis://redis:6379/0"),
        ("redis://:p%2Fss@127.0.0.1:6379/0?family=6", "redis://:p%2Fss@127.0.0.1:6379/0"),
        ("unix:///run/redis/redis.sock", "unix:///run/redis/redis.sock"),
    ],
)
def test_one_spelling_is_left(raw: str, url: str | None) -> None:
    if url is None:
        with pytest.raises(ConfigurationError, match="ssl_cert_reqs must be required, optional or none"):
            read(raw)
    else:
        assert read(raw) == (url, [])


@pytest.mark.parametrize("word", ["none", "CERT_NONE", "None"])
def test_not_looking_at_the_certificate_is_warned_about(word: str) -> None:
    url, (warning,) = read(f"{HOST}?ssl_cert_reqs={word}&ssl_check_hostname=false")
    assert url == f"{HOST}?ssl_cert_reqs=none"
    assert "takes any certificate" in warning
    assert "geheim" not in warning


def test_a_file_of_certificates_is_passed_on(tmp_path: Path) -> None:
    file = tmp_path / "our ca.pem"
    file.touch()
    url, warnings = read(f"{HOST}?ssl_ca_certs={file}")
    assert url.startswith(f"{HOST}?ssl_cert_reqs=required&ssl_ca_certs=")
    assert warnings == []


@pytest.mark.parametrize("host", ["redis.example.com", "203.0.113.7", "[2001:db8::1]"])
def test_going_through_the_internet_without_tls_is_warned_about_once(host: str) -> None:
    url, (warning,) = read(f"redis://:geheim@{host}:6379/0")
    assert url == f"redis://:geheim@{host}:6379/0"
    assert warning.startswith("REDIS_URL leads through the internet without TLS")
    assert "geheim" not in warning


@pytest.mark.parametrize("host", ["redis", "localhost", "127.0.0.1", "10.1.2.3", "[::1]", "redis.internal"])
def test_a_network_of_our_own_needs_no_tls(host: str) -> None:
    assert read(f"redis://:geheim@{host}:6379/0")[1] == []


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ("redis://:ge/heim@127.0.0.1:6379/0", "must be an address like redis://:password@host:6379/0"),
        ("redis://:ge#heim@127.0.0.1:6379/0", "must be an address"),
        ("redis://:ge?heim=x@127.0.0.1:6379/0", "REDIS_URL"),
        ("redis://127.0.0.1:port/0", "must be an address like"),
        ("redis://127.0.0.1:99999/0", "must be an address like"),
        (f"{HOST}?geheim=1", "has an option that is not known here; known are ssl_cert_reqs"),
        (f"{HOST}?ssl_cert_reqs=geheim", "ssl_cert_reqs must be required, optional or none"),
        (f"{HOST}?ssl_check_hostname=geheim", "ssl_check_hostname must be true or false"),
        (f"{HOST}?ssl_ca_certs=/nowhere/geheim.pem", "the file of ssl_ca_certs cannot be read"),
        ("redis://redis:6379/0?ssl_cert_reqs=required", "begins with redis://: write rediss://"),
        ("redis://redis:6379/0?tls=true", "has an option that is not known here"),
    ],
)
def test_what_cannot_work_is_one_line_without_the_password(raw: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        read(raw)
    (line,) = refusal.value.problems
    assert problem in line
    assert "geheim" not in line
    assert "heim" not in line
