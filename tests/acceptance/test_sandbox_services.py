"""Real services, started, killed and found again."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import psycopg2
import pytest
import redis
import requests

from sandbox.errors import SandboxError
from sandbox.packages import CHECKOUT
from sandbox.services.process import identity
from sandbox.services.sandbox import Sandbox, sweep
from tests.acceptance.forked_services import forked
from tests.acceptance.starter import start
from tests.acceptance.waiting import wait_until
from tests.support.clusters import copied_from
from tests.support.databases import DatabaseServer

SERVICES = {"mailbox", "broker", "postgres"}
STAND_INS = {"yookassa", "storage"}

# Holds a sandbox, whose cluster is a copy, and says when it runs.
HOLDER = """
import signal, time
from pathlib import Path
from sandbox.services.sandbox import Sandbox
from tests.support.clusters import copied_from
# Whoever runs the tests in the background of a shell ignores it, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
one = Sandbox("one", root=Path({root!r}), variables={{}}, durable=False, seed=False, stand_ins=True)
with copied_from(Path({cluster!r})), one:
    print("ready", flush=True)
    while True:
        time.sleep(0.1)
"""


@pytest.fixture
def quick(cluster: Path) -> Iterator[None]:
    """The sandboxes of this test are copies of one cluster, and their services in Python are forks."""
    with copied_from(cluster), forked():
        yield


@pytest.fixture
def holder(tmp_path: Path, cluster: Path) -> Iterator[ForkServerProcess]:
    """Another process that holds the sandbox `one` below `tmp_path`, in a process group of its own."""
    log = tmp_path / "holder.log"
    log.touch()
    code = HOLDER.format(root=str(tmp_path), cluster=str(cluster))
    process = start(["-c", code], dict(os.environ), folder=CHECKOUT, log=log)

    def ready() -> bool:
        assert process.exitcode is None, log.read_text(encoding="utf-8")
        return log.read_text(encoding="utf-8") == "ready\n"

    try:
        wait_until(ready, "it holds the sandbox")
        yield process
    finally:
        process.kill()
        process.join(30)
        sweep(tmp_path)


def sandbox(root: Path, name: str = "one", **options: bool) -> Sandbox:
    return Sandbox(name, root=root, variables={}, durable=False, seed=False, **options)


def running_services(root: Path, name: str = "one") -> dict[str, int]:
    """The pids of the services of a sandbox that run, by name, as its pid files tell them."""
    noted = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (root / name).glob("*.pid")}
    return {service: entry["pid"] for service, entry in noted.items() if identity(entry["pid"]) == entry["identity"]}


def gone(pids: dict[str, int]) -> bool:
    return all(identity(pid) is None for pid in pids.values())


def value(url: str, query: str) -> object:
    with closing(psycopg2.connect(url, connect_timeout=5)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(query)
        row = cursor.fetchone()
    return row[0] if row else None


@pytest.mark.usefixtures("quick")
def test_everything_runs_inside_the_block_and_nothing_after_it(tmp_path: Path) -> None:
    with sandbox(tmp_path) as running:
        environment = running.environment
        pids = running_services(tmp_path)
        assert set(pids) == SERVICES
        assert value(environment["DATABASE_URL"], "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
        with redis.Redis.from_url(environment["REDIS_URL"], socket_timeout=5) as client:
            assert client.ping()
    assert gone(pids)
    assert running_services(tmp_path) == {}


@pytest.mark.usefixtures("quick")
def test_stand_ins_come_with_it_where_they_are_asked_for_and_do_what_the_settings_need(tmp_path: Path) -> None:
    with sandbox(tmp_path, stand_ins=True) as running:
        environment = running.environment
        pids = running_services(tmp_path)
        assert set(pids) == SERVICES | STAND_INS
        account = (environment["YUKASSA_SHOP_ID"], environment["YUKASSA_SECRET_KEY"])
        shop = requests.get(f"{environment['YUKASSA_API_URL']}/me", auth=account, timeout=5)
        assert (shop.status_code, shop.json()["account_id"]) == (200, account[0])
        widget = requests.get(environment["YUKASSA_WIDGET_URL"], timeout=5)
        assert "YooMoneyCheckoutWidget" in widget.text
        assert settings_of(environment, tmp_path) == {
            "YUKASSA_API_URL": environment["YUKASSA_API_URL"],
            "reports": {
                "url": environment["SUPABASE_URL"],
                "service_key": environment["SUPABASE_SERVICE_ROLE_KEY"],
                "bucket": "reports",
            },
        }
    assert gone(pids)


def settings_of(environment: dict[str, str], tmp_path: Path) -> dict[str, object]:
    """What Django makes of an environment, as far as the stand-ins are concerned."""
    code = """
import json
from balansity import settings
reports = {name: settings.STORAGES["reports"]["OPTIONS"][name] for name in ("url", "service_key", "bucket")}
print(json.dumps({"YUKASSA_API_URL": settings.YUKASSA_API_URL, "reports": reports}))
"""
    output = tmp_path / "settings"
    process = start(["-c", code], {**os.environ, **environment}, folder=CHECKOUT, log=output)
    process.join(60)
    assert process.exitcode == 0, output.read_text(encoding="utf-8")
    found: dict[str, object] = json.loads(output.read_text(encoding="utf-8"))
    return found


@pytest.mark.usefixtures("quick")
def test_what_was_written_is_there_the_next_time_and_gone_with_a_fresh_start(tmp_path: Path) -> None:
    with sandbox(tmp_path) as first:
        with closing(psycopg2.connect(first.environment["DATABASE_URL"])) as connection, connection:
            connection.cursor().execute("INSERT INTO auth.users (email) VALUES ('anna@example.org')")
        (first.mail.directory / "note").touch()
    with sandbox(tmp_path) as second:
        assert value(second.environment["DATABASE_URL"], "SELECT count(*) FROM auth.users") == 1
    with sandbox(tmp_path, fresh=True, keep=False) as third:
        assert value(third.environment["DATABASE_URL"], "SELECT count(*) FROM auth.users") == 0
        assert not (third.mail.directory / "note").exists()
    assert not third.folder.exists()


@pytest.mark.usefixtures("quick")
def test_two_sandboxes_stand_side_by_side(tmp_path: Path) -> None:
    with sandbox(tmp_path, "one") as one, sandbox(tmp_path, "two") as two:
        differing = {"DATABASE_URL", "REDIS_URL", "SMTP_PORT", "SANDBOX_MAIL_URL", "SANDBOX_MAIL_DIR", "LOG_DIR"}
        assert {name for name in differing if one.environment[name] == two.environment[name]} == set()
        assert len({*running_services(tmp_path, "one").values(), *running_services(tmp_path, "two").values()}) == 6


def test_a_sandbox_that_runs_is_refused_to_a_second_owner_and_shown_to_a_reader(
    tmp_path: Path, holder: ForkServerProcess
) -> None:
    with pytest.raises(SandboxError, match=f"already running .process {holder.pid}"):
        sandbox(tmp_path).start()
    assert set(running_services(tmp_path)) == SERVICES | STAND_INS
    environment = sandbox(tmp_path).state.running_environment()
    assert environment is not None
    assert value(environment["DATABASE_URL"], "SELECT 1") == 1


@pytest.mark.usefixtures("quick")
def test_the_next_start_stops_what_a_killed_owner_left(tmp_path: Path, holder: ForkServerProcess) -> None:
    left = running_services(tmp_path)
    assert set(left) == SERVICES | STAND_INS
    holder.kill()
    holder.join(30)
    assert running_services(tmp_path) == left
    assert sandbox(tmp_path).state.running_environment() is None
    with sandbox(tmp_path) as again:
        assert gone(left)
        assert value(again.environment["DATABASE_URL"], "SELECT 1") == 1


def test_a_foreign_process_with_a_noted_number_is_spared(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "600"]) as bystander:
        folder = tmp_path / "one"
        folder.mkdir()
        noted = {"pid": bystander.pid, "identity": "another boot:1", "signal": signal.SIGTERM, "group": False}
        (folder / "broker.pid").write_text(json.dumps(noted), encoding="utf-8")
        sweep(tmp_path)
        assert bystander.poll() is None
        assert not (folder / "broker.pid").exists()
        bystander.kill()


def test_throwaway_sandboxes_of_killed_owners_are_removed(tmp_path: Path) -> None:
    abandoned = tmp_path / "test-1"
    abandoned.mkdir()
    (abandoned / "throwaway").touch()
    (tmp_path / "dev").mkdir()
    sweep(tmp_path)
    assert not abandoned.exists()
    assert (tmp_path / "dev").is_dir()


def test_ctrl_c_reaches_the_services_through_their_owner_alone(tmp_path: Path, holder: ForkServerProcess) -> None:
    pids = running_services(tmp_path)
    assert {os.getpgid(pid) for pid in pids.values()}.isdisjoint({os.getpgid(holder.pid or 0)})
    os.killpg(holder.pid or 0, signal.SIGINT)
    holder.join(60)
    assert holder.exitcode is not None
    assert gone(pids)


@pytest.mark.usefixtures("quick")
def test_a_failing_part_takes_the_others_down_with_it(tmp_path: Path) -> None:
    # A folder of this name is no password file: the broker cannot start.
    broken = sandbox(tmp_path)
    (tmp_path / "one" / "broker.password").mkdir(parents=True)
    with pytest.raises(OSError, match=r"broker\.password"):
        broken.start()
    assert running_services(tmp_path) == {}
    assert not broken.state.is_held()


# Real ones, of whoever sits at the terminal.
ACCOUNTS = {
    "YUKASSA_SHOP_ID": "514229",
    "YUKASSA_SECRET_KEY": "live_secret",
    "SUPABASE_URL": "https://project.supabase.co",
    "SUPABASE_SERVICE_ROLE_KEY": "service",
    "SUPABASE_JWT_SECRET": "the secret that signs the tokens of real people",
    "REPORTS_STORAGE": "supabase",
}


def test_services_named_in_the_environment_are_used_and_an_account_of_the_terminal_never_reaches_a_sandbox(
    tmp_path: Path, database_server: DatabaseServer, broker_url: str
) -> None:
    with database_server.empty() as url:
        variables = {"DATABASE_URL": url, "REDIS_URL": broker_url, **ACCOUNTS}
        with Sandbox("one", root=tmp_path, variables=variables, seed=True) as running:
            assert (running.environment["DATABASE_URL"], running.environment["REDIS_URL"]) == (url, broker_url)
            assert set(running_services(tmp_path)) == {"mailbox"}
            assert value(url, "SELECT seeded_at IS NOT NULL FROM sandbox.about") is True
            seen = {**ACCOUNTS, **running.environment}
            assert {name for name in ACCOUNTS if seen[name] == ACCOUNTS[name]} == set()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("name", "address"),
    [("DATABASE_URL", "postgres://a:b@127.0.0.1:1/c"), ("REDIS_URL", "redis://127.0.0.1:1/0")],
)
def test_a_named_service_that_cannot_be_reached_is_reported_by_name(tmp_path: Path, name: str, address: str) -> None:
    with pytest.raises(SandboxError, match=f"{name} names a .* that cannot be reached"):
        Sandbox("one", root=tmp_path, variables={name: address}, durable=False, seed=False).start()
    assert running_services(tmp_path) == {}


@pytest.mark.usefixtures("quick")
def test_a_killed_broker_of_a_running_sandbox_is_no_reason_not_to_stop(tmp_path: Path) -> None:
    with sandbox(tmp_path) as running:
        pids = running_services(tmp_path)
        os.kill(running.broker.pid, signal.SIGKILL)
        wait_until(lambda: identity(pids["broker"]) is None, "the broker is dead")
    assert gone(pids)
