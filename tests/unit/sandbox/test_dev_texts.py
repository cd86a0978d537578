"""`./dev texts` and what `./dev check` says of the catalogue, on a small checkout of its own."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from sandbox.dev import texts
from sandbox.errors import SandboxError
from tests.acceptance import starter

CODE = """
from django.utils.translation import gettext, ngettext

TITLE = gettext("Balance")
MANY = ngettext("%(number)s otter", "%(number)s otters", 2) % {"number": 2}
"""
PAGE = '{% load i18n %}<h1>{% translate "Overview" %}</h1>'
CATALOGUE = r"""# Ours, by hand.
msgid ""
msgstr ""
"Language: ru\n"
"MIME-Version: 1.0\n"
"Content-Type: text/plain; charset=UTF-8\n"
"Content-Transfer-Encoding: 8bit\n"
"Plural-Forms: nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<12 || n%100>14) ? 1 : 2);\n"

# A heading.
msgid "Overview"
msgstr "Обзор"

#, python-format
msgid "%(number)s otter"
msgid_plural "%(number)s otters"
msgstr[0] "%(number)s выдра"
msgstr[1] "%(number)s выдры"
msgstr[2] "%(number)s выдр"

msgid "Balance"
msgstr "Баланс"
"""


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("texts")
    write(made / "shore" / "apps.py", CODE)
    write(made / "shore" / "templates" / "shore" / "page.html", PAGE)
    write(made / texts.CATALOGUE, CATALOGUE)
    texts.bring_up_to_date(made)
    return made


@pytest.fixture(autouse=True)
def django_in_a_fork(complete: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Django looks for texts in a fork: an interpreter of its own has done so for `complete`."""
    run = texts._run

    def forked(command: tuple[str, ...], folder: Path, environment: dict[str, str] | None = None) -> bytes:
        if command[0] != sys.executable:
            return run(command, folder, environment)
        done = starter.run([*command[1:]], environment or {}, folder=folder, scratch=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout.encode()

    monkeypatch.setattr(texts, "_run", forked)


@pytest.fixture
def checkout(complete: Path, tmp_path: Path) -> Path:
    """A project of one application, its catalogue complete and compiled."""
    return Path(shutil.copytree(complete, tmp_path / "checkout"))


def write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def replace(path: Path, old: str, new: str) -> None:
    content = path.read_text(encoding="utf-8")
    assert old in content
    path.write_text(content.replace(old, new), encoding="utf-8")


def everything(checkout: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in checkout.rglob("*") if path.is_file()}


def test_a_complete_catalogue_stays_as_it_was_written_and_nothing_else_is_touched(checkout: Path) -> None:
    assert (checkout / texts.CATALOGUE).read_text(encoding="utf-8") == CATALOGUE
    before = everything(checkout)
    assert texts.bring_up_to_date(checkout) == 0
    assert everything(checkout) == before
    assert texts.troubles(checkout) == []


def test_russian_that_was_changed_and_not_compiled_is_told_and_compiled(checkout: Path) -> None:
    replace(checkout / texts.CATALOGUE, "Обзор", "Сводка")
    [trouble] = texts.troubles(checkout)
    assert "django.mo is not made from" in trouble
    assert trouble.endswith("./dev texts")
    assert texts.bring_up_to_date(checkout) == 0
    assert texts.troubles(checkout) == []


def test_a_catalogue_that_the_next_run_would_write_otherwise_is_told_and_written(checkout: Path) -> None:
    replace(checkout / texts.CATALOGUE, 'msgstr "Баланс"', 'msgstr ""\n"Ба"\n"ланс"')
    [trouble] = texts.troubles(checkout)
    assert "is not written as gettext writes it" in trouble
    assert trouble.endswith("./dev texts")
    assert texts.bring_up_to_date(checkout) == 0
    assert (checkout / texts.CATALOGUE).read_text(encoding="utf-8") == CATALOGUE


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("shore/apps.py", "TITLE =", 'NEW = gettext("Report")\nTITLE ='),
        ("shore/templates/shore/page.html", "<h1>", '<p>{% translate "Report" %}</p><h1>'),
    ],
)
def test_a_text_without_an_entry_is_told_with_its_place_and_goes_to_the_end(
    checkout: Path, file: str, old: str, new: str
) -> None:
    replace(checkout / file, old, new)
    [trouble] = texts.troubles(checkout)
    assert "the code says this" in trouble
    assert "./dev texts" in trouble
    assert f"#: {file}:" in trouble
    assert 'msgid "Report"' in trouble
    # It has no Russian yet.
    assert texts.bring_up_to_date(checkout) == 1
    assert (checkout / texts.CATALOGUE).read_text(encoding="utf-8") == CATALOGUE + '\nmsgid "Report"\nmsgstr ""\n'
    after = everything(checkout)
    assert texts.bring_up_to_date(checkout) == 1
    assert everything(checkout) == after


def test_an_entry_that_nothing_says_any_more_is_told_and_goes(checkout: Path) -> None:
    replace(checkout / "shore/apps.py", 'gettext("Balance")', '"Balance"')
    [trouble] = texts.troubles(checkout)
    assert "the code does not: ./dev texts" in trouble
    assert 'msgid "Balance"\nmsgstr "Баланс"' in trouble
    assert texts.bring_up_to_date(checkout) == 0
    left = (checkout / texts.CATALOGUE).read_text(encoding="utf-8")
    assert left == CATALOGUE.removesuffix('\nmsgid "Balance"\nmsgstr "Баланс"\n')
    assert texts.troubles(checkout) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param('msgstr "Баланс"', 'msgstr ""', id="empty"),
        pytest.param('msgid "Balance"', '#, fuzzy\nmsgid "Balance"', id="fuzzy"),
        pytest.param('msgstr[1] "%(number)s выдры"', 'msgstr[1] ""', id="one form of a plural empty"),
    ],
)
def test_an_entry_without_russian_is_told(checkout: Path, old: str, new: str) -> None:
    replace(checkout / texts.CATALOGUE, old, new)
    assert texts.bring_up_to_date(checkout) == 1
    [trouble] = texts.troubles(checkout)
    assert "this has no Russian" in trouble
    assert "./dev texts" in trouble


def test_russian_with_another_placeholder_is_refused(checkout: Path) -> None:
    replace(checkout / texts.CATALOGUE, "%(number)s выдры", "%(numbr)s выдры")
    with pytest.raises(SandboxError, match="msgfmt failed"):
        texts.troubles(checkout)


def test_texts_are_looked_for_in_our_packages_alone(checkout: Path) -> None:
    for foreign in (".venv/lib/pkg/apps.py", "tests/test_shore.py", "sandbox/shop/apps.py"):
        write(checkout / foreign, 'from django.utils.translation import gettext\ngettext("Foreign")\n')
    before = everything(checkout)
    assert texts.bring_up_to_date(checkout) == 0
    assert everything(checkout) == before


def test_without_gettext_it_says_what_to_install(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "PATH", str(checkout))
    with pytest.raises(SandboxError, match="install the package gettext"):
        texts.troubles(checkout)
