"""How a process starts with the environment it was given: with a readable line, or not at all."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from celery import current_app

from sandbox.packages import CHECKOUT
from tests.acceptance import starter
from tests.support.databases import ClonedDatabase
from tests.support.loaded_settings import MAIL, NEEDED, load_settings, problems_of

PRODUCTION = {**NEEDED, **MAIL}


def start(
    tmp_path: Path, variables: dict[str, str], then: str = "print('started')"
) -> subprocess.CompletedProcess[str]:
    """Load the settings in a process of their own, from a copy of nothing but the code."""
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environment = {**keep, "DJANGO_SETTINGS_MODULE": "balansity.settings", "LOG_DIR": str(tmp_path), **variables}
    command = ["-c", f"import django; django.setup(); {then}"]
    return starter.run(command, environment, folder=CHECKOUT, scratch=tmp_path)


def test_production_starts_with_what_it_needs(tmp_path: Path) -> None:
    done = start(tmp_path, PRODUCTION)
    assert (done.returncode, done.stdout) == (0, "started\n"), done.stderr


def test_an_address_made_for_a_driver_of_node_is_understood() -> None:
    url = f"{PRODUCTION['DATABASE_URL']}?pgbouncer=true&connection_limit=1&sslmode=require"
    options = load_settings({**PRODUCTION, "DATABASE_URL": url})["DATABASES"]["default"]["OPTIONS"]
    assert "sslmode" in options
    assert "pgbouncer" not in options


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"DEBUG": "true"}, "DEBUG must be off in production"),
        ({"SECRET_KEY": ""}, "SECRET_KEY is not set"),
        ({"SECRET_KEY": "sandbox-only-secret-key-that-production-refuses"}, "SECRET_KEY is a placeholder"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY is a placeholder or shorter"),
        ({"DATABASE_URL": ""}, "DATABASE_URL is not set"),
        ({"DATABASE_URL": "mysql://root:geheim@x/y"}, "DATABASE_URL must be an address"),
        ({"REDIS_URL": ""}, "REDIS_URL is not set"),
        ({"WORKER_INTERVAL_MS": "abc"}, "WORKER_INTERVAL_MS must be a whole number, not 'abc'"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL must be one of debug, info, warn, error"),
        ({"BRIDGE_DELAY_SCALE": "0.1"}, "BRIDGE_DELAY_SCALE is for the sandbox"),
        ({"BALANSITY_ENV": "staging"}, "BALANSITY_ENV must be one of production, sandbox"),
        ({"EMAIL_PROVIDER": "console"}, "EMAIL_PROVIDER"),
        ({"EMAIL_PROVIDER": "resend"}, "RESEND_API_KEY is not set"),
        ({"SMTP_HOST": ""}, "SMTP_HOST is not set"),
        ({"SUPABASE_URL": "http://supabase.example.com"}, "SUPABASE_URL must start with https://"),
        ({"API_PORT": "99999"}, "API_PORT must be between 1 and 65535"),
    ],
)
def test_production_refuses_to_start_and_names_the_variable(change: dict[str, str], line: str) -> None:
    problems = problems_of({**PRODUCTION, **change})
    assert [problem for problem in problems if line in problem], problems
    assert "geheim" not in str(problems)


def test_all_problems_come_at_once_one_line_each(tmp_path: Path) -> None:
    done = start(tmp_path, {"WORKER_INTERVAL_MS": "abc", "SMTP_PASS": "geheim"})
    lines = done.stderr.splitlines()
    assert done.returncode == 1
    assert lines[0] == "The configuration cannot be used:"
    named = {line.split()[0] for line in lines[1:]}
    assert named >= {"SECRET_KEY", "DATABASE_URL", "REDIS_URL", "WORKER_INTERVAL_MS", "SMTP_FROM", "SMTP_USER"}
    assert "Traceback" not in done.stderr
    assert "geheim" not in done.stderr


def test_a_variable_that_several_parts_use_is_named_once() -> None:
    problems = problems_of({**PRODUCTION, "SUPABASE_URL": "ftp://supabase.example.com", "FRONTEND_URL": "example.com"})
    assert sorted(problem.split()[0] for problem in problems) == ["FRONTEND_URL", "SUPABASE_URL"]


def test_the_probe_is_refused_outside_the_sandbox(tmp_path: Path) -> None:
    done = start(tmp_path, {**PRODUCTION, "DJANGO_SETTINGS_MODULE": "sandbox.probe.settings"})
    assert done.returncode == 1
    assert "The probe is for the sandbox" in done.stderr


OLD_FILE = """\
# Brought along from the Node worker.
export SECRET_KEY = 'kkkkkkkkkkkkkkkkkkkkkkkkk#kkkkkkkkkkkkkkkkkkkkkkkk' # signs sessions
DATABASE_URL=postgres://app:geheim@db.example:5432/postgres
REDIS_URL: redis://redis.example:6379/0
SMTP_HOST=smtp.example
SMTP_FROM=`hello@example.org`
SMTP_USER=hello
SMTP_PASS=" p#ss word "
SUPABASE_JWT_SECRET="secret#secret secret secret secret " # of Supabase
"""
SHOW = (
    "from django.conf import settings as s; print([s.EMAIL_HOST_PASSWORD, s.SUPABASE_JWT_SECRET, s.SECRET_KEY[-25:]])"
)


def written(file: str, folder: Path) -> Path:
    """It is called as it stands beside the code; with a BOM, and the ends of lines of another system."""
    (folder / ".env").write_text(file, encoding="utf-8-sig", newline="\r\n")
    return folder / ".env"


def test_an_old_file_means_what_it_meant_to_node(tmp_path: Path) -> None:
    """In a process of its own, which takes the file that lies beside the code: here beside a copy of that."""
    written(OLD_FILE, tmp_path)
    shutil.copytree(CHECKOUT / "balansity", tmp_path / "balansity", ignore=shutil.ignore_patterns("locale", "static"))
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    # The other packages come from where they are. What a fork has loaded would look for the file beside itself.
    environment = {**keep, "DJANGO_SETTINGS_MODULE": "balansity.settings", "PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-c", SHOW]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == f"{[' p#ss word ', 'secret#secret secret secret secret ', '#' + 'k' * 24]}\n", done.stderr


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    loaded = load_settings({"SMTP_PASS": "other", "SUPABASE_JWT_SECRET": ""}, file=written(OLD_FILE, tmp_path))
    assert (loaded["EMAIL_HOST_PASSWORD"], loaded["SUPABASE_JWT_SECRET"]) == ("other", "")
    assert loaded["SECRET_KEY"].endswith("#" + "k" * 24)


def test_a_line_of_the_file_that_says_nothing_stops_the_start_with_its_number_alone(tmp_path: Path) -> None:
    file = written(OLD_FILE + "SMTP PASS=geheim\n", tmp_path)
    assert problems_of({}, file=file) == [".env, line 10: neither NAME=value nor a comment (# …)"]


def test_a_worker_replaces_children_that_have_grown() -> None:
    assert current_app.conf.worker_max_memory_per_child == 400 * 1024
    assert current_app.conf.beat_scheduler == "balansity.celery.schedule_file:SturdyScheduler"


LOOK_AROUND = "from balansity.start import look_around; look_around(); look_around()"


def test_a_way_without_tls_in_our_own_network_is_one_warning_at_the_start(
    tmp_path: Path, database: ClonedDatabase
) -> None:
    done = start(
        tmp_path, {**PRODUCTION, "DATABASE_URL": database.url, "SUPABASE_URL": "http://kong:8000"}, LOOK_AROUND
    )
    assert done.returncode == 0, done.stderr
    text = done.stdout + done.stderr
    assert text.count("the way to Postgres has no TLS") == 1
    assert "SUPABASE_URL starts with http://" in text


def test_a_way_without_tls_that_is_meant_is_none(tmp_path: Path, database: ClonedDatabase) -> None:
    done = start(tmp_path, {**PRODUCTION, "DATABASE_URL": f"{database.url}?sslmode=disable"}, LOOK_AROUND)
    assert done.returncode == 0, done.stderr
    assert "way to Postgres" not in done.stdout + done.stderr


def test_a_server_that_has_no_tls_is_named_with_the_way_out(tmp_path: Path, database: ClonedDatabase) -> None:
    # As a public host has it by itself.
    done = start(tmp_path, {**PRODUCTION, "DATABASE_URL": f"{database.url}?sslmode=require"}, LOOK_AROUND)
    assert "end DATABASE_URL with ?sslmode=disable" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
