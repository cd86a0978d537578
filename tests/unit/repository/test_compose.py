"""The Compose file: each container with no more than it needs. No Docker is needed: it is read as Compose would."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from balansity.env import ConfigurationError
from balansity.settings.redis_address import with_password
from sandbox.packages import CHECKOUT
from tests.support.loaded_settings import MAIL, load_settings

OURS = ("web", "worker", "beat", "bridge", "migrate")
# In MB: what a process was seen to need, with its health check beside it.
NEEDS = {"web": 300, "worker": 106 + 2 * 400 + 106, "beat": 100, "bridge": 80 + 80, "redis": 256}


def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    return found


def mounts(service: dict[str, Any]) -> dict[str, str]:
    """Where what is mounted, by its place in the container."""
    short = [entry.split(":") for entry in service["volumes"] if isinstance(entry, str)]
    long = {entry["target"]: entry["source"] for entry in service["volumes"] if isinstance(entry, dict)}
    return long | {place: source for source, place, *_ in short}


@pytest.mark.parametrize("name", [*OURS, "redis"])
def test_a_container_has_no_right_of_root_and_writes_to_its_volumes_alone(name: str) -> None:
    service = services()[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert (service["read_only"], service["tmpfs"]) == (True, ["/tmp"])
    assert "privileged" not in service
    assert "cap_add" not in service


@pytest.mark.parametrize("name", NEEDS)
def test_a_container_may_take_the_memory_that_it_needs_and_not_the_machines(name: str) -> None:
    limit = int(services()[name]["mem_limit"].removesuffix("m"))
    assert NEEDS[name] < limit <= 3 * NEEDS[name]


def test_beat_and_redis_see_none_of_the_operators_secrets() -> None:
    for name in ("beat", "redis"):
        assert "./.env" not in mounts(services()[name]).values()
    for name in ("web", "worker", "bridge", "migrate"):
        assert mounts(services()[name])["/app/.env"] == "./.env"


def test_beat_starts_with_what_compose_gives_it(tmp_path: Path) -> None:
    given = {
        name: re.sub(r"\$\{\w+:-(\w+)\}", r"\1", value) for name, value in services()["beat"]["environment"].items()
    }
    password = tmp_path / "password"
    password.write_text("0a1b2c\n", encoding="utf-8")
    loaded = load_settings({**given, "REDIS_PASSWORD_FILE": str(password), "LOG_DIR": str(tmp_path)})
    assert loaded["CELERY_BROKER_URL"] == "redis://:0a1b2c@redis:6379/0"
    # Where its heart beats, which needs no database.
    assert loaded["REDIS_URL"] == loaded["CELERY_BROKER_URL"]
    assert not any(loaded[name] for name in ("YUKASSA_SECRET_KEY", "SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_JWT_SECRET"))


@pytest.mark.parametrize("variable", ["LOG_LEVEL", "LOG_FORMAT"])
def test_beat_writes_its_lines_as_the_others_do_into_the_same_files(variable: str) -> None:
    beat, bridge = services()["beat"], services()["bridge"]
    assert mounts(beat)["/app/logs"] == mounts(bridge)["/app/logs"]
    example = (CHECKOUT / ".env.example").read_text(encoding="utf-8")
    default = re.search(rf"^{variable}=(\w+)$", example, re.MULTILINE)
    assert default is not None
    assert beat["environment"][variable] == f"${{{variable}:-{default[1]}}}"


def test_redis_makes_a_password_that_nobody_can_guess_before_anybody_asks_it() -> None:
    redis = services()["redis"]
    *shell, script = redis["command"]
    assert shell == ["sh", "-c"]
    assert "head -c 32 /dev/urandom" in script
    # The image would keep it from the users of the other containers.
    assert "chmod 444 /data/password" in script
    assert "requirepass %s" in script
    # Whatever stands on the command line, all users of the host can see.
    assert re.search(r"^exec redis-server /tmp/redis.conf --dir /data$", script, re.MULTILINE)
    assert mounts(redis) == {"/data": "redis"}
    for name in OURS:
        service = services()[name]
        assert service["environment"]["REDIS_PASSWORD_FILE"] == "/run/redis/password"
        assert "redis:/run/redis:ro" in service["volumes"]
        # Its image owns the volume only if it is the first to mount it.
        assert service["depends_on"]["redis"] == {"condition": "service_healthy"}


def test_a_password_of_a_file_goes_into_an_address_without_one(tmp_path: Path) -> None:
    assert with_password("redis://redis:6379/0", "a/b@c") == "redis://:a%2Fb%40c@redis:6379/0"
    assert (
        with_password("rediss://redis:6380/1?ssl_cert_reqs=none", "a") == "rediss://:a@redis:6380/1?ssl_cert_reqs=none"
    )
    for kept in ("redis://:own@redis:6379/0", "unix:///run/redis.sock?db=0"):
        assert with_password(kept, "a") == kept
    assert with_password("redis://redis:6379/0", "") == "redis://redis:6379/0"


def test_a_password_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings({**MAIL, "REDIS_PASSWORD_FILE": str(tmp_path / "none")})
    assert caught.value.problems == [
        f"REDIS_PASSWORD_FILE names {tmp_path / 'none'}, which cannot be read: FileNotFoundError"
    ]
