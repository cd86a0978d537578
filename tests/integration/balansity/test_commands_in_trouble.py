"""Every command ends what its surroundings do not do in one line with its remedy, whichever of both it is."""

import contextlib
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from django.core.management import get_commands
from django.db import connection, connections
from pytest_django import Settings

import manage
from balansity.postgres.refusals import refusals
from bridge.management.queue import verbs
from bridge.trouble.explanation import EXIT_CODE
from sandbox.mailbox import Mailbox
from sandbox.packages import packages
from sandbox.probe.apps import QUEUE
from tests.support.checked_code import code_checked_once
from tests.support.databases import ClonedDatabase, DatabaseServer
from tests.support.guests import Guest, django_as

# Ways to call the commands that ask Postgres; those of ours that stand here are all but the ones in `WITHOUT_POSTGRES`.
ASKING_POSTGRES = [
    ["bridge_queues", "--once"],
    ["bridge_queues", "--drain", "--queue", "email_queue"],
    ["queue_status"],
    ["queue_status", "--json"],
    ["queue_status", "--check"],
    ["queue", "status"],
    ["queue", "pause", QUEUE],
    ["queue", "resume", QUEUE],
    ["queue", "failures", QUEUE],
    ["queue", "failures", QUEUE, "--each", "--json"],
    ["queue", "requeue", QUEUE, "1"],
    ["queue", "requeue", QUEUE, "--all", "--rate", "10/s"],
    ["queue", "requeue", QUEUE, "--all", "--dry-run"],
    ["queue", "retry", QUEUE, "1"],
    ["queue", "retry", QUEUE, "--all"],
    ["queue", "discard", QUEUE, "1"],
    ["queue", "discard", QUEUE, "--all"],
    ["queue", "show", QUEUE, "1"],
    ["requeue", QUEUE, "1"],
    ["requeue", QUEUE, "--failed"],
    ["install_wakeup"],
    ["install_wakeup", "--remove"],
    ["migrate", "--verbosity", "0"],
    ["render_report", "a0000000-0000-4000-8000-000000000001"],
    ["createsuperuser", "--noinput", "--username", "x", "--email", "x@example.org"],
    ["showmigrations"],
    ["reset_second_factor", "nobody"],
]


def called(command: list[str]) -> str:
    """What it does: the verbs of `queue` are commands of their own."""
    return " ".join(command[:2]) if command[0] == "queue" else command[0]


# The first of each.
EACH = list({called(command): command for command in reversed(ASKING_POSTGRES)}.values())
# They say themselves what is wrong, and end otherwise, or have work without it.
WITHOUT_POSTGRES = {"doctor", "sendtestemail"}


LOG = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ")


@dataclass(frozen=True)
class Ended:
    code: int
    lines: list[str]


Run = Callable[..., Ended]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Run:
    """Run a command as the shell does. Whatever is raised but an exit would be a traceback there."""
    # The sandbox's mail server stands in this process, and logs what it cannot read byte by byte.
    caplog.set_level(logging.CRITICAL, "mail.log")

    def run(*command: str) -> Ended:
        monkeypatch.setattr("sys.argv", ["manage.py", *command])
        code = 0
        try:
            with code_checked_once():
                manage.main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        finally:
            connections.close_all()
        told = capsys.readouterr().err.splitlines()
        # Lines of the log go there as well, and are none of the answer.
        return Ended(code, [line for line in told if line and not LOG.match(line)])

    return run


@pytest.fixture
def guest(database: ClonedDatabase, database_server: DatabaseServer) -> Iterator[Guest]:
    """A role with the documented rights, which Django connects as."""
    guest = Guest(database, database_server)
    guest.arrive()
    try:
        with django_as(guest):
            yield guest
    finally:
        guest.leave()


def ours() -> set[str]:
    own = {*packages()}
    return {name for name, app in get_commands().items() if str(app).partition(".")[0] in own}


def test_each_command_of_ours_is_tried() -> None:
    assert ours() - WITHOUT_POSTGRES == {command for command, *_ in ASKING_POSTGRES} & ours()
    assert {f"queue {verb}" for verb in verbs()} <= {called(command) for command in ASKING_POSTGRES}


@contextlib.contextmanager
def changed(**values: str) -> Iterator[None]:
    settings = connection.settings_dict
    before = {name: settings[name] for name in values}
    connections.close_all()
    settings.update(values)
    try:
        yield
    finally:
        connections.close_all()
        settings.update(before)


@pytest.mark.parametrize(
    ("wrong", "cause", "remedy"),
    [
        ({"PASSWORD": "wrong"}, "Postgres refuses the user or the password of DATABASE_URL", "Copy the address"),
        ({"NAME": "nowhere"}, "The database that DATABASE_URL names does not exist", "Supabase's is postgres"),
        ({"PORT": "1"}, "Postgres does not answer", "look at host and port in DATABASE_URL"),
    ],
    ids=["password", "database", "away"],
)
def test_no_command_gets_in(
    database: ClonedDatabase, broker_url: str, run: Run, wrong: dict[str, str], cause: str, remedy: str
) -> None:
    with changed(**wrong):
        for command in ASKING_POSTGRES:
            ended = run(*command)
            assert ended.code == EXIT_CODE, command
            assert len(ended.lines) == 1, (command, ended)
            assert ended.lines[0].startswith(cause)
            assert remedy in ended.lines[0]


def test_no_connection_is_left(guest: Guest, broker_url: str, run: Run) -> None:
    guest.admin("ALTER ROLE {role} CONNECTION LIMIT 0")
    for command in EACH:
        ended = run(*command)
        assert (ended.code, len(ended.lines)) == (EXIT_CODE, 1), (command, ended)
        assert "too many connections" in ended.lines[0]
        assert "Traceback" not in ended.lines[0]


def test_nothing_may_be_written(guest: Guest, broker_url: str, run: Run) -> None:
    guest.admin("ALTER ROLE {role} SET default_transaction_read_only TO on")
    refused = {}
    for command in EACH:
        ended = run(*command)
        assert len(ended.lines) <= 1 or command[0] == "install_wakeup", (command, ended)
        refused[called(command)] = ended.code == EXIT_CODE
        if ended.code == EXIT_CODE:
            assert ended.lines[0].startswith("Postgres takes no writes now")
    assert refused["bridge_queues"]
    assert refused["queue pause"]
    assert not refused["queue_status"]
    assert not refused["queue status"]


CLOSED = {
    "our schema": "REVOKE USAGE ON SCHEMA balansity FROM {role}, PUBLIC",
    "pgmq": "REVOKE USAGE ON SCHEMA pgmq FROM {role}, PUBLIC",
    "the list of queues": "REVOKE ALL ON pgmq.meta FROM {role}, PUBLIC",
    "a queue": f"REVOKE ALL ON pgmq.q_{QUEUE}, pgmq.a_{QUEUE} FROM {{role}}",
}
GONE = {
    "our tables": "DROP SCHEMA balansity CASCADE; CREATE SCHEMA balansity; GRANT ALL ON SCHEMA balansity TO {role}",
    "pgmq": "DROP EXTENSION IF EXISTS pgmq CASCADE; DROP SCHEMA IF EXISTS pgmq CASCADE",
    "a queue": f"SELECT pgmq.drop_queue('{QUEUE}')",
}


@pytest.mark.parametrize("what", CLOSED)
def test_a_right_is_missing(guest: Guest, broker_url: str, run: Run, what: str) -> None:
    guest.admin(CLOSED[what])
    for command in EACH:
        check_told(command, run(*command))


@pytest.mark.parametrize("what", GONE)
def test_a_table_or_a_queue_is_missing(guest: Guest, broker_url: str, run: Run, what: str) -> None:
    guest.admin(GONE[what])
    for command in EACH:
        # It would mend what the others are to find.
        if command[0] != "migrate":
            check_told(command, run(*command))


def check_told(command: list[str], ended: Ended) -> None:
    """It did its work, or what can be done without; or it says in a line what is wrong."""
    assert not any("Traceback" in line for line in ended.lines), (command, ended)
    if ended.code == EXIT_CODE:
        assert len(ended.lines) == 1, (command, ended)
        (line,) = ended.lines
        assert line.startswith(
            ("The role of DATABASE_URL lacks a right", "A table is missing", "A column or a function is missing")
        ) or ("queue" in line or "row security" in line), (command, line)
    else:
        assert ended.code in {0, 1}, (command, ended)


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("redis://:wrong@127.0.0.1:{port}/0", "Redis refuses the user or the password of REDIS_URL"),
        ("redis://127.0.0.1:{port}/0", "Redis wants a password, and REDIS_URL has none"),
        ("redis://:{password}@127.0.0.1:{port}/9999", "Redis has no database of the number"),
        ("redis://127.0.0.1:1/0", "Redis does not answer"),
        ("redis+socket:///nowhere/redis.sock", "There is no socket where REDIS_URL looks for one"),
    ],
    ids=["password", "no password", "number", "away", "socket"],
)
def test_the_broker_does_not_do_its_part(
    database: ClonedDatabase, broker_url: str, run: Run, monkeypatch: pytest.MonkeyPatch, url: str, cause: str
) -> None:
    parts = urlsplit(broker_url)
    monkeypatch.setenv("CELERY_BROKER_URL", url.format(port=parts.port, password=parts.password))
    for command in (["bridge_queues", "--once"], ["bridge_queues", "--drain"]):
        ended = run(*command)
        assert (ended.code, len(ended.lines)) == (EXIT_CODE, 1), (command, ended)
        assert ended.lines[0].startswith(cause)
    ended = run("queue_status", "--check")
    assert ended.code == 1
    assert ended.lines[-1].startswith(f"CommandError: {cause}")
    assert run("queue_status", "--json").code == 0


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"EMAIL_PORT": 1}, "The mail server does not answer"),
        ({"EMAIL_HOST_USER": "u", "EMAIL_HOST_PASSWORD": "p"}, "The mail server has no encryption, or no login"),
        ({"EMAIL_USE_TLS": True}, "The mail server has no encryption, or no login"),
        ({"EMAIL_USE_SSL": True}, "The mail server does not answer"),
    ],
    ids=["away", "login", "starttls", "tls"],
)
def test_a_mail_is_tried(
    database: ClonedDatabase, mailbox: Mailbox, settings: Settings, run: Run, change: dict[str, object], cause: str
) -> None:
    for name, value in change.items():
        setattr(settings, name, value)
    ended = run("sendtestemail", "me@example.org")
    assert (ended.code, len(ended.lines)) == (EXIT_CODE, 1), ended
    assert cause in ended.lines[0]


def test_whoever_wants_the_traceback_gets_it(database: ClonedDatabase, run: Run) -> None:
    with changed(PORT="1"), pytest.raises(Exception, match="Connection refused"):
        run("queue_status", "--traceback")


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    yield
    refusals._refused.clear()
