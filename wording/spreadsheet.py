"""A cell of a table that people open with a spreadsheet, which runs whatever looks to it like a formula.

Names and titles in our tables are strangers' to choose, and the one who opens them is staff.
"""

import re
import unicodedata

_STARTS = ("=", "+", "-", "@")
_SEPARATES = ("\t", "\r", "\n")
_AMOUNT = re.compile(r"-?[0-9]+(,[0-9]+)?")


def safe_cell(text: str) -> str:
    """`text`, behind an apostrophe where it would be a formula.

    Signs of full width are the same to some spreadsheets, and some skip spaces and what nobody sees in front of them.
    """
    seen = unicodedata.normalize("NFKC", text)
    first = next((sign for sign in seen if not sign.isspace() and unicodedata.category(sign) != "Cf"), "")
    return f"'{text}" if first in _STARTS or text.startswith(_SEPARATES) else text


def safe_amount(text: str) -> str:
    """As `safe_cell`, and an amount stays a number."""
    return text if _AMOUNT.fullmatch(text) else safe_cell(text)
