"""Reads the process environment into typed values, and says in one line each what is wrong with it.

Names and defaults are those of the Node worker that this project replaces, so an old `.env` keeps working.
Every problem is collected before anything is reported: an operator mends the file once, not once a start.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from wording.typed import read_number, read_whole
from wording.web_address import WEB, NotAnAddress, WebAddress, one_host

T = TypeVar("T")
N = TypeVar("N", int, float)

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
# Whose value is a secret, by its name; and whose address carries one.
_SECRET = re.compile(r"(?:^|_)(?:KEY|SECRET|PASS|PASSWORD|TOKEN|DSN)$")


class ConfigurationError(Exception):
    """The environment cannot be used; `str()` of it is one readable line a problem."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class EnvReader:
    """Typed access to one mapping of environment variables.

    An empty variable counts as not set, as `docker compose` passes `NAME=` for a variable that nobody filled in.
    A reader never raises: it remembers the problem, returns the default, and `finish()` raises for all of them.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._problems: list[str] = []
        self._read: set[str] = set()
        self._hidden: set[str] = set()
        self.warnings: list[str] = []

    def problem(self, line: str) -> None:
        self._problems.append(line)

    def warning(self, line: str) -> None:
        """Remember what works and should not stay as it is."""
        self.warnings.append(line)

    def finish(self) -> None:
        """Raise `ConfigurationError` when anything that was read so far is bad or missing."""
        if self._problems:
            raise ConfigurationError(self._problems)

    def secrets(self) -> Iterator[str]:
        """What was read so far and must stand in no log: values of keys and passwords, passwords within addresses."""
        yield from self._hidden
        for name in self._read:
            value = self._raw(name)
            if _SECRET.search(name):
                yield value
            # By hand: an address that cannot be read has its password all the same.
            user, _, _ = value.rpartition("@")
            _, found, password = user.partition("://")[2].partition(":")
            if found:
                yield from {password, unquote(password)}

    def text(self, name: str, default: str = "") -> str:
        return self._raw(name) or default

    def verbatim(self, name: str) -> str:
        """Return a password as it stands there: a space at its beginning or end is a part of it."""
        return self._variables.get(name, "").strip("\r\n") if self._raw(name) else ""

    def key(self, name: str) -> str:
        """Return a key of some service, which travels in a header: there is no place there for a letter of ours."""
        value = self._raw(name)
        if not (value.isascii() and value.isprintable() and " " not in value):
            self.problem(f"{name} has a character that no key has, as a letter of another alphabet: copy it once more")
        return value

    def secret_file(self, name: str) -> str:
        """Return what the file holds that the variable names; nothing where it names none."""
        path = self._raw(name)
        if not path:
            return ""
        try:
            secret = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            self.problem(f"{name} names {path}, which cannot be read: {type(error).__name__}")
            return ""
        self._hidden.add(secret)
        return secret

    def required(self, name: str, why: str) -> str:
        value = self._raw(name)
        if not value:
            self.problem(f"{name} is not set: {why}")
        return value

    def integer(self, name: str, default: int, *, least: int = 0, most: int = 2**31 - 1) -> int:
        value = self._parse(name, default, _whole, "a whole number")
        return self._within(name, value, default, least, most)

    def number(self, name: str, default: float, *, least: float, most: float) -> float:
        value = self._parse(name, default, _number, "a number")
        return self._within(name, value, default, least, most)

    def boolean(self, name: str, default: bool) -> bool:
        return self._parse(name, default, _boolean, "true or false")

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        def parse(raw: str) -> str:
            if raw.lower() not in choices:
                raise ValueError
            return raw.lower()

        return self._parse(name, default, parse, "one of " + ", ".join(choices))

    def url(self, name: str, default: str, schemes: tuple[str, ...]) -> str:
        def parse(raw: str) -> str:
            parts = urlsplit(raw)
            if parts.scheme not in schemes or not (parts.hostname or parts.path):
                raise ValueError
            return raw

        # The value is not repeated: such an address may carry a password.
        expected = "an address that starts with " + " or ".join(f"{scheme}://" for scheme in schemes)
        return self._parse(name, default, parse, expected, secret=True)

    def secret_address(self, name: str, schemes: tuple[str, ...] = WEB) -> str:
        """Return an address that is itself a secret, as whoever knows it may use it; nothing where there is none."""
        value = self.url(name, "", schemes)
        if value:
            parts = urlsplit(value)
            self._hidden.update({value, parts.path.strip("/"), parts.query} - {""})
        return value

    def web_address(self, name: str, default: str, schemes: tuple[str, ...] = WEB, *, with_query: bool = False) -> str:
        """One address of the web, in the spelling that browsers use: punycode, no usual port, no slash at the end."""
        raw = self._raw(name) or default
        if len(_addresses(raw)) > 1:
            self.problem(f"{name} names several addresses: leave the one that is meant")
            return default
        return self._web_address(name, raw, schemes, with_query=with_query) or default

    def web_addresses(self, name: str, default: str) -> tuple[str, ...]:
        """As `web_address`, for one or more of them, each once."""
        raw = self._raw(name) or default
        found = [self._web_address(name, address, WEB) for address in _addresses(raw)]
        return tuple(dict.fromkeys(filter(None, found))) or (default,)

    def host(self, name: str, default: str) -> str:
        """The name or IP address of a server, in punycode, without a port."""
        raw = self._raw(name) or default
        try:
            return one_host(raw) if raw else ""
        except NotAnAddress:
            self.problem(f"{name} must be the name of a host, like mail.example.org, without a port, not {raw!r}")
            return default

    def words(self, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        raw = self._raw(name)
        return tuple(word.strip() for word in raw.split(",") if word.strip()) if raw else default

    def _web_address(self, name: str, raw: str, schemes: tuple[str, ...], *, with_query: bool = False) -> str:
        try:
            return str(WebAddress.parse(raw, schemes=schemes, with_query=with_query)) if raw else ""
        except NotAnAddress as error:
            self.problem(f"{name} {error}")
            return ""

    def _raw(self, name: str) -> str:
        self._read.add(name)
        return self._variables.get(name, "").strip()

    def _parse(self, name: str, default: T, parse: Callable[[str], T], expected: str, *, secret: bool = False) -> T:
        raw = self._raw(name)
        if not raw:
            return default
        try:
            return parse(raw)
        except ValueError:
            seen = "" if secret else f", not {raw!r}"
            self.problem(f"{name} must be {expected}{seen}")
            return default

    def _within(self, name: str, value: N, default: N, least: float, most: float) -> N:
        if least <= value <= most:
            return value
        self.problem(f"{name} must be between {least} and {most}, not {value}")
        return default


def _addresses(raw: str) -> list[str]:
    """What people write who have several: with commas or semicolons between them, or nothing but spaces."""
    return re.split(r"[,;\s]+(?=\w+:/)", raw.strip(" \t,;"))


def is_bindable(host: str) -> bool:
    """Whether a server can listen there: an IP address without brackets, or localhost."""
    try:
        return host == "localhost" or bool(ip_address(host))
    except ValueError:
        return False


def _boolean(raw: str) -> bool:
    word = raw.lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError


def _whole(raw: str) -> int:
    number = read_whole(raw.removeprefix("-"))
    if number is None:
        raise ValueError
    return -number if raw.startswith("-") else number


def _number(raw: str) -> float:
    number = read_number(raw)
    if number is None:
        raise ValueError
    return float(number)
