"""How `DATABASE_URL` is read: options of other people's drivers, and whether the way must be encrypted."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from balansity.env import ConfigurationError, EnvReader
from balansity.postgres.base import HINT, WITHOUT_TLS
from balansity.settings.database_address import settings_from_url


@pytest.fixture(autouse=True)
def _nothing_said_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGHOSTADDR", "PGSSLMODE"):
        monkeypatch.delenv(name, raising=False)


def read(url: str, *, sandbox: bool = False) -> dict[str, Any]:
    env = EnvReader({"DATABASE_URL": url})
    config = settings_from_url(env, "DATABASE_URL", sandbox=sandbox)
    env.finish()
    return config


def at(host: str, query: str = "") -> str:
    return f"postgres://app:geheim@{host}:5432/postgres{query and '?'}{query}"


@pytest.mark.parametrize(
    "host",
    [
        "db.abcdefgh.supabase.co",
        "aws-0-eu-central-1.pooler.supabase.com",
        "supabase.beget.app",
        "8.8.8.8",
        "[2606:4700::1111]",
        "134744072",
    ],
)
def test_through_the_internet_tls_is_required(host: str) -> None:
    config = read(at(host))
    assert config["OPTIONS"]["sslmode"] == "require"
    assert config[WITHOUT_TLS] == ""


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "db", "supabase-db", "10.0.0.5", "172.20.1.1", "192.168.1.2", "[fd00::1]", "100.64.1.2"],
)
def test_in_a_network_of_our_own_tls_is_preferred_and_missed_with_a_warning(host: str) -> None:
    config = read(at(host))
    assert config["OPTIONS"]["sslmode"] == "prefer"
    assert "has no TLS" in config[WITHOUT_TLS]
    assert "geheim" not in config[WITHOUT_TLS]


@pytest.mark.parametrize(
    "url", ["postgres:///postgres", "postgres://%2Fvar%2Frun%2Fpostgresql/postgres", "postgres:///x?host=/tmp"]
)
def test_a_socket_needs_none(url: str) -> None:
    config = read(url)
    assert "sslmode" not in config["OPTIONS"]
    assert config[WITHOUT_TLS] == ""


def test_the_path_of_a_socket_keeps_its_letters() -> None:
    assert read("postgres://app:x@%2Fvar%2FRun/postgres")["HOST"] == "/var/Run"


def test_the_sandbox_asks_for_none() -> None:
    config = read(at("127.0.0.1"), sandbox=True)
    assert "sslmode" not in config["OPTIONS"]
    assert config[WITHOUT_TLS] == ""


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"])
def test_what_the_address_says_counts(mode: str) -> None:
    inside, outside = read(at("10.0.0.5", f"sslmode={mode}")), read(at("db.example.com", f"sslmode={mode}"))
    assert inside["OPTIONS"]["sslmode"] == outside["OPTIONS"]["sslmode"] == mode
    assert inside[WITHOUT_TLS] == ""
    assert f"sslmode={mode}" in outside[WITHOUT_TLS]


@pytest.mark.parametrize("query", ["host=db.example.com", "hostaddr=8.8.8.8", "hostaddr=10.0.0.1,8.8.8.8"])
def test_the_host_may_stand_among_the_options(query: str) -> None:
    assert read(f"postgres:///postgres?{query}")["OPTIONS"]["sslmode"] == "require"


def test_the_host_and_the_mode_may_stand_in_variables_of_libpq(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "db.example.com")
    assert read("postgres:///postgres")["OPTIONS"]["sslmode"] == "require"
    # `require` here would take the place of something stricter.
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert "sslmode" not in read("postgres:///postgres")["OPTIONS"]


@pytest.mark.parametrize(
    ("query", "mode"),
    [
        ("sslmode=no-verify", "require"),
        ("ssl=true", "require"),
        ("ssl=1", "require"),
        ("ssl=false", "disable"),
        ("ssl=no-verify", "require"),
        ("sslaccept=accept_invalid_certs", "require"),
        ("sslaccept=strict&sslmode=verify-full", "verify-full"),
        ("uselibpqcompat=true&sslmode=require", "require"),
        ("sslmode=require&supa=base-pooler.x", "require"),
    ],
)
def test_the_words_of_other_drivers_for_tls_are_translated(query: str, mode: str) -> None:
    options = read(at("db.example.com", query))["OPTIONS"]
    assert options["sslmode"] == mode
    assert not {"ssl", "sslaccept", "uselibpqcompat", "supa"} & options.keys()


def test_options_that_only_other_drivers_know_are_dropped() -> None:
    dropped = (
        "pgbouncer=true&schema=public&currentSchema=public&search_path=x&timezone=UTC&pool_mode=session&prepare=false"
    )
    options = read(at("db", f"{dropped}&connection_limit=1&application_name=us"))["OPTIONS"]
    assert options["application_name"] == "us"
    assert not [name for name in options if name.lower() in dropped.lower() or name == "connection_limit"]


@pytest.mark.parametrize(
    "query",
    [
        "workaround=supabase-pooler.vercel&supa=base-pooler.x",
        "max=10&idle_timeout=20&connectionTimeoutMillis=1000&statement_timeout=1000",
        "pool_size=5&max_overflow=0&prepared_statement_cache_size=0",
        "prepareThreshold=0&reWriteBatchedInserts=true&loginTimeout=5&currentSchema=x",
        "conn_max_age=600&atomic_requests=true&autocommit=false&client_encoding=latin1",
        "sslmode=&application_name=",
    ],
)
def test_nothing_of_them_reaches_libpq_or_django(query: str) -> None:
    assert read(at("db", query)) | {HINT: ""} == read(at("db"))


def test_names_of_other_drivers_are_translated(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.touch()
    options = read(at("db.example.com", f"ApplicationName=us&connectTimeout=3&SSLMODE=verify-ca&sslrootcert={file}"))[
        "OPTIONS"
    ]
    assert (options["application_name"], options["connect_timeout"]) == ("us", "3")
    assert (options["sslmode"], options["sslrootcert"]) == ("verify-ca", str(file))
    # With Prisma this is the authority's certificate; to libpq it would be our own.
    assert read(at("db.example.com", f"sslaccept=strict&sslcert={file}"))["OPTIONS"]["sslrootcert"] == str(file)


def where(url: str) -> tuple[Any, ...]:
    config = read(url)
    return tuple(config[key] for key in ("USER", "PASSWORD", "HOST", "PORT", "NAME"))


@pytest.mark.parametrize(
    "raw",
    [
        "pa/ss",
        "12/ss",
        "p@ss:word",
        "p#s?s=x",
        "p[s]s",
        "p]s",
        "100%",
        "100%zz",
        "pa ss",
        "a+b&c",
        "пароль",
        "a,b;c",
        "aa%bb%",
        "%ff",
    ],
)
@pytest.mark.parametrize("encoded", [False, True])
def test_a_password_is_taken_raw_or_encoded(raw: str, encoded: bool) -> None:
    url = f"postgres://postgres.abc:{quote(raw, safe='') if encoded else raw}@[::1]:5432/postgres?sslmode=disable"
    assert where(url) == ("postgres.abc", raw, "::1", "5432", "postgres")
    assert where(url.replace("[::1]", "db"))[1:3] == (raw, "db")


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("postgresql+psycopg2://u:p@db/x", ("u", "p", "db", "", "x")),
        ("postgresql+asyncpg://u:p@db/x", ("u", "p", "db", "", "x")),
        ("jdbc:postgresql://db:5433/x?user=u&password=p%2Fw", ("u", "p/w", "db", "5433", "x")),
        ("'postgres://u:p@db/x'", ("u", "p", "db", "", "x")),
        ("psql 'postgres://u:p@db/x'", ("u", "p", "db", "", "x")),
        ("host=db user=u password='p w' dbname=x", ("u", "p w", "db", "", "x")),
        ("POSTGRES://u:p@db:/x", ("u", "p", "db", "", "x")),
        ("postgres://u:p@db//x", ("u", "p", "db", "", "x")),
        ("postgres://u:p@db?dbname=x&port=6432", ("u", "p", "db", "6432", "x")),
        ("postgres://u:p@one:1,two:2/x", ("u", "p", "one,two", "1,2", "x")),
        ("postgres://u:p@one:1,two/x", ("u", "p", "one,two", "1,", "x")),
        ("postgres://u:p@[::1]:1,[::2]/x", ("u", "p", "::1,::2", "1,", "x")),
        ("postgres:///x?host=/tmp", ("", "", "/tmp", "", "x")),
        ("postgres://u:p@localhost/x?host=/cloudsql/p:r:i", ("u", "p", "/cloudsql/p:r:i", "", "x")),
        ("postgres://u:p@db:5432/x?port=6432", ("u", "p", "db", "6432", "x")),
        ("postgres://u:p@пример.рф,БД.example/x", ("u", "p", "xn--e1afmkfd.xn--p1ai,xn--90ag.example", "", "x")),
        ("postgres:////run/postgresql/x", ("", "", "/run/postgresql", "", "x")),
        ("postgres://u:p@db/my+x%2B", ("u", "p", "db", "", "my+x+")),
    ],
)
def test_other_spellings_mean_the_same(url: str, found: tuple[str, ...]) -> None:
    assert where(url) == found


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("postgres://u:geheim@db:5432", "names no database: end it with /postgres"),
        ("postgres://u:geheim@db:5432/", "names no database"),
        ("postgres://u:geheim@db:geheim/x", "cannot be read: it looks like"),
        ("postgres://u:geheim@db:0/x", "cannot be read"),
        ("postgres://u:geheim@db:99999/x", "cannot be read"),
        ("postgres://u:geheim@one:1,two:99999/x", "cannot be read"),
        ("postgres://u:geheim@::1:5432/x", "cannot be read"),
        ("postgres://u:geheim@db/x#geheim", "cannot be read"),
        ("postgres://u:geheim%00@db/x", "has %00 in it"),
        ("postgres://u:geheim@db/x%00y", "has %00 in it"),
        ("postgres://u:geheim@💩/x", "has no name of a host that can be"),
        ("postgres://u:[YOUR-PASSWORD]@db/x", "still has the placeholder of Supabase's page"),
        ("postgres://u:<password>@db/x", "still has the placeholder"),
        ("prisma+postgres://accelerate.prisma-data.net/?api_key=geheim", "not the one of Prisma's proxy"),
        ("https://geheim.supabase.co", "not the one of Supabase's API"),
        ("mysql://u:geheim@db/x", "must be an address that starts with postgres://"),
        ("geheim", "must be an address that starts with"),
        ("host=db password='geheim", "cannot be read"),
        (at("db", "connect_timeout=soon"), "connect_timeout must be a whole number"),
        (at("db", "sslrootcert=/nowhere/ca.pem"), "the file of sslrootcert cannot be read"),
    ],
)
def test_what_cannot_work_is_one_line_without_the_password(url: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read(url)
    (line,) = refused.value.problems
    assert line.startswith("DATABASE_URL")
    assert problem in line
    assert "geheim" not in line


@pytest.mark.parametrize("query", ["ssl_mode=require", "foo=1", "sslmode=yes"])
def test_what_nobody_knows_is_named_at_the_start(query: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read(at("db.example.com", query))
    (line,) = refused.value.problems
    assert line.startswith("DATABASE_URL has ")
    assert query.partition("=")[0] in line
    assert "geheim" not in line


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        (at("db", "pgbouncer=true"), "pgbouncer=true"),
        (at("db", "pool_mode=transaction"), "pool_mode=transaction"),
        ("postgres://a:b@pooler.supabase.com:6543/postgres", "port 6543"),
        (at("db", "pgbouncer=false"), ""),
        (at("db"), ""),
    ],
)
def test_what_speaks_of_a_pooler_in_transaction_mode_is_kept(url: str, hint: str) -> None:
    assert read(url)[HINT] == hint
