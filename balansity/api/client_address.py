"""The address of the client behind the proxies that we trust, as `request.META["CLIENT_ADDRESS"]`.

From `X-Forwarded-For` alone: a proxy that writes it passes on what a stranger wrote into `Forwarded`, `X-Real-IP` or
`CF-Connecting-IP`, so whoever believed several would let strangers choose.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

Network = IPv4Network | IPv6Network

# As Azure, HAProxy and others write a hop: with a port, and IPv6 in brackets. A bare IPv6 has no port that one could
# tell from its last group.
_IPV4 = re.compile(r"([0-9.]+)(?::[0-9]{1,5})?")
_IPV6 = re.compile(r"\[([0-9a-fA-F:.]+)(?:%[^\[\]]*)?\](?::[0-9]{1,5})?|([0-9a-fA-F:.]+)(?:%.*)?")


class ClientAddressMiddleware:
    """Sets `request.META["CLIENT_ADDRESS"]`; no header can, as those arrive under names that begin with `HTTP_`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.META["CLIENT_ADDRESS"] = client_address(request.META, settings.TRUSTED_PROXIES)
        return self._get_response(request)


def client_address(meta: Mapping[str, Any], trusted: Sequence[Network]) -> str:
    """Return the address nearest to us that is none of `trusted`; the outermost one when all of them are.

    Each proxy appends the peer it saw to `X-Forwarded-For`, so only what stands right of the first untrusted hop is
    worth anything, and what a client wrote there itself is never reached. A header that cannot be read up to that hop
    is ignored, and the peer of the connection returned: nobody gets more rights by it.
    """
    peer = str(meta.get("REMOTE_ADDR", ""))
    hop = _parse(peer)
    if hop is None:
        return peer
    for word in reversed(str(meta.get("HTTP_X_FORWARDED_FOR", "")).split(",")):
        if not _is_trusted(hop, trusted):
            return str(hop)
        if not word.strip():
            continue
        before = _parse(word.strip())
        if before is None:
            return peer
        hop = before
    return str(hop)


def _parse(word: str) -> IPv4Address | IPv6Address | None:
    if len(word) > 1 and word[0] == word[-1] == '"':
        word = word[1:-1].strip()
    found = _IPV4.fullmatch(word) or _IPV6.fullmatch(word)
    if found is None:
        return None
    try:
        # Without its zone, which says something on the proxy's machine alone.
        address = ip_address(next(filter(None, found.groups())))
    except ValueError:
        return None
    # A socket for both families reports an IPv4 peer as ::ffff:10.0.0.1, which no IPv4 network would hold.
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_trusted(address: IPv4Address | IPv6Address, trusted: Sequence[Network]) -> bool:
    return any(address in network for network in trusted)
