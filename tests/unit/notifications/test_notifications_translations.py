"""The Russian catalogue knows every text that the admin may show."""

import ast
import gettext
import re
from functools import cache

from django.conf import settings
from django.utils.translation.template import templatize

from sandbox.packages import CHECKOUT, packages

# Between the context of a text and the text itself, in compiled catalogues.
EOT = "\x04"
FOLDER = CHECKOUT / "balansity" / "locale" / "ru" / "LC_MESSAGES"

# `_("…")`, `gettext_lazy("…" "…")`, `ngettext("…", "…", n)`: strings that stand next to each other are one text.
_STRING = r'"(?:[^"\\]|\\.)*"'
_CALL = re.compile(rf"\b(?:_|gettext|gettext_lazy|ngettext|ngettext_lazy)\(\s*u?((?:{_STRING}\s*)+)")
# `pgettext("status", "…")`: the same words say something else there.
_CALL_IN_CONTEXT = re.compile(rf"\b(?:pgettext|pgettext_lazy)\(\s*u?({_STRING}),\s*u?((?:{_STRING}\s*)+)")

_PLACEHOLDER = re.compile(r"%\(\w+\)[sd]")


@cache
def texts_of_sources() -> set[str]:
    found: set[str] = set()
    for package in packages():
        for path in (CHECKOUT / package).rglob("*.py"):
            found |= texts_of(path.read_text(encoding="utf-8"))
        for path in (CHECKOUT / package).rglob("templates/**/*.html"):
            found |= texts_of(templatize(path.read_text(encoding="utf-8")).replace("'", '"'))
    return found


def texts_of_djangos() -> set[str]:
    """Sentences of Django's own that our catalogue says anew; some have quotes of either kind in them."""
    tree = ast.parse((CHECKOUT / "balansity" / "djangos_words.py").read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {str(argument.value) for call in calls for argument in call.args if isinstance(argument, ast.Constant)}


def texts_of(source: str) -> set[str]:
    plain = {joined(call) for call in _CALL.findall(source)}
    return plain | {joined(context) + EOT + joined(call) for context, call in _CALL_IN_CONTEXT.findall(source)}


def joined(strings: str) -> str:
    return "".join(text[1:-1] for text in re.findall(_STRING, strings)).replace('\\"', '"')


@cache
def compiled() -> dict[str, str]:
    """What is compiled, by the text in English; plural forms under the singular."""
    with (FOLDER / "django.mo").open("rb") as file:
        entries = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined] # There is no public way.
    return {key if isinstance(key, str) else key[0]: text for key, text in entries.items() if key}


def test_every_text_is_translated() -> None:
    texts = texts_of_sources()
    assert len(texts) > 80, "the search finds too little"
    assert texts - set(compiled()) == set()


def test_no_translation_is_left_over() -> None:
    assert set(compiled()) - texts_of_sources() - texts_of_djangos() == set()


def test_the_compiled_catalogue_is_that_of_the_source() -> None:
    source = (FOLDER / "django.po").read_text(encoding="utf-8")
    texts = re.findall(rf"^(?:msgctxt ({_STRING})\n)?msgid ({_STRING})\nmsgstr ({_STRING})$", source, re.MULTILINE)
    plain = {
        (joined(context) + EOT if context else "") + joined(text): joined(russian)
        for context, text, russian in texts
        if text != '""'
    }
    assert len(plain) > 80
    assert {text: compiled().get(text) for text in plain} == plain


def test_a_translation_keeps_the_placeholders() -> None:
    placeholders = {text: (_PLACEHOLDER.findall(text), _PLACEHOLDER.findall(it)) for text, it in compiled().items()}
    assert any(here for here, _ in placeholders.values()), "the search finds nothing"
    assert {text: found for text, found in placeholders.items() if set(found[0]) != set(found[1])} == {}


def test_no_translation_is_a_guess() -> None:
    assert [text for text, russian in compiled().items() if "fuzzy" in russian] == []


def test_people_read_russian() -> None:
    assert settings.LANGUAGE_CODE == "ru"
