"""Finds clients by what they say on the telephone: their number in any spelling, or the name of somebody of the family.

Supabase's tables are nobody's models here, so what is found are queries, to be asked within others.
"""

import itertools
import re
import unicodedata
from collections.abc import Iterator

from django.db.models.expressions import RawSQL

# Seven of a number of the town are dictated as often as all ten.
LEAST_DIGITS, MOST_DIGITS = 5, 15
NATIONAL = 10
MOST_WORDS = 4
_NUMBER = re.compile(r"\+?[\d\s()\-.\u2010-\u2014]+")
_NAME = re.compile(r"[^\W\d_][^\W\d_'’\-.\s]*(?:[\s'’\-.]+[^\W\d_]+)*\.?")
# What telephone numbers are usually written with is taken out of each cheaply, anything else by a slower way.
_BY_NUMBER = """SELECT {what} FROM public.users
    WHERE translate(phone, '+-() .', '') LIKE %s
       OR phone ~ '[^-+0-9() .]' AND regexp_replace(phone, '[^0-9]', '', 'g') LIKE %s"""
_AS_WRITTEN = "coalesce(first_name, '') || ' ' || coalesce(last_name, '')"
_PLAIN = f"replace(lower({_AS_WRITTEN}), 'ё', 'е')"
# Composing costs five times what the rest does, and few names came from a keyboard that writes marks by themselves.
_COMPOSED = f"replace(lower(normalize({_AS_WRITTEN}, NFC)), 'ё', 'е')"
_HAS_MARKS = f"({_AS_WRITTEN}) ~ '[\u0300-\u036f]'"
_HAS_WORD = f"(strpos({_PLAIN}, %s) > 0 OR {_HAS_MARKS} AND strpos({_COMPOSED}, %s) > 0)"
_BY_NAME = "SELECT {what} FROM public.users WHERE id IN (SELECT user_id FROM public.profiles WHERE {each})"


def clients_named(text: str, what: str = "id") -> RawSQL | None:
    """A query for the ids of those with this telephone number or name, or for another column of `public.users`.

    `None` where the text can be neither.
    """
    if digits := digits_of_number(text):
        # A whole number ends so, however its beginning is written: +7, 8, or not at all.
        pattern = f"%{digits}" if len(digits) >= NATIONAL else f"%{digits}%"
        return RawSQL(_BY_NUMBER.format(what=what), (pattern, pattern))  # noqa: S611 # `what` is ours.
    words = list(words_of_name(text))
    if not words:
        return None
    each = " AND ".join([_HAS_WORD] * len(words))
    asked = tuple(itertools.chain.from_iterable(zip(words, words, strict=True)))
    return RawSQL(_BY_NAME.format(what=what, each=each), asked)  # noqa: S611 # So is this.


def digits_of_number(text: str) -> str:
    """What is the same in all spellings of a telephone number; empty for what is none."""
    if not _NUMBER.fullmatch(text.strip()):
        return ""
    digits = re.sub(r"[^0-9]", "", text)
    if len(digits) == NATIONAL + 1 and digits[0] in "78":
        digits = digits[1:]
    return digits if LEAST_DIGITS <= len(digits) <= MOST_DIGITS else ""


def words_of_name(text: str) -> Iterator[str]:
    """The words of a name as they are compared: lower case, composed, with «е» for «ё»."""
    plain = unicodedata.normalize("NFC", text.strip())
    if len(plain) < 2 or len(plain) > 100 or not _NAME.fullmatch(plain):
        return
    yield from plain.lower().replace("ё", "е").split()[:MOST_WORDS]
