"""The doctor names what is wrong in a set-up like production's, whatever it is, and nothing where nothing is."""

import json
import logging
from collections.abc import Iterator

import pytest
from django.core import checks
from django.test import Client
from pytest_django import DjangoDbBlocker

from balansity.doctor.examination import Examination, examine
from tests.acceptance.processes import Child
from tests.support.checked_code import code_checked_once
from tests.support.databases import DatabaseServer
from tests.support.misconfigurations import TABLE, Wrong
from tests.support.network import PUBLIC
from tests.support.production import Production, production

# What hangs there hangs for ever.
LONGEST_SECONDS = 30


@pytest.fixture(scope="module")
def running(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker
) -> Iterator[Production]:
    with django_db_blocker.unblock(), production(database_server, tmp_path_factory.mktemp("production")) as made:
        yield made


def grave(examination: Examination) -> set[str]:
    return {finding.code for finding in examination.findings if finding.level >= checks.WARNING}


def looked_at(running: Production, wrong: Wrong) -> tuple[Examination, dict[str, str | None]]:
    variables = {**wrong.variables, **wrong.changed(running)}
    running.renew_heartbeat()
    with running.used(variables, wrong.beside(running)), wrong.around(running), code_checked_once():
        return examine(), variables


@pytest.mark.timeout(600)
def test_each_of_many_mistakes_is_named_and_no_secret_is(running: Production, caplog: pytest.LogCaptureFixture) -> None:
    """In one test, as the set-up is one: nothing is found, then each mistake by itself, then nothing again."""
    caplog.set_level(logging.DEBUG)
    nothing = Wrong("nothing is wrong", "")
    faults = []
    for wrong in (nothing, *TABLE, nothing):
        found, variables = looked_at(running, wrong)
        told, codes = "\n".join(map(str, found.findings)), grave(found)
        if codes - wrong.also != {wrong.code} - {""}:
            faults.append(f"{wrong.name}: {wrong.code} expected, found\n{told}")
        assert found.seconds < LONGEST_SECONDS
        secrets = {*running.secrets, *filter(None, (variables.get(name) for name in SECRETS))}
        assert [secret for secret in secrets if secret in told + caplog.text] == [], wrong.name
        caplog.clear()
    assert faults == [], "\n".join(faults)


def test_it_is_ready_when_all_runs(running: Production) -> None:
    running.renew_heartbeat()
    with running.used():
        answer = Client(SERVER_NAME=PUBLIC).get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready"), answer.json()


def command(running: Production, *arguments: str, **variables: str) -> Child:
    """The real command, in a process with production's own settings."""
    beside = {
        "BALANSITY_ENV": "production",
        "DJANGO_SETTINGS_MODULE": "tests.support.production_settings",
        "REPORTS_STORAGE": "auto",
        "EMAIL_PROVIDER": "smtp",
        "SMTP_SECURITY": "auto",
        "YUKASSA_API_URL": "",
        "STAND_IN_YOOKASSA": running.yookassa.api_url,
        "STAND_IN_STATIC": running.beside["STATIC_ROOT"],
    }
    return running.fleet.command("doctor", *arguments, **{**beside, **running.variables, **variables})


def test_the_command_ends_in_time_with_a_line_for_each_fault_and_an_exit_code(running: Production) -> None:
    running.renew_heartbeat()
    hanging = {
        "DATABASE_URL": running.variables["DATABASE_URL"].replace(f":{running.port}/", f":{running.silent}/"),
        "REDIS_URL": f"redis://:pw-That-Hangs-77@127.0.0.1:{running.silent}/0",
        "SMTP_PORT": str(running.silent),
        "SUPABASE_URL": f"https://127.0.0.1:{running.silent}",
        "API_BASE_URL": f"https://{PUBLIC}:{running.silent}",
        "SMTP_PASS": "pw-That-Is-Wrong-77",
        "STAND_IN_YOOKASSA": f"http://127.0.0.1:{running.silent}/v3",
    }
    unusable = {"SECRET_KEY": "k" * 9, "REDIS_URL": "redis://:pw-That-Is-Wrong-77@h:none/0", "SMTP_FROM": "nobody"}
    healthy, hung, unread = (
        command(running, "--json"),
        command(running, "--json", **hanging),
        command(running, **unusable),
    )
    assert healthy.await_end() == 0, healthy.text
    assert json.loads(healthy.text.splitlines()[-1])["ok"] is True
    assert hung.await_end() == 1
    told = json.loads(hung.text.splitlines()[-1])
    assert told["seconds"] < LONGEST_SECONDS
    assert {finding["code"] for finding in told["findings"] if finding["level"] != "info"} == {
        *("postgres.away", "broker.away", "mail.no_answer", "payments.unreachable"),
        *("supabase.unreachable", "reports.storage_unreachable", "address.unreachable"),
    }
    assert unread.await_end() == 1
    for name in unusable:
        assert [line for line in unread.text.splitlines() if line.startswith(name)], unread.text
    logs = "".join(path.read_text(encoding="utf-8") for path in (running.folder / "logs").glob("*.log"))
    everything = healthy.text + hung.text + unread.text + logs
    secrets = {*running.secrets, "pw-That-Hangs-77", "That-Is-Wrong-77", "k" * 9}
    assert [secret for secret in secrets if secret in everything] == []


SECRETS = ("SECRET_KEY", "SMTP_PASS", "YUKASSA_SECRET_KEY", "SUPABASE_SERVICE_ROLE_KEY")
