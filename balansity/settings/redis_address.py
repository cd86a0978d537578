"""The address of Redis, as people spell it, in one spelling for each of its clients, and TLS that is worth its name.

Celery's client and redis-py read the same address by two vocabularies: a socket is `redis+socket://` to the first and
`unix://` to the second; to the first a bare `rediss://` means that any certificate will do, and the second does not
know Celery's own word `CERT_NONE`. Passwords are taken as they come, percent-encoded or raw.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from balansity.env import EnvReader
from balansity.settings.private_address import is_private_host
from balansity.settings.raw_address import decoded, split_login, unwrapped
from wording.web_address import NotAnAddress, one_host

_SCHEMES = {
    **dict.fromkeys(("redis", "valkey"), "redis"),
    **dict.fromkeys(("rediss", "valkeys", "redis+ssl", "redis+tls"), "rediss"),
    **dict.fromkeys(("unix", "redis+socket", "redis-socket", "redis+unix", "valkey+socket"), "unix"),
}
_WORDS = {
    **dict.fromkeys(("required", "cert_required", "true", "1"), "required"),
    **dict.fromkeys(("optional", "cert_optional"), "optional"),
    **dict.fromkeys(("none", "cert_none", "false", "0"), "none"),
}
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_OPTIONS = ("ssl_cert_reqs", "ssl_check_hostname", *_FILES)
# Each client's name for the number of the database.
_NUMBER = ("db", "virtual_host", "database")
# Of Node's clients: how to resolve names (both of ours try IPv4 and IPv6), and when to connect and to give up.
_FOREIGN = frozenset(
    ("family", "allowusernameinuri", "lazyconnect", "enablereadycheck", "maxretriesperrequest", "enableofflinequeue")
)
_DEFAULT_PORT = 6379
# An @ is a part of it only in the value of an option: else it ends a password.
_PLACE = re.compile(
    r"(?P<host>\[[0-9A-Fa-f:.]+(?:%\w+)?\]|[^\[\]:/?#@,\s]*)(?::(?P<port>[0-9]*))?"
    r"(?P<path>/[^?#@]*)?(?:\?(?P<query>(?:ssl_\w+=[^#]*)|[^#@]*))?"
)
_SHAPE = (
    "must be an address like redis://:password@host:6379/0, rediss://… or unix:///path/redis.sock: "
    "write / : @ # and ? in the password as %2F %3A %40 %23 and %3F"
)


class _Unusable(Exception):
    """What is wrong with the address, in words that repeat none of it."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """The address, taken apart and decoded. A socket has a path and no host."""

    scheme: str
    login: str
    host: str
    port: int
    path: str
    number: int
    options: Mapping[str, str]

    def url(self, options: Mapping[str, str] | None = None) -> str:
        """The spelling of redis-py."""
        asked = dict(options or {})
        if self.scheme == "unix":
            asked |= {"db": str(self.number)} if self.number else {}
            where = quote(self.path)
        else:
            where = f"{self.host}:{self.port}/{self.number}"
        return f"{self.scheme}://{self.login}{where}" + (f"?{urlencode(asked)}" if asked else "")


def redis_address(env: EnvReader, name: str) -> str:
    """Return the address in the variable `name` as redis-py takes it; problems and warnings are left with `env`.

    `rediss://` is verified unless the address says `ssl_cert_reqs=none`. The value is repeated in no message.
    """
    raw = env.text(name)
    if not raw:
        return ""
    try:
        parts = _take_apart(raw)
    except _Unusable as problem:
        env.problem(f"{name} {problem}")
        return ""
    if set(parts.options) - set(_OPTIONS):
        env.problem(f"{name} has an option that is not known here; known are {', '.join(_OPTIONS)}")
        return ""
    if parts.scheme == "rediss":
        return parts.url(_tls(env, name, parts.options))
    if parts.options:
        env.problem(f"{name} has options of TLS and begins with {parts.scheme}://: write rediss://")
    if not is_private_host(parts.host):
        env.warning(
            f"{name} leads through the internet without TLS, password and all: write rediss:// if the server offers it"
        )
    return parts.url()


def broker_address(url: str) -> str:
    """The same address as Celery takes it."""
    if not url.startswith("unix://"):
        return url
    return url.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=", 1)


def _take_apart(raw: str) -> _Parts:
    raw = unwrapped(raw)
    if raw.startswith("/"):
        raw = f"unix://{raw}"
    given, _, rest = raw.partition(":")
    scheme = _SCHEMES.get(given.lower())
    if scheme is None or not rest.startswith("/"):
        raise _Unusable(_wrong_scheme(given.lower(), rest))
    # One slash is enough for a socket.
    rest = rest.removeprefix("//") if rest.startswith("//") else rest
    return _socket(rest) if scheme == "unix" else _tcp(scheme, rest)


def _wrong_scheme(scheme: str, rest: str) -> str:
    if "sentinel" in scheme or "cluster" in scheme:
        return "must name one Redis by itself: neither Sentinel nor Cluster is supported"
    if scheme.startswith("rediss+") and rest.startswith("//"):
        return "names a socket and TLS, which a socket does not need: write unix:///path/redis.sock"
    if scheme in {"http", "https"}:
        return "must be the address that begins with rediss://, and not the one of the provider's REST API"
    return _SHAPE


def _tcp(scheme: str, rest: str) -> _Parts:
    user, password, place = split_login(rest, _PLACE)
    found = _PLACE.fullmatch(place)
    if found is None:
        many = "," in place and "@" not in place
        raise _Unusable("must name one host: neither Sentinel nor Cluster is supported" if many else _SHAPE)
    port = int(found["port"] or _DEFAULT_PORT)
    if not 0 < port <= 65535:
        raise _Unusable(_SHAPE)
    options = _options(found["query"] or "")
    in_path = unquote(found["path"] or "").strip("/")
    number = _number(in_path, options)
    return _Parts(scheme, _login(user, password), _host(found["host"] or "localhost"), port, "", number, options)


def _host(host: str) -> str:
    """In punycode. Names that can be none end in an error of Python's own codec, not of a client."""
    if "%" in host:
        # IPv6 with its zone.
        return host
    try:
        found = one_host(host)
    except NotAnAddress:
        raise _Unusable("has no name of a host that can be") from None
    return f"[{found}]" if ":" in found else found


def _socket(rest: str) -> _Parts:
    # A path begins with a slash, so a login is whatever stands in front of an @ and that.
    login, at, place = ("", "", rest) if rest.startswith("/") else rest.partition("@/")
    user, _, password = map(decoded, login.partition(":") if at else ("", "", ""))
    path, _, query = (f"/{place}" if at else place or login).partition("?")
    if not path.startswith("/") or path == "/":
        raise _Unusable("must name the socket by its whole path, with three slashes: unix:///run/redis/redis.sock")
    options = _options(query)
    login = _login(options.pop("username", user), options.pop("password", password))
    return _Parts("unix", login, "", 0, unquote(path), _number("", options), options)


def _login(user: str, password: str) -> str:
    if not (user or password):
        return ""
    return quote(user, safe="") + (f":{quote(password, safe='')}" if password else "") + "@"


def _options(query: str) -> dict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True)
    return {key: value for key, value in pairs if key.lower() not in _FOREIGN}


def _number(in_path: str, options: dict[str, str]) -> int:
    """The database's number, which is taken out of `options`."""
    said = {value for key in _NUMBER if (value := options.pop(key, "")) != ""} | ({in_path} if in_path else set())
    if not said:
        return 0
    number = next(iter(said))
    if len(said) > 1 or not re.fullmatch(r"[0-9]{1,6}", number):
        raise _Unusable("must end with the number of a database, and one only, as in redis://:password@host:6379/0")
    return int(number)


def _tls(env: EnvReader, name: str, options: Mapping[str, str]) -> dict[str, str]:
    word = _WORDS.get(options.get("ssl_cert_reqs", "required").lower())
    if word is None:
        env.problem(f"{name}: ssl_cert_reqs must be required, optional or none")
        word = "required"
    checked = options.get("ssl_check_hostname", "true").lower()
    if checked not in {"true", "false"}:
        env.problem(f"{name}: ssl_check_hostname must be true or false")
    tls = {"ssl_cert_reqs": word}
    if checked == "false" and word != "none":
        tls["ssl_check_hostname"] = "false"
    for option in _FILES:
        if option in options:
            if not os.access(options[option], os.R_OK):
                env.problem(f"{name}: the file of {option} cannot be read by the user of this process")
            tls[option] = options[option]
    if word == "none":
        env.warning(f"{name} takes any certificate (ssl_cert_reqs=none): name the right one with ssl_ca_certs=FILE")
    return tls


def with_password(address: str, password: str) -> str:
    """Put the password into an address that has none; one that names its own keeps that."""
    parts = urlsplit(address)
    if not password or "@" in parts.netloc or not parts.netloc:
        return address
    return urlunsplit(parts._replace(netloc=f":{quote(password, safe='')}@{parts.netloc}"))
