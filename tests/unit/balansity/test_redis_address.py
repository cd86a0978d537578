"""What people write into `REDIS_URL`, what both clients get of it, and what is said about it."""

from pathlib import Path

import pytest

from balansity.env import ConfigurationError, EnvReader
from balansity.settings.redis_address import broker_address, redis_address

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


@pytest.mark.parametrize(
    ("raw", "url"),
    [
        ("redis://redis", "redis://redis:6379/0"),
        ("redis://redis:", "redis://redis:6379/0"),
        ("redis://redis:/", "redis://redis:6379/0"),
        ("redis:///2", "redis://localhost:6379/2"),
        ("redis://редис/2", "redis://xn--d1abk3ai:6379/2"),
        ("redis://[fe80::1%eth0]/2", "redis://[fe80::1%eth0]:6379/2"),
        ("redis://redis?db=3", "redis://redis:6379/3"),
        ("REDIS://redis:6379/0", "redis://redis:6379/0"),
        ("'redis://redis:6379/0'", "redis://redis:6379/0"),
        ("valkey://redis:6379/0", "redis://redis:6379/0"),
        ("redis://[::1]:6380/1", "redis://[::1]:6380/1"),
        ("redis://:@redis", "redis://redis:6379/0"),
        ("redis://balansity:pw@redis", "redis://balansity:pw@redis:6379/0"),
    ],
)
def test_what_is_left_out_is_filled_in(raw: str, url: str) -> None:
    assert read(raw) == (url, [])


@pytest.mark.parametrize(
    ("raw", "encoded"),
    [
        ("pa/ss", "pa%2Fss"),
        ("12/ss", "12%2Fss"),
        ("p@ss:word", "p%40ss%3Aword"),
        ("p#s?s=x", "p%23s%3Fs%3Dx"),
        ("p[s]s", "p%5Bs%5Ds"),
        ("100%", "100%25"),
        ("pa ss", "pa%20ss"),
        ("a+b&c", "a%2Bb%26c"),
        ("пароль", "%D0%BF%D0%B0%D1%80%D0%BE%D0%BB%D1%8C"),
        ("p%2Fss", "p%2Fss"),
        # No letter begins so: somebody typed it.
        ("aa%bb%", "aa%25bb%25"),
        ("%ff", "%25ff"),
    ],
)
@pytest.mark.parametrize(
    ("before", "place"),
    [("redis://:", "@127.0.0.1:6379/0"), ("redis://app:", "@[::1]:1/4"), ("unix://:", "@/run/r.sock")],
)
def test_a_password_is_taken_raw_or_encoded(raw: str, encoded: str, before: str, place: str) -> None:
    assert read(f"{before}{raw}{place}") == (f"{before}{encoded}{place}", [])


@pytest.mark.parametrize(
    ("raw", "ours", "celery"),
    [
        ("unix:///run/redis.sock", "unix:///run/redis.sock", "redis+socket:///run/redis.sock"),
        ("redis+socket:///run/redis.sock", "unix:///run/redis.sock", "redis+socket:///run/redis.sock"),
        ("redis-socket:///run/redis.sock", "unix:///run/redis.sock", "redis+socket:///run/redis.sock"),
        ("unix:/run/redis.sock", "unix:///run/redis.sock", "redis+socket:///run/redis.sock"),
        ("/run/redis.sock", "unix:///run/redis.sock", "redis+socket:///run/redis.sock"),
        ("unix:///run/r s.sock?db=2", "unix:///run/r%20s.sock?db=2", "redis+socket:///run/r%20s.sock?virtual_host=2"),
        (
            "redis+socket://:a/b@/run/redis.sock?virtual_host=2",
            "unix://:a%2Fb@/run/redis.sock?db=2",
            "redis+socket://:a%2Fb@/run/redis.sock?virtual_host=2",
        ),
        (
            "unix:///run/redis.sock?password=a%20b&db=1",
            "unix://:a%20b@/run/redis.sock?db=1",
            "redis+socket://:a%20b@/run/redis.sock?virtual_host=1",
        ),
        ("redis://redis:6379/2", "redis://redis:6379/2", "redis://redis:6379/2"),
    ],
)
def test_a_socket_has_a_spelling_for_each_client(raw: str, ours: str, celery: str) -> None:
    url, _ = read(raw)
    assert (url, broker_address(url)) == (ours, celery)


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
        ("redis://127.0.0.1:port/0", "must be an address like redis://:password@host:6379/0"),
        ("redis://:geheim@127.0.0.1:port/0", "must be an address like"),
        ("redis://:geheim@127.0.0.1:0/0", "must be an address like"),
        ("redis://:geheim@::1:6379/0", "must be an address like"),
        ("redis://:geheim@127.0.0.1:6379/geheim", "must end with the number of a database"),
        ("redis://:geheim@127.0.0.1:6379/-1", "must end with the number of a database"),
        ("redis://:geheim@127.0.0.1:6379/1?db=2", "must end with the number of a database, and one only"),
        ("redis://:geheim@127.0.0.1:6379/0#heim", "must be an address like"),
        ("redis://:geheim@one:6379,two:6379/0", "neither Sentinel nor Cluster"),
        ("redis+sentinel://:geheim@one:26379/main", "neither Sentinel nor Cluster"),
        ("rediss+socket://:geheim@/run/redis.sock", "TLS, which a socket does not need: write unix:///path"),
        ("unix://run/geheim.sock", "with three slashes"),
        ("unix:///run/redis.sock?ssl_cert_reqs=none", "begins with unix://: write rediss://"),
        ("https://geheim.upstash.io", "the address that begins with rediss://"),
        ("geheim", "must be an address like"),
        # Both end in an error of Python's codec, and not of a client.
        (f"redis://:geheim@{'a' * 64}:6379/0", "has no name of a host that can be"),
        ("redis://:geheim@redis..example:6379/0", "has no name of a host that can be"),
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
