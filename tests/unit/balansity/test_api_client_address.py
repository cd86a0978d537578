"""Whose address counts: a header is believed as far as proxies of ours wrote it."""

from ipaddress import ip_network

import pytest

from balansity.api.client_address import client_address

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("192.0.2.7/32"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "203.0.113.5, 192.0.2.7, 10.9.9.9", "203.0.113.5"),
        # What the client wrote itself stands on the left and is not reached.
        ("10.0.0.1", "185.71.76.1, 203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "nonsense, 203.0.113.5, 10.0.0.2", "203.0.113.5"),
        # Somebody without a proxy of ours in front.
        ("203.0.113.5", "185.71.76.1", "203.0.113.5"),
        ("203.0.113.5", "185.71.76.1, 10.0.0.1", "203.0.113.5"),
        # A trusted proxy that forwards what nobody can read.
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.5, 1.2.3.4:99", "10.0.0.1"),
        ("10.0.0.1", ",,", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.5, , 10.0.0.2,", "203.0.113.5"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("::ffff:10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("fd00::1", "::ffff:203.0.113.5", "203.0.113.5"),
        ("", "203.0.113.5", ""),
    ],
)
def test_the_address_is_the_first_hop_that_we_do_not_trust(peer: str, forwarded: str, expected: str) -> None:
    assert client_address({"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded}, TRUSTED) == expected


def test_without_trusted_proxies_no_header_counts() -> None:
    assert client_address({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "203.0.113.5"}, ()) == "10.0.0.1"


def test_a_very_long_header_is_read_no_further_than_needed() -> None:
    meta = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "x," * 100_000 + "203.0.113.5"}
    assert client_address(meta, TRUSTED) == "203.0.113.5"
