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


@pytest.mark.parametrize(
    ("hop", "address"),
    [
        # Azure's gateways and load balancers, HAProxy, IIS.
        ("185.71.76.1:51234", "185.71.76.1"),
        ("[2a02:5180::1]:443", "2a02:5180::1"),
        ("[2a02:5180::1]", "2a02:5180::1"),
        ('"185.71.76.1"', "185.71.76.1"),
        ('"185.71.76.1:443"', "185.71.76.1"),
        ('"[2a02:5180::1]:443"', "2a02:5180::1"),
        ("2A02:5180:0:0:0:0:0:1", "2a02:5180::1"),
        ("[::ffff:185.71.76.1]:80", "185.71.76.1"),
        ("::FFFF:185.71.76.1", "185.71.76.1"),
        ("[fe80::1%eth0]:80", "fe80::1"),
        ("fe80::1%25eth0", "fe80::1"),
        ("\t185.71.76.1 ", "185.71.76.1"),
        # The last group of a bare address is a group.
        ("2a02:5180::1:443", "2a02:5180::1:443"),
    ],
)
def test_a_hop_is_read_in_every_spelling_of_proxies(hop: str, address: str) -> None:
    for header in (hop, f"185.71.76.99, {hop}", f"{hop}, 10.0.0.2:8080"):
        assert client_address({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": header}, TRUSTED) == address


@pytest.mark.parametrize(
    "hop",
    [
        *(
            "nonsense",
            "unknown",
            "_hidden",
            "for=185.71.76.1",
            "185.71.76.1:",
            "185.71.76.1:http",
            "185.71.76.1:123456",
        ),
        *(
            "185.71.76",
            "185.71.076.1",
            "185.71.76.1/32",
            "[185.71.76.1",
            "[2a02:5180::1",
            "2a02:5180::1]",
            "[]",
            "[]:80",
        ),
        *('"', '""', '"185.71.76.1', "'185.71.76.1'", "185.71.76.1 evil", "185.71.76.1;10.0.0.2", "http://185.71.76.1"),
        *("[2a02:5180::1]443", "1:2:3:4:5:6:7:8:443", "[185.71.76.1]:80:80", "185.71.76.1:80:80", "３.3.3.3", "%eth0"),
    ],
)
def test_what_is_no_hop_makes_nobody_of_yookassas(hop: str) -> None:
    assert client_address({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": hop}, TRUSTED) == "10.0.0.1"
    # Nor does it hide who came last.
    behind = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": f"{hop}, 203.0.113.5:1"}
    assert client_address(behind, TRUSTED) == "203.0.113.5"


@pytest.mark.parametrize(
    "name", ["HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_CF_CONNECTING_IP", "HTTP_TRUE_CLIENT_IP", "HTTP_X_CLIENT_IP"]
)
def test_no_other_header_names_the_client(name: str) -> None:
    meta = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "203.0.113.5", name: "for=185.71.76.1"}
    assert client_address(meta, TRUSTED) == "203.0.113.5"
    assert client_address(meta | {name: "185.71.76.1", "HTTP_X_FORWARDED_FOR": ""}, TRUSTED) == "10.0.0.1"
