import pytest

from balansity.settings.private_address import is_private_host


@pytest.mark.parametrize(
    "host",
    [
        *("", "/var/run/postgresql", "/tmp", "@abstract"),
        *("127.0.0.1", "127.8.8.8", "127.1", "0x7f000001", "2130706433", "0.0.0.0", "::1", "[::1]", "::"),  # noqa: S104
        *("10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.5", "::ffff:10.0.0.1", "fd12:3456::1", "[fc00::1]"),
        *("169.254.1.1", "fe80::1%eth0", "100.64.0.1", "100.127.255.255", " 10.0.0.1 "),
        *(
            "db",
            "postgres",
            "supabase-db",
            "localhost",
            "LOCALHOST",
            "localhost.",
            "app.localhost",
            "localhost.localdomain",
        ),
        *("host.docker.internal", "db.svc.cluster.local", "db.lan", "nas.home.arpa", "DB.Internal"),
    ],
)
def test_sockets_this_machine_and_networks_of_our_own_are_private(host: str) -> None:
    assert is_private_host(host)


@pytest.mark.parametrize(
    "host",
    [
        *("8.8.8.8", "1.1.1.1", "172.15.0.1", "172.32.0.1", "192.169.0.1", "100.63.0.1", "100.128.0.1", "11.0.0.1"),
        # The spellings of 8.8.8.8 that getaddrinfo understands: no name of a container.
        *("134744072", "0x08080808", "8.2056", "010.8.8.8", "::ffff:8.8.8.8"),
        # Written for documents and benchmarks, and routed by nobody: not ours either.
        *("203.0.113.5", "192.0.2.1", "198.18.0.1", "2001:db8::1"),
        *("2606:4700::1111", "[2606:4700::1111]", "64:ff9b::a00:1", "2002:a00:1::1"),
        *("db.abcdefgh.supabase.co", "aws-0-eu-central-1.pooler.supabase.com", "supabase.beget.app", "пример.рф"),
        *(
            "ai.",
            "localhost.evil.example",
            "10.0.0.1.nip.io",
            "127.0.0.1.evil.example",
            "evil\u3002example",
            "local.com",
        ),
    ],
)
def test_everything_else_is_public(host: str) -> None:
    assert not is_private_host(host)
