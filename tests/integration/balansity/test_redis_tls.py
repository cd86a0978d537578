"""Redis over TLS: the broker's client, the counters of the limits and the cache see the same address alike."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pytest_django import Settings

from balansity.doctor.broker import look_at_broker
from balansity.env import EnvReader
from balansity.settings.redis_address import redis_address
from sandbox.services.authority import Authority, Identity
from tests.support.redis_clients import everyone
from tests.support.tls_relay import tls_relay


@pytest.fixture
def answers(broker_url: str, certificate: tuple[Path, Path], settings: Settings) -> Callable[..., set[bool]]:
    """Ask everyone at an address as people write it and the settings read it; our own certificate is shown there."""
    parts = urlsplit(broker_url)

    def ask(options: str, host: str = "127.0.0.1") -> set[bool]:
        with tls_relay(int(parts.port or 0), certificate, host=host) as port:
            env = EnvReader({"REDIS_URL": f"rediss://:{parts.password}@{host}:{port}{parts.path}{options}"})
            url = redis_address(env, "REDIS_URL")
            env.finish()
            return everyone(url, settings)

    return ask


@pytest.mark.parametrize("options", ["", "?ssl_cert_reqs=CERT_REQUIRED"])
def test_a_certificate_that_nobody_vouches_for_is_refused_by_all(
    answers: Callable[..., set[bool]], options: str
) -> None:
    assert answers(options) == {False}


@pytest.mark.parametrize("options", ["?ssl_cert_reqs=none", "?ssl_cert_reqs=CERT_NONE"])
def test_any_certificate_will_do_for_all_where_the_address_says_so(
    answers: Callable[..., set[bool]], options: str
) -> None:
    assert answers(options) == {True}


@pytest.mark.parametrize("word", ["", "&ssl_cert_reqs=CERT_REQUIRED"])
def test_a_certificate_of_our_own_is_believed_by_all(
    answers: Callable[..., set[bool]], certificate: tuple[Path, Path], word: str
) -> None:
    assert answers(f"?ssl_ca_certs={certificate[0]}{word}") == {True}


@pytest.mark.parametrize(("options", "believed"), [("", False), ("&ssl_check_hostname=false", True)])
def test_a_certificate_is_for_its_host(
    answers: Callable[..., set[bool]], certificate: tuple[Path, Path], options: str, believed: bool
) -> None:
    assert answers(f"?ssl_ca_certs={certificate[0]}{options}", host="127.0.0.2") == {believed}


def test_the_doctor_tells_a_certificate_of_ours_that_redis_does_not_take_from_one_of_its_own_that_we_do_not(
    broker_url: str, settings: Settings, tmp_path: Path
) -> None:
    authority, stranger, parts = Authority(tmp_path), Authority(tmp_path, "stranger"), urlsplit(broker_url)
    shown = authority.issue("redis")

    def codes(ours: Identity | None, *, believes: Path = authority.file) -> set[str]:
        own = f"&ssl_certfile={ours.certificate}&ssl_keyfile={ours.key}" if ours else ""
        options = f"ssl_cert_reqs=required&ssl_ca_certs={believes}{own}"
        with tls_relay(int(parts.port or 0), (shown.certificate, shown.key), believes=authority.file) as port:
            settings.REDIS_URL = f"rediss://:{parts.password}@127.0.0.1:{port}/0?{options}"
            return {finding.code for finding in look_at_broker()}

    ours = authority.issue("balansity")
    mixed = Identity(ours.certificate, authority.issue("other").key)
    assert codes(ours) == {"broker.not_persistent"}
    assert codes(None) == {"broker.own_certificate"}
    assert codes(stranger.issue("of-a-stranger")) == {"broker.own_certificate"}
    assert codes(authority.issue("ended", lasts=-timedelta(days=1))) == {"broker.own_certificate"}
    assert codes(mixed) == {"broker.certificate_files"}
    assert codes(Identity(ours.key, ours.key)) == {"broker.certificate_files"}
    assert codes(ours, believes=stranger.file) == {"broker.certificate"}
