"""A logical dump lacks queues that belong to the extension; with the documented steps it has them."""

import io
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from django.core.management import call_command
from django.db import connection
from pytest_django import DjangoDbBlocker

from bridge.extension import DETACH, owned_by_extension
from bridge.pgmq import pgmq_queue, queue_names
from bridge.status import read_status
from bridge.wakeup import Method, installed_method
from sandbox.packages import CHECKOUT
from sandbox.services.postgres import program
from tests.support.databases import DatabaseServer, django_on
from tests.support.pgmq_extension import empty_database, prepare_with_extension, write_extension

QUEUE = "email_queue"


def documented(kind: str) -> list[str]:
    """The blocks of code in what docs/operations.md says of backups."""
    text = (CHECKOUT / "docs" / "operations.md").read_text(encoding="utf-8")
    section = text.split("\n## Backups\n")[1].split("\n## ")[0]
    return re.findall(rf"^```{kind}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def run(line: str, folder: Path, **variables: str) -> None:
    name, *rest = line.split()
    words = [variables.get(word.strip('"$'), word) for word in rest]
    words = [re.sub(r'"\$(\w+)"', lambda found: variables[found[1]], word) for word in words]
    done = subprocess.run([program(name), *words], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(params=["1.4.4", "1.5.1"])
def extended(
    request: pytest.FixtureRequest, database_server: DatabaseServer, django_db_blocker: DjangoDbBlocker, tmp_path: Path
) -> Iterator[str]:
    """A database with that extension and our tables. Django uses it."""
    write_extension(tmp_path, request.param)
    with django_db_blocker.unblock(), empty_database(database_server, tmp_path) as url:
        prepare_with_extension(url, request.param)
        with django_on(url.rpartition("/")[2]):
            call_command("migrate", verbosity=0)
            call_command("install_wakeup", stdout=io.StringIO())
            yield url


def dump(url: str, folder: Path) -> str:
    """What the documents say, and what a reader of the dump would see."""
    dumping, _ = documented("sh")[0].splitlines()
    run(dumping, folder, DATABASE_URL=url)
    run("pg_restore --file=readable.sql balansity.dump", folder)
    return (folder / "readable.sql").read_text(encoding="utf-8")


def test_with_the_documented_steps_a_dump_has_the_queues_and_a_bridge_drains_what_is_restored(
    extended: str, database_server: DatabaseServer, tmp_path: Path
) -> None:
    queue = pgmq_queue(QUEUE)
    kept = [queue.send({"n": n}) for n in range(3)]
    (delivery,) = queue.read(limit=1, lease=1)
    done = delivery.msg_id
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.archive(%s, %s)", [QUEUE, done])
    undumped = owned_by_extension()
    assert undumped is not None
    assert {f"q_{QUEUE}", f"a_{QUEUE}"} <= {*undumped.tables}
    told = io.StringIO()
    call_command("queue_status", stdout=told)
    assert "pg_dump leaves out" in told.getvalue()
    assert f"q_{QUEUE}" not in dump(extended, tmp_path)

    detaching, listing = documented("sql")
    assert detaching.strip() == DETACH
    with closing(psycopg2.connect(extended)) as owner, owner, owner.cursor() as cursor:
        cursor.execute(detaching)
    assert owned_by_extension() is None
    assert read_status().undumped is None
    # Whoever is running goes on.
    assert installed_method(QUEUE) is Method.TRIGGER
    kept.append(queue.send({"n": 4}))
    assert f"q_{QUEUE}" in dump(extended, tmp_path)

    _, restoring = documented("sh")[0].splitlines()
    with empty_database(database_server, tmp_path) as restored:
        run(restoring, tmp_path, NEW_DATABASE_URL=restored)
        with closing(psycopg2.connect(restored)) as owner, owner, owner.cursor() as cursor:
            cursor.execute(listing)
        with django_on(restored.rpartition("/")[2]):
            assert QUEUE in queue_names()
            assert installed_method(QUEUE) is Method.TRIGGER
            assert pgmq_queue(QUEUE).counts().total == 3
            assert pgmq_queue(QUEUE).archived_since(hours=1)
            call_command("bridge_queues", "--once", "--queue", QUEUE)
            assert pgmq_queue(QUEUE).counts().in_line == 3
            # Its numbers go on where they were.
            assert pgmq_queue(QUEUE).send({}) > max(kept)
