from importlib import metadata

import pytest

from bridge.brief_redis import brief_redis


def test_a_connection_looks_nothing_up_among_the_installed_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """It took twice as long as all the rest of a connection, and each mistake at a door is counted over a new one."""
    monkeypatch.setattr(metadata, "version", lambda name: pytest.fail(f"{name} was looked up"))
    with brief_redis(0.1) as client:
        made = client.connection_pool.make_connection()
    assert made.driver_info.formatted_name == "redis-py"
    assert made.driver_info.lib_version == metadata.distribution("redis").version
