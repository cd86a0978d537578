"""The sum of connections follows the settings, and is the one in the documents."""

import re

import pytest
from pytest_django import Settings

from bridge import budget
from sandbox.packages import CHECKOUT


def test_each_part_follows_its_settings(settings: Settings) -> None:
    settings.WEB_CONCURRENCY, settings.WEB_THREADS, settings.WEB_CONNECTIONS = 3, 8, 2
    settings.WORKER_CONCURRENCY = 4
    found = {part.process: part.connections for part in budget.parts(workers=2, bridges=2)}
    assert found == {"web": 6, "worker": 8, "bridge": 4, "beat": 0, "command": 1}
    assert budget.needed(workers=2, bridges=2) == 19


def test_threads_that_are_not_there_need_no_connection(settings: Settings) -> None:
    settings.WEB_CONCURRENCY, settings.WEB_THREADS, settings.WEB_CONNECTIONS = 2, 1, 4
    assert budget.parts()[0].connections == 2


def test_the_documents_have_the_numbers_of_the_defaults() -> None:
    text = (CHECKOUT / "docs" / "operations.md").read_text(encoding="utf-8")
    section = text.split("\n## Connections\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+?) \|[^|]*\| (\d+) \|", section, re.MULTILINE)
    documented = {name.split()[0].strip(","): int(number) for name, number in rows}
    found = {part.process: part.connections for part in budget.parts()}
    assert documented == {"web": found["web"], "worker": found["worker"], "bridge": found["bridge"], "beat": 0} | {
        "hearts": 0,
        "a": found["command"],
        "together": budget.needed(),
    }


@pytest.mark.parametrize(
    "words",
    [
        'FATAL:  too many connections for role "postgres"',
        'FATAL:  too many connections for database "postgres"',
        "FATAL:  sorry, too many clients already",
        "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
        "FATAL:  MaxClientsInSessionMode: max clients reached - in Session mode max clients are limited to pool_size",
        "FATAL:  (EMAXCONNSESSION) max clients reached in session mode - max clients are limited to pool_size: 15",
        "FATAL:  Max client connections reached",
        "FATAL:  no more connections allowed (max_client_conn)",
        "FATAL:  query_wait_timeout",
        "ВАЖНО:  извините, уже слишком много клиентов",
    ],
)
def test_a_refusal_for_want_of_places_is_told_from_others(words: str) -> None:
    assert budget.is_full(Exception(words))


@pytest.mark.parametrize(
    "words",
    [
        "FATAL:  the database system is starting up",
        'FATAL:  password authentication failed for user "postgres"',
        'connection to server at "127.0.0.1", port 5432 failed: Connection refused',
        "timeout expired",
    ],
)
def test_and_others_are_not_taken_for_it(words: str) -> None:
    assert not budget.is_full(Exception(words))


def test_what_is_to_be_done_names_the_sum_and_the_variables(settings: Settings) -> None:
    text = budget.explain_full(workers=3)
    assert f"up to {budget.needed(workers=3)} " in text
    assert "\n" not in text
    for name in ("WEB_CONNECTIONS", "WORKER_CONCURRENCY"):
        assert name in text
