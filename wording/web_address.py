"""Web addresses and names of hosts in one spelling: the one that browsers put on the wire.

People write Cyrillic letters or punycode, capitals, letters taken apart (NFD), a dot or a slash at the end, the usual
port. Two addresses that are one are equal only when both came through here.
"""

import posixpath
import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import SplitResult, quote, urlsplit

import idna

WEB = ("https", "http")
_USUAL_PORTS = {"https": 443, "http": 80}
_LONGEST_HOST = 253
# Names between containers have underscores, which no name of the internet has.
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
# What browsers take for an IPv4 address, in whichever of its spellings.
_NUMERIC = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)")
_SAFE_IN_PATH = "/%:@!$&'()*+,;=~-._"


class NotAnAddress(ValueError):
    """`str()` of it is what stands behind the name of a variable, and repeats no value: "has a port that is none"."""


@dataclass(frozen=True, slots=True)
class WebAddress:
    """`port` is `None` where it is the usual one; `path` is empty or begins with a slash and ends with none."""

    scheme: str
    host: str
    port: int | None
    path: str = ""
    query: str = ""

    @classmethod
    def parse(cls, text: str, *, schemes: tuple[str, ...] = WEB, with_query: bool = False) -> "WebAddress":
        """Read an absolute address; raises `NotAnAddress`. Nobody's name, and no query where none is asked for."""
        text = text.strip()
        if not text.isprintable() or " " in text or "\\" in text:
            raise NotAnAddress("has signs that stand in no address")
        try:
            parts = urlsplit(text)
        except ValueError:
            raise NotAnAddress("has no name of a host that can be") from None
        if parts.scheme not in schemes or not text[len(parts.scheme) :].startswith("://"):
            raise NotAnAddress("must be an address that starts with " + " or ".join(f"{each}://" for each in schemes))
        if "@" in parts.netloc:
            raise NotAnAddress("carries a user or a password before @: leave them out")
        if parts.fragment or "#" in text or (not with_query and "?" in text):
            raise NotAnAddress("ends with ?… or #…: leave that out")
        host = one_host(parts.hostname or "")
        port = _port(parts)
        port = None if port == _USUAL_PORTS.get(parts.scheme) else port
        return cls(parts.scheme, host, port, _one_path(parts.path), parts.query)

    @property
    def netloc(self) -> str:
        """As in the header `Host`."""
        return self.bracketed if self.port is None else f"{self.bracketed}:{self.port}"

    @property
    def bracketed(self) -> str:
        """The host as addresses have it: IPv6 in brackets."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def origin(self) -> str:
        """As in the header `Origin`."""
        return f"{self.scheme}://{self.netloc}"

    def __str__(self) -> str:
        return f"{self.origin}{self.path}" + (f"?{self.query}" if self.query else "")


def one_host(host: str) -> str:
    """Return the name or the IP address in one spelling, IPv6 without brackets; raises `NotAnAddress`."""
    host = host.strip()
    if ":" in host and "%" not in host:
        try:
            return str(IPv6Address(host.removeprefix("[").removesuffix("]")))
        except ValueError:
            raise NotAnAddress("has no name of a host that can be") from None
    try:
        host = _ascii(host)
        if _NUMERIC.fullmatch(host):
            return str(IPv4Address(socket.inet_aton(host)))
    except (OSError, ValueError):
        raise NotAnAddress("has no name of a host that can be") from None
    if len(host) > _LONGEST_HOST or not _NAME.fullmatch(host):
        raise NotAnAddress("has no name of a host that can be")
    return host


def same_host(host: str) -> str:
    """As `one_host`; what can be no host comes back in lower case, so it equals nothing but itself."""
    try:
        return one_host(host)
    except NotAnAddress:
        return host.strip().lower()


def _ascii(host: str) -> str:
    """Punycode, as UTS 46 makes it in browsers; raises `UnicodeError`."""
    if not host.isascii():
        # By labels: those in ASCII may have underscores, of which IDNA knows nothing.
        labels = idna.uts46_remap(host, std3_rules=False).split(".")
        host = ".".join(label if label.isascii() else idna.alabel(label).decode() for label in labels)
    return host.lower().removesuffix(".")


def _port(parts: SplitResult) -> int | None:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise NotAnAddress("has a port that is none")
    return port


def _one_path(path: str) -> str:
    """Without a slash at the end, empty steps and dots, which a browser would follow."""
    path = re.sub("%[0-9a-fA-F]{2}", lambda found: found[0].upper(), quote(path, safe=_SAFE_IN_PATH))
    path = posixpath.normpath("/" + path.strip("/"))
    return "" if path == "/" else path
