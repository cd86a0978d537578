"""Whether a host lies in a network of our own, where a connection without TLS is no leak to the internet.

Decided by the spelling alone. Nothing is asked of DNS: an attacker on the way writes its answers, and settings must be
readable without a network. So a name that looks like one of the internet counts as public, wherever it leads.
"""

import re
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_PRIVATE_NETWORKS = tuple(
    ip_network(network)
    for network in (
        *("127.0.0.0/8", "::1/128", "0.0.0.0/32", "::/128"),  # This machine; connecting to 0.0.0.0 leads to it, too.
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
        *("169.254.0.0/16", "fe80::/10"),  # Link-local.
        "100.64.0.0/10",  # Carrier-grade NAT, which VPNs between servers use.
    )
)
# Names that never lead into the internet: RFC 6761, 6762 with its appendix G, 8375, and ICANN's `internal`.
_PRIVATE_SUFFIXES = frozenset(
    ("localhost", "localdomain", "local", "internal", "intranet", "private", "corp", "home", "lan", "home.arpa")
)
# What IDNA takes for a dot.
_DOTS = re.compile("[.\u3002\uff0e\uff61]")


def is_private_host(host: str) -> bool:
    """Return whether `host` is a socket, this machine, or in a network of our own.

    `host` is one name, address (brackets and a zone are fine) or path of a socket, without port. Names of one label,
    such as `db` between containers, are private; every other name is public unless its suffix is reserved.
    """
    host = host.strip()
    if host == "" or host[0] in "/@":
        return True
    address = _address(host.removeprefix("[").removesuffix("]"))
    if address is not None:
        return any(address in network for network in _PRIVATE_NETWORKS)
    labels = _DOTS.split(host.lower())
    if labels[-1] == "":
        # `ai.` is a name of the internet, as the dot at its end says.
        labels.pop()
        if len(labels) == 1 and labels[0] not in _PRIVATE_SUFFIXES:
            return False
    return len(labels) == 1 or labels[-1] in _PRIVATE_SUFFIXES or ".".join(labels[-2:]) in _PRIVATE_SUFFIXES


def _address(host: str) -> IPv4Address | IPv6Address | None:
    """The address that `host` spells, in any way that the system understands (`127.1`, `0x7f000001`, `2130706433`)."""
    try:
        address = ip_address(host)
    except ValueError:
        try:
            return IPv4Address(socket.inet_aton(host))
        except (OSError, ValueError):
            return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
