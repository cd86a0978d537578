"""How scores, ages and dates are said in a report."""

import re
from datetime import datetime

from reports.content.data import ScaleResult
from wording.russian import MOSCOW, NBSP, moscow_time

NO_SCORE = "нет данных"

# Latin and Cyrillic letters of many languages, Russian punctuation and signs: what all fonts of the report have.
_UNPRINTABLE = re.compile(
    "[^ -~\xa0-\u0109\u010c-\u0113\u0116-\u011f\u0122-\u0127\u012e-\u0131\u0139-\u013e\u0141-\u0148\u0150-\u0165"
    "\u016a-\u0173\u0178-\u017e\u0218-\u021b\u02bc\u0301\u0401-\u040c\u040e-\u044f\u0451-\u045c\u045e\u045f\u048a-\u04c0"
    "\u04c3-\u04f9\u2011\u2013\u2014\u2018-\u201a\u201c-\u201e\u2026\u20ac\u20bd\u2116\u2212]+"
)


def printable(text: str) -> str:
    """The text without characters that the report's fonts lack; may be empty.

    Another font of the machine could show them, but would make the document depend on where it is made, and where there
    is none a reader sees boxes, which PDF/UA forbids.
    """
    return " ".join(_UNPRINTABLE.sub(" ", text).split())


def score_words(result: ScaleResult) -> str:
    """«13 из 20», «12,5 из 20», «нет данных»; without the maximum where the score exceeds it."""
    if result.score is None:
        return NO_SCORE
    score = f"{result.score}".replace(".", ",")
    return score if result.score > result.scale.maximum else f"{score}{NBSP}из{NBSP}{result.scale.maximum}"


def age_words(age: int | None) -> str:
    """«1 год», «3 года», «11 лет»; empty when unknown."""
    if age is None:
        return ""
    if age == 0:
        return "меньше года"
    tens, ones = age % 100, age % 10
    if ones == 1 and tens != 11:
        noun = "год"
    elif ones in {2, 3, 4} and tens not in {12, 13, 14}:
        noun = "года"
    else:
        noun = "лет"
    return f"{age}{NBSP}{noun}"


def moscow_date(moment: datetime | None) -> str:
    """«23 ноября 2026» in Moscow; empty when unknown."""
    return "" if moment is None else moscow_time(moment.astimezone(MOSCOW)).partition(",")[0].replace(" ", NBSP)
