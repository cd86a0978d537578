"""What the documents tell to run, to set and to look for is what the code has: a newcomer believes each word."""

import ast
import re
import shlex
from argparse import ArgumentParser
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml
from celery.schedules import crontab
from django import contrib
from django.conf import settings
from django.core.management import get_commands, load_command_class

from bridge.management.queue import verbs
from sandbox.dev.texts import CATALOGUE
from sandbox.packages import CHECKOUT, packages

DOCUMENTS = sorted(
    path.relative_to(CHECKOUT).as_posix() for path in [*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").rglob("*.md")]
)
# What was so at its time stays as it was written.
OF_TODAY = [name for name in DOCUMENTS if name != "CHANGELOG.md" and not name.startswith("docs/adr/0")]
READMES = ("README.md", "README.ru.md")


def read(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    """What stands below a heading, as far as the next one."""
    found = re.search(rf"^#+ {re.escape(heading)}$(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def without_blocks(text: str) -> str:
    return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)


def spans(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", without_blocks(text))


def block_lines(text: str) -> Iterator[str]:
    for block in re.findall(r"^ *```\w*\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL):
        yield from (line.partition("  #")[0].strip() for line in block.splitlines())


# --- commands ---

_MANAGE = re.compile(r"(?:manage\.py|\./dev manage) (.+)")


def told_to_run(name: str) -> set[str]:
    """What stands behind `manage.py` in a document; in tables and lists also without it, as `queue resume …`."""
    text = read(name)
    lines = [*block_lines(text), *spans(text)]
    whole = {found[1] for line in lines if (found := _MANAGE.search(line))}
    short = {line for line in spans(text) if line.partition(" ")[0] in ("queue", "requeue") and " " in line}
    # A program in the shell's quotes goes on in the next line.
    return {line for line in whole | short if not line.startswith("shell ")}


def understands(words: list[str]) -> ArgumentParser:
    """Who reads what stands behind a command of `manage.py`, or behind a verb of `queue`."""
    if words[0] != "queue":
        return load_command_class(get_commands()[words[0]], words[0]).create_parser("manage.py", words[0])
    parser = ArgumentParser()
    verbs()[words[1]].add_arguments(parser)
    return parser


@pytest.mark.parametrize("name", OF_TODAY)
def test_a_command_that_is_told_takes_what_is_told(name: str) -> None:
    for line in told_to_run(name):
        words = shlex.split(line)
        assert words[0] in get_commands(), line
        if words[0] == "queue" and len(words) == 1:
            continue
        if words[0] == "queue":
            assert words[1] in verbs(), line
        parser, taken = understands(words), words[2:] if words[0] == "queue" else words[1:]
        options = {*re.findall(r"--[a-z-]+", parser.format_help())}
        assert {word for word in taken if word.startswith("--")} <= options, line
        if any(word.endswith("_queue") for word in taken):
            # It ends the process, and names what is wrong, where it does not understand a word.
            parser.parse_args(taken)


def test_many_commands_are_told() -> None:
    told = {line for name in OF_TODAY for line in told_to_run(name)}
    assert len(told) > 30
    assert {"doctor --wait 60", "queue resume email_queue"} <= told


def test_alerts_name_commands_that_exist() -> None:
    named = re.findall(r"manage\.py ([a-z_]+(?: (?:status|resume|pause))?)", read("docs/monitoring/alerts.yml"))
    known = {*get_commands(), *(f"queue {verb}" for verb in verbs())}
    assert len(named) > 4
    assert [one for one in named if one not in known] == []


def test_the_verbs_of_dev_that_are_told_exist_and_each_is_explained() -> None:
    script = read("dev")
    cases = re.findall(r"^    ([a-z][a-z |-]*)\)$", script, re.MULTILINE)
    known = {verb for case in cases for verb in case.split(" | ") if not verb.startswith("-")}
    files = [CHECKOUT / name for name in DOCUMENTS]
    files += [path for folder in (*packages(), "sandbox") for path in (CHECKOUT / folder).rglob("*.py")]
    told = {verb for path in files for verb in re.findall(r"\./dev ([a-z]+)", path.read_text(encoding="utf-8"))}
    assert {"demo", "up", "manage", "lock"} <= told
    # What `./dev` by itself does.
    assert told - known - {"again", "starts", "unpacks"} == set()
    helped = {*re.findall(r"^  ([a-z]+)\b", script.partition("<<'END'")[2].partition("\nEND\n")[0], re.MULTILINE)}
    assert helped == known


def test_the_services_of_compose_that_are_told_exist() -> None:
    services = yaml.safe_load(read("docker-compose.yml"))["services"]
    lines = {line for name in DOCUMENTS for line in (*block_lines(read(name)), *spans(read(name)))}
    told = {line for line in lines if line.startswith("docker compose ")}
    assert len(told) > 10
    for line in told:
        _, _, verb, *words = [word for word in shlex.split(line.replace("--profile ", "--profile=")) if word[0] != "-"]
        # What stands behind that of `exec` and `run` is for the container, and a number of them is none.
        named = words[:1] if verb in ("exec", "run") else [word for word in words if "=" not in word]
        assert [word for word in named if word not in services] == [], line


# --- variables ---

OF_OTHERS = {"COMPOSE_DISABLE_ENV_FILE", "CERT_NONE", "CERT_REQUIRED", "INSTALLED_APPS"}
# The page about a new variable has one for its example; where the other stands one types an id.
MADE_UP = {"EMAIL_DAILY_LIMIT", "ASSESSMENT_ID"}


@pytest.mark.parametrize("name", OF_TODAY)
def test_a_variable_that_is_told_is_in_the_example(name: str) -> None:
    example = set(re.findall(r"^([A-Z0-9_]+)=", read(".env.example"), re.MULTILINE))
    told = {word for one in spans(read(name)) for word in re.findall(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b", one)}
    assert told - example - OF_OTHERS - MADE_UP == set()


# --- names and words ---


def test_the_table_of_the_clock_is_the_schedule_of_beat() -> None:
    table = section(read("docs/operations.md"), "What is done by the clock")
    told = {
        task: every.partition(",")[0]
        for task, every in re.findall(r"^\| `([\w.]+)` \| ([^|]+) \|", table, re.MULTILINE)
    }
    units = {"second": 1, "s": 1, "minute": 60, "minutes": 60, "hour": 3600, "day": 86400}
    seconds = {}
    for task, every in told.items():
        found = re.fullmatch(r"(?:(\d+) )?(\w+)", every)
        assert found, task
        seconds[task] = int(found[1] or 1) * units[found[2]]
    planned: dict[str, float] = {}
    for entry in settings.CELERY_BEAT_SCHEDULE.values():
        when = entry["schedule"]
        assert isinstance(when, float | crontab)
        planned.setdefault(str(entry["task"]), when if isinstance(when, float) else 86400)
    assert seconds == planned


def literals(*folders: str) -> Iterator[str]:
    """Each text that stands in the code; what is put into it when it runs is `…`."""
    for folder in folders:
        for path in (CHECKOUT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield re.sub(r"%(?:\(\w+\))?[sgdr]", "…", node.value)


@cache
def all_literals() -> str:
    return "\n".join(literals(*packages()))


@pytest.mark.parametrize("readme", READMES)
def test_what_one_is_told_to_look_for_is_what_is_said(readme: str) -> None:
    """The first column of the tables about trouble, in code quotes: output of a command, or a line of the log."""
    troubles = re.split(r"^## ", read(readme), flags=re.MULTILINE)[-1]
    cells = [line.split("|")[1] for line in troubles.splitlines() if line.startswith("| ")]
    told = [one for cell in cells for one in spans(cell) if re.match(r"[A-Za-z]+ \w+", one)]
    # Of Django and its file names.
    ours = [one for one in told if one != "Missing staticfiles manifest entry"]
    assert len(ours) > 9
    assert [one for one in ours if one.removesuffix(" …").removesuffix(": none") not in all_literals()] == []


def test_each_event_of_the_log_is_explained() -> None:
    lines = section(read("docs/operations.md"), "Log lines").partition("| `event` | what happened")[2]
    told = {event for cell in re.findall(r"^\| (`[^|]+) \|", lines, re.MULTILINE) for event in spans(cell)}
    code = "\n".join(
        path.read_text(encoding="utf-8") for name in packages() for path in (CHECKOUT / name).rglob("*.py")
    )
    said = {*re.findall(r'\bevent\("(\w+)"', code)}
    assert len(said) > 15
    assert said == told


def test_each_kind_of_finding_is_explained() -> None:
    table = section(read("docs/operations.md"), "Doctor").partition("| codes |")[2]
    told = {kind for cell in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE) for kind in spans(cell)}
    found = set()
    for name in packages():
        for path in sorted((CHECKOUT / name).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                match node:
                    case ast.Call(ast.Name("error" | "warning" | "info"), [ast.Constant(str(code)), _, *_]):
                        found.add(code.partition(".")[0])
    assert len(found) > 10
    assert found - told == set()


@cache
def russian() -> tuple[frozenset[str], str]:
    """All that the admin says: ours, and Django's own pages of the login and of accounts."""
    django = Path(contrib.__path__[0])
    files = [CHECKOUT / CATALOGUE, *(django / app / "locale/ru/LC_MESSAGES/django.po" for app in ("admin", "auth"))]
    said = [
        "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', entry)).replace('\\"', '"').lower()
        for file in files
        for entry in re.findall(r'^msgstr(?:\[\d\])? ((?:".*"\n?)+)', file.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    return frozenset(said), "\n".join(said)


# Names of pages in another case, of our own headings, and of a folder of other people's mail programs.
BENT = {"платежах", "письмах", "отчётах", "задачи не обрабатываются", "спам"}


@pytest.mark.parametrize("name", [*READMES, "docs/operations.md"])
def test_what_staff_are_told_to_press_stands_there(name: str) -> None:
    told = {one.lower() for one in re.findall(r"[«“]([^»”\n]*[а-яё][^»”\n]*)[»”]", read(name), re.IGNORECASE)}
    assert told
    assert told - russian()[0] - BENT == set()


def test_the_glossary_has_the_words_of_the_admin() -> None:
    rows = re.findall(r"^\| [^|]+ \| ([^|]*[а-яё][^|]*) \|", read("docs/glossary.md"), re.MULTILINE)
    assert len(rows) > 40
    assert [word for word in rows if word.lower() not in russian()[1]] == []


def test_a_section_that_the_code_sends_somebody_to_is_there() -> None:
    headings = {*re.findall(r"^#+ (.+)$", read("docs/operations.md"), re.MULTILINE)}
    files = [CHECKOUT / "CHANGELOG.md", CHECKOUT / ".env.example"]
    files += [path for name in packages() for path in (CHECKOUT / name).rglob("*.py")]
    told = {
        one
        for path in files
        for one in re.findall(r"docs/operations\.md`?, ([A-Z][a-z ]*[a-z])", path.read_text(encoding="utf-8"))
    }
    assert len(told) > 3
    assert told - headings == set()


# --- both languages ---


def paragraphs(text: str) -> Iterator[str]:
    """Each paragraph, each row of a table."""
    for block in re.split(r"\n\s*\n", without_blocks(text)):
        yield from block.splitlines() if block.startswith("|") else [block]


def facts(text: str) -> list[list[str]]:
    """Code, links and numbers: what needs no translation."""
    plain = re.sub(r"`[^`]+`|\]\([^)]+\)", "", text)
    numbers = re.findall(r"\d+", re.sub(r"(?<=\d)[ \u00a0.,](?=\d)", "", plain))
    return [sorted(found) for found in (spans(text), re.findall(r"\]\(([^)]+)\)", text), numbers)]


def test_both_readmes_tell_the_same_facts_in_each_paragraph() -> None:
    english = read("README.md").replace("(README.ru.md)", "(README.md)")
    russian_one = read("README.ru.md").replace("`имя:пароль`", "`name:password`")
    pairs = list(zip(paragraphs(english), paragraphs(russian_one), strict=True))
    assert len(pairs) > 150
    assert [(one, other) for one, other in pairs if facts(one) != facts(other)] == []
