"""Whose notifications are taken."""

from collections.abc import Sequence
from ipaddress import ip_address

import pytest
from freezegun import freeze_time

from bridge.seldom import HourlyCount
from payments.webhook.sender import Network, is_trusted, sender_address
from tests.support.loaded_settings import MAIL, load_settings


@pytest.fixture(scope="module")
def networks() -> Sequence[Network]:
    """What production takes for the provider's by itself."""
    found: Sequence[Network] = load_settings(MAIL)["YUKASSA_NOTIFICATION_NETWORKS"]
    return found


@pytest.mark.parametrize(
    "address",
    [
        *("185.71.76.0", "185.71.76.31", "185.71.77.1", "77.75.153.127", "77.75.154.128", "77.75.154.255"),
        *("77.75.156.11", "77.75.156.35", "2a02:5180::1", "2a02:5180:ffff::1", "::ffff:185.71.76.1"),
    ],
)
def test_the_providers_addresses_are_trusted(address: str, networks: Sequence[Network]) -> None:
    assert is_trusted(sender_address({"REMOTE_ADDR": address}), networks)


@pytest.mark.parametrize(
    "address",
    [
        *("185.71.76.32", "185.71.75.255", "77.75.153.128", "77.75.154.127", "77.75.156.12", "77.75.156.34"),
        *("2a02:5181::1", "127.0.0.1", "::1", "10.0.0.1", "::ffff:10.0.0.1"),
    ],
)
def test_their_neighbours_and_everybody_else_are_not(address: str, networks: Sequence[Network]) -> None:
    assert not is_trusted(sender_address({"REMOTE_ADDR": address}), networks)


@pytest.mark.parametrize("address", ["", "unix:", "185.71.76.1:443", "185.71.76.1, 10.0.0.1", "YooKassa"])
def test_what_is_no_address_is_nobodys(address: str, networks: Sequence[Network]) -> None:
    assert sender_address({"REMOTE_ADDR": address}) is None
    assert not is_trusted(None, networks)


def test_the_address_behind_our_proxies_goes_before_the_connections() -> None:
    meta = {"REMOTE_ADDR": "10.0.0.1", "CLIENT_ADDRESS": "185.71.76.1", "HTTP_X_FORWARDED_FOR": "1.2.3.4"}
    assert sender_address(meta) == ip_address("185.71.76.1")


def test_strangers_are_counted_by_the_hour() -> None:
    with freeze_time("2026-11-24 10:59:00") as clock:
        count = HourlyCount()
        assert [count.next() for _ in range(3)] == [1, 2, 3]
        clock.move_to("2026-11-24 11:00:00")
        assert count.next() == 1
