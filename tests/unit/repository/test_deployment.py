"""What operators copy and start: the files name variables, commands and queues that exist."""

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery.app.amqp import AMQP
from django.apps import apps
from django.conf import settings
from django.core.management import get_commands

from balansity.celery import app, take_every_line
from balansity.processes import LINES
from bridge.queues import BUNDLE_SECONDS, registry
from sandbox.packages import CHECKOUT, missing_in_image, packages
from tests.acceptance import starter

SETTINGS_FILES = sorted(
    path.relative_to(CHECKOUT).as_posix() for path in (CHECKOUT / "balansity/settings").glob("*.py")
)
# Production refuses any other value than its default.
SANDBOX_ONLY = {"YUKASSA_API_URL"}
COMPOSE_ONLY = {"POSTGRES_PASSWORD"}
NEEDED = {
    "DATABASE_URL": "postgres://app:secret@db.example:5432/postgres",
    "SECRET_KEY": "k" * 50,
    "SMTP_HOST": "smtp.example",
    "SMTP_FROM": "hello@example.org",
}


def read(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


def example() -> dict[str, str]:
    lines = [line for line in read(".env.example").splitlines() if line and not line.startswith("#")]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def readings() -> Iterator[tuple[str, object]]:
    """Each `env.<kind>("NAME", default)` of the settings, also where a function of ours is given `env` and the name.

    The default is `None` where it is not a plain value.
    """
    for file in SETTINGS_FILES:
        for node in ast.walk(ast.parse(read(file))):
            if not isinstance(node, ast.Call):
                continue
            match node.func, node.args:
                case ast.Attribute(ast.Name("env"), kind), [name, *rest] if kind not in ("problem", "warning"):
                    default = rest[0].value if rest and isinstance(rest[0], ast.Constant) else None
                    read_as = None if kind == "required" else default
                case ast.Name(), [ast.Name("env"), name, *_]:
                    read_as = None
                case _:
                    continue
            if isinstance(name, ast.Constant):
                yield str(name.value), read_as
            else:
                # Inside such a function, whose callers are seen as well.
                assert isinstance(name, ast.Name), ast.unparse(node)


def shown(default: object) -> str:
    """Return a default of the code as people write it."""
    if isinstance(default, bool):
        return str(default).lower()
    return f"{default:g}" if isinstance(default, float) else str(default)


def service(name: str) -> str:
    """The lines of one service of the Compose file."""
    found = re.search(rf"^  {name}:\n((?:    .*\n|\n)+)", read("docker-compose.yml"), re.MULTILINE)
    assert found, f"there is no service {name}"
    return found[1]


def compose_command(name: str) -> list[str]:
    found = re.search(r"^    command: (\[.*\])$", service(name), re.MULTILINE)
    assert found, f"the service {name} has no command"
    return [str(word) for word in json.loads(found[1])]


def procfile() -> dict[str, list[str]]:
    return {
        name: shlex.split(command)
        for name, _, command in (line.partition(":") for line in read("Procfile").splitlines())
    }


def environment(variables: dict[str, str], tmp_path: Path) -> dict[str, str]:
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**keep, "LOG_DIR": str(tmp_path), **variables}


def run(command: list[str], variables: dict[str, str], tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run `python command` in a fork."""
    return starter.run(command, environment(variables, tmp_path), folder=CHECKOUT, scratch=tmp_path)


def run_anew(command: list[str], variables: dict[str, str], tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """The same by a new interpreter, as operators do: for one of each kind."""
    return subprocess.run(
        [sys.executable, *command],
        env=environment(variables, tmp_path),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_example_names_every_variable_that_is_read_and_no_other() -> None:
    read_ones = {name for name, _ in readings()}
    assert {"DATABASE_URL", "SMTP_PORT", "YUKASSA_NOTIFICATION_NETWORKS", "REPORTS_DIR", "TRUSTED_PROXIES"} <= read_ones
    assert set(example()) == (read_ones - SANDBOX_ONLY) | COMPOSE_ONLY


def test_the_defaults_in_the_example_are_those_of_the_code() -> None:
    values, compared = example(), set()
    for name, default in readings():
        if values.get(name) and default not in (None, ""):
            assert values[name] == shown(default), name
            compared.add(name)
    assert {"API_PORT", "WORKER_INTERVAL_MS", "LOG_LEVEL", "DEBUG"} <= compared


def test_the_example_carries_no_secret() -> None:
    secret = re.compile(r"KEY|SECRET|PASS|_USER$|SHOP_ID|DATABASE_URL|_FROM$")
    assert {name: value for name, value in example().items() if secret.search(name) and value} == {}


@pytest.mark.parametrize("readme", ["README.md", "README.ru.md"])
def test_the_readme_explains_every_variable_of_the_example(readme: str) -> None:
    rows = [line.split("|")[1] for line in read(readme).splitlines() if line.startswith("| `")]
    explained = {name for cell in rows for name in re.findall(r"`([A-Z0-9_]+)`", cell)}
    assert explained == set(example()) - COMPOSE_ONLY


def test_the_example_as_it_is_stops_the_start_and_names_what_to_fill_in(tmp_path: Path) -> None:
    done = run(["-c", "import balansity.settings"], {**example(), "LOG_DIR": str(tmp_path)}, tmp_path)
    assert done.returncode == 1
    assert sorted(line.split()[0] for line in done.stderr.splitlines()[1:]) == sorted(NEEDED)


def test_the_example_with_these_filled_in_starts(tmp_path: Path) -> None:
    variables = {**example(), **NEEDED, "LOG_DIR": str(tmp_path)}
    done = run(["-c", "import balansity.settings"], variables, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_gunicorn_reads_its_file_and_the_port(tmp_path: Path) -> None:
    variables = {**example(), **NEEDED, "API_PORT": "3917", "LOG_DIR": str(tmp_path)}
    done = run_anew(["-m", "gunicorn", "--print-config"], variables, tmp_path)
    assert done.returncode == 0, done.stderr
    shown = {
        name.strip(): value.strip() for name, _, value in (line.partition("=") for line in done.stdout.splitlines())
    }
    # Without Docker, nothing but the proxy of this machine reaches it.
    assert shown["bind"] == "['127.0.0.1:3917']"
    assert (shown["workers"], shown["forwarder_headers"]) == ("2", "[]")
    assert (shown["worker_class"], shown["control_socket_disable"], shown["accesslog"]) == ("gthread", "True", "None")


def test_gunicorn_listens_where_it_is_told_to(tmp_path: Path) -> None:
    variables = {**example(), **NEEDED, "API_HOST": "::1", "WEB_CONCURRENCY": "3", "LOG_DIR": str(tmp_path)}
    variables["WEB_THREADS"] = "7"
    done = run(["-m", "gunicorn", "--print-config"], variables, tmp_path)
    assert re.search(r"^bind += \['\[::1\]:3001'\]$", done.stdout, re.MULTILINE), done.stderr
    assert re.search(r"^workers += 3$", done.stdout, re.MULTILINE)
    assert re.search(r"^threads += 7$", done.stdout, re.MULTILINE)


def test_a_place_to_listen_that_is_none_is_named(tmp_path: Path) -> None:
    variables = {**example(), **NEEDED, "API_HOST": "everywhere:80", "LOG_DIR": str(tmp_path)}
    done = run(["-m", "gunicorn", "--check-config"], variables, tmp_path)
    assert done.returncode == 1
    assert (
        "API_HOST must be an address of this machine, like 127.0.0.1, 0.0.0.0 or ::1, not 'everywhere:80'"
        in done.stderr
    )


def test_the_image_alone_listens_to_others_and_compose_publishes_to_this_machine() -> None:
    assert re.findall(r"API_HOST=(\S+)", read("Dockerfile")) == ["0.0.0.0"]  # noqa: S104
    ports = re.findall(r'^      - "([^"]+:[^"]+)"$', service("web"), re.MULTILINE)
    assert [port.startswith("127.0.0.1:") for port in ports] == [True]


def test_gunicorn_stops_with_the_line_of_a_bad_variable(tmp_path: Path) -> None:
    variables = {**example(), **NEEDED, "API_PORT": "abc", "LOG_DIR": str(tmp_path)}
    done = run(["-m", "gunicorn", "--check-config"], variables, tmp_path)
    assert done.returncode == 1
    assert "API_PORT must be a whole number, not 'abc'" in done.stderr


@pytest.mark.parametrize("file", ["docker-compose.yml", "Procfile", "Dockerfile", "README.md", "docs/operations.md"])
def test_commands_of_django_that_are_named_exist(file: str) -> None:
    named = set(re.findall(r"manage\.py\"?,? \"?([a-z_]+)", read(file)))
    assert named
    assert named <= set(get_commands())


def test_whoever_starts_a_process_starts_it_by_the_one_line() -> None:
    lines = {name: [*line] for name, line in LINES.items()}
    assert procfile() == lines
    assert {name: compose_command(name) for name in lines} == lines
    processes = read("docs/operations.md").split("\n## Connections\n")[0]
    documented = dict(re.findall(r"^\| (\w+) \| `([^`]+)`", processes, re.MULTILINE))
    assert {name: shlex.split(line) for name, line in documented.items()} == lines
    [image] = re.findall(r"^CMD (\[.*\])$", read("Dockerfile"), re.MULTILINE)
    assert json.loads(image) == lines["web"]


def test_nobody_starts_a_process_by_words_of_their_own() -> None:
    own = re.compile(r'"celery", *"-A"|"-m", *"(celery|gunicorn)"|"manage.py", *"bridge_queues"')
    scripts = [path for folder in ("sandbox", "tests") for path in (CHECKOUT / folder).rglob("*.py")]
    assert len(scripts) > 100
    assert [str(path) for path in scripts if path != Path(__file__) and own.search(path.read_text("utf-8"))] == []


@pytest.fixture
def fresh_lines() -> Iterator[AMQP]:
    """What a worker takes, as before anybody chose."""
    del app.amqp.queues
    yield app.amqp
    del app.amqp.queues


def test_every_celery_queue_has_a_worker(fresh_lines: AMQP) -> None:
    # Without `-Q` it takes all that there are, also those that a package brings tomorrow.
    assert not {"-Q", "--queues", "-X", "--exclude-queues"} & set(compose_command("worker"))
    take_every_line(options={"queues": None})
    production = {queue.celery_queue for queue in registry}
    assert len(production) >= 4
    assert set(fresh_lines.queues.consume_from) == production | {settings.CELERY_TASK_DEFAULT_QUEUE}


def test_a_worker_with_lines_of_its_own_keeps_to_them(fresh_lines: AMQP) -> None:
    before = set(fresh_lines.queues.consume_from)
    take_every_line(options={"queues": "email"})
    assert set(fresh_lines.queues.consume_from) == before


def test_a_worker_is_given_the_time_to_finish_its_longest_task() -> None:
    grace = re.search(r"^    stop_grace_period: (\d+)s$", service("worker"), re.MULTILINE)
    limits = {name: default for name, default in readings() if name.endswith("_TASK_TIME_LIMIT")}
    assert limits.keys() >= {"EMAIL_TASK_TIME_LIMIT", "PAYMENT_TASK_TIME_LIMIT", "REPORT_TASK_TIME_LIMIT"}
    assert grace
    assert int(grace[1]) >= max(int(str(limit)) for limit in limits.values()) + BUNDLE_SECONDS + 5


def test_the_services_wait_for_services_that_exist() -> None:
    text = read("docker-compose.yml")
    services = set(re.findall(r"^  ([a-z]+):$", text.split("\nservices:\n")[1].split("\nvolumes:\n")[0], re.MULTILINE))
    waited_for = set(re.findall(r"^ +([a-z]+):\n +condition:", text, re.MULTILINE))
    assert services == {"web", "worker", "beat", "bridge", "migrate", "redis", "postgres"}
    assert waited_for == {"redis", "migrate", "postgres"}


@pytest.mark.parametrize("name", ["web", "worker", "beat", "bridge", "redis", "postgres"])
def test_every_service_that_stays_has_a_health_check(name: str) -> None:
    assert "    healthcheck:\n" in service(name)


def test_the_containers_read_the_file_themselves_and_compose_does_not() -> None:
    compose = read("docker-compose.yml")
    assert "env_file:" not in compose
    assert re.search(
        r"^    - type: bind\n      source: \./\.env\n      target: /app/\.env\n      read_only: true$",
        compose,
        re.MULTILINE,
    )
    assert re.search(r"^WORKDIR /app$", read("Dockerfile"), re.MULTILINE)


def test_no_unit_lets_systemd_read_the_file() -> None:
    assert not re.search(r"^EnvironmentFile=", read("docs/operations.md"), re.MULTILINE)


def test_the_image_takes_only_what_it_needs() -> None:
    rules = [line for line in read(".dockerignore").splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    taken = [rule[1:] for rule in rules if rule.startswith("!")]
    assert all((CHECKOUT / path).exists() for path in taken)
    assert not [path for path in taken if path.startswith((".", "tests", "logs", "sandbox"))]


def test_the_image_installs_hashed_requirements_and_runs_as_nobody_special() -> None:
    dockerfile = read("Dockerfile")
    assert re.findall(r"pip install (.*)", dockerfile) == [
        "--require-hashes --only-binary :all: --no-binary yookassa -r /build/requirements.txt"
    ]
    assert re.findall(r"^USER (\S+)$", dockerfile, re.MULTILINE) == ["balansity"]


def test_every_package_of_ours_is_in_the_image_and_compiled_there() -> None:
    compiled = re.search(r"compileall -q (.*)", read("Dockerfile"))
    assert {"balansity", "bridge", "notifications", "payments", "reports", "staff", "wording"} <= set(packages())
    assert compiled
    assert compiled[1] == "."
    assert missing_in_image() == []


def test_every_package_of_ours_is_installed() -> None:
    installed = {config.name for config in apps.get_app_configs()}
    # One that is not has no queue, no models and no texts, and nothing else fails.
    assert [f"{name}: add it to INSTALLED_APPS" for name in packages() if name not in installed] == []


def test_the_image_and_dev_install_the_same_libraries_for_reports() -> None:
    wanted = re.search(r'^PANGO="(.*)"$', read("dev"), re.MULTILINE)
    installed = re.search(r"apt-get install -y --no-install-recommends (.*) \\$", read("Dockerfile"), re.MULTILINE)
    assert wanted
    assert installed
    assert installed[1].split() == wanted[1].split()


def test_folders_that_the_service_writes_to_are_volumes_it_may_write_to() -> None:
    compose = read("docker-compose.yml")
    mounted = set(re.findall(r"^    - (?:\w+):(/app/\w+)$", compose, re.MULTILINE))
    owned = re.search(r"^RUN install -d -m 750 -o balansity -g balansity (.*)$", read("Dockerfile"), re.MULTILINE)
    assert owned
    assert mounted == set(owned[1].split()) == {"/app/logs", "/app/files"}


def test_static_files_can_be_collected_with_what_the_image_is_built_with(tmp_path: Path) -> None:
    # One way to match each word, or what does not match would be tried in all ways.
    found = re.search(
        r"^RUN ((?:\w+=\S*[ \\\n]+)+)python manage\.py (collectstatic --noinput)", read("Dockerfile"), re.MULTILINE
    )
    assert found
    variables = dict(word.split("=", 1) for word in shlex.split(found[1].replace("\\\n", " ")))
    command = ["manage.py", *found[2].split(), "--dry-run"]
    done = run_anew(command, {**dict.fromkeys(example(), ""), **variables, "LOG_DIR": str(tmp_path)}, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "static files copied" in done.stdout
