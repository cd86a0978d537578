"""Takes an address of Postgres apart, as Supabase, Vercel, Prisma, JDBC and SQLAlchemy spell it.

libpq reads its own spelling only, and ends a password at the first sign that means something in an address.
"""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

import psycopg2
from psycopg2.extensions import parse_dsn

from balansity.settings.raw_address import split_login, unwrapped
from wording.web_address import NotAnAddress, one_host

# SQLAlchemy names its driver behind a +.
_SCHEME = re.compile(r"(?:jdbc:)?(?:postgres|postgresql|psql|pgsql|pg)(?:\+\w+)?://", re.IGNORECASE)
_HOST = r"(?:\[[0-9A-Fa-f:.]+(?:%\w+)?\]|[^\[\]:/?#@,\s]*)(?::[0-9]*)?"
# An @ is a part of it only in the value of an option: else it ends a password.
_PLACE = re.compile(
    rf"(?P<hosts>{_HOST}(?:,{_HOST})*)(?P<path>/[^?#@]*)?"
    r"(?:\?(?P<query>(?:(?:ssl\w+|options|application_name)=[^#]*)|[^#@]*))?"
)
_SHAPE = "cannot be read: it looks like postgres://user:password@host:5432/database"
# What Supabase's page has where the password belongs.
_PLACEHOLDER = re.compile(r"[\[<{$].*password.*[\]>}]|your.?password", re.IGNORECASE)
_IN_QUERY = ("user", "password", "host", "port", "dbname")


class Unusable(Exception):
    """What is wrong with the address, in words that repeat none of it."""


@dataclass(slots=True)
class PostgresUrl:
    """The address, decoded. `host` and `port` may be lists as libpq takes them; `options` as they stood there."""

    user: str
    password: str
    host: str
    port: str
    dbname: str
    options: dict[str, str]


def read_postgres_url(raw: str) -> PostgresUrl:
    """Raises `Unusable`."""
    text = unwrapped(re.sub(r"^psql\s+", "", unwrapped(raw)))
    scheme = _SCHEME.match(text)
    if scheme:
        url = _of_address(text[scheme.end() :])
    elif "://" not in text and "=" in text:
        url = _of_words(text)
    else:
        raise Unusable(_wrong_scheme(text.partition(":")[0].lower()))
    for name in _IN_QUERY:
        # As libpq does: `localhost/db?host=/cloudsql/…` means the socket.
        said = url.options.pop(name, "")
        setattr(url, name, said or getattr(url, name))
    if any("\0" in getattr(url, name) for name in _IN_QUERY):
        raise Unusable("has %00 in it, which Postgres takes nowhere: write % in the password as %25")
    url.host = ",".join(map(_known_host, url.host.split(",")))
    if _PLACEHOLDER.fullmatch(url.password):
        raise Unusable("still has the placeholder of Supabase's page where the password belongs")
    if not url.dbname:
        raise Unusable("names no database: end it with /postgres, which is Supabase's")
    for port in filter(None, url.port.split(",")):
        if not (port.isascii() and port.isdigit() and 0 < int(port) <= 65535):
            raise Unusable(_SHAPE)
    return url


def _of_address(rest: str) -> PostgresUrl:
    user, password, place = split_login(rest, _PLACE)
    found = _PLACE.fullmatch(place)
    if found is None:
        raise Unusable(_SHAPE)
    hosts, ports = [], []
    for each in found["hosts"].split(","):
        host, _, port = (
            each.rpartition(":") if re.search(r":[0-9]*$", each) and not each.endswith("]") else (each, "", "")
        )
        hosts.append(unquote(host).removeprefix("[").removesuffix("]"))
        ports.append(port)
    path, host = unquote(found["path"] or "").strip("/"), ",".join(hosts)
    if not host and "/" in path:
        # `postgres:////run/postgresql/postgres`: a socket and a database.
        host, _, path = f"/{path}".rpartition("/")
    options = dict(parse_qsl(found["query"] or "", keep_blank_values=True))
    return PostgresUrl(user, password, host, ",".join(ports) if any(ports) else "", path, options)


def _known_host(host: str) -> str:
    """In punycode, as libpq asks for names as they stand there."""
    try:
        return host if host.isascii() else one_host(host)
    except NotAnAddress:
        raise Unusable("has no name of a host that can be") from None


def _of_words(text: str) -> PostgresUrl:
    """`host=… user=…`, as libpq takes it as well."""
    try:
        said = {key: str(value) for key, value in parse_dsn(text).items()}
    except psycopg2.Error:
        raise Unusable(_SHAPE) from None
    return PostgresUrl(**{name: said.pop(name, "") for name in _IN_QUERY}, options=said)


def _wrong_scheme(scheme: str) -> str:
    if scheme.startswith("prisma"):
        return "must be the address of Postgres itself, and not the one of Prisma's proxy"
    if scheme in {"http", "https"}:
        return "must be the address of Postgres that begins with postgres://, and not the one of Supabase's API"
    return "must be an address that starts with postgres:// or postgresql://"
