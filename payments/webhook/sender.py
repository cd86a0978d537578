"""Who sent a notification: one of the provider's addresses, or a stranger whose notifications are bounded."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# For each process that serves the web. Whoever floods us fills no disk: neither the journal nor the log.
MOST_STORED_AN_HOUR = 50
MOST_LOGGED_AN_HOUR = 10
LOGGED_THEN_EVERY = 1000


def sender_address(meta: Mapping[str, Any]) -> Address | None:
    """The address behind our own proxies, where a middleware found that out, else the one of the connection."""
    try:
        address = ip_address(meta.get("CLIENT_ADDRESS") or meta.get("REMOTE_ADDR") or "")
    except ValueError:
        # A server behind a unix socket knows no address at all.
        return None
    # A socket for both families reports an IPv4 peer as ::ffff:185.71.76.1.
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def is_trusted(address: Address | None, networks: Sequence[Network]) -> bool:
    """Whether the address is in one of the networks. This keeps noise away; the proof is what the API says."""
    return address is not None and any(address in network for network in networks)
