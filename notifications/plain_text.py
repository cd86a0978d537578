"""Text from a queue made safe for a header, a mail and a database column."""

import unicodedata


def one_line(text: str, most: int) -> str:
    """Return `text` on one line: without control and format characters, white space collapsed, cut at `most`.

    Cut text ends with an ellipsis. Non-breaking spaces become ordinary ones.
    """
    # Cutting first bounds the work: the text may be megabytes long, and combining characters may shrink.
    start = unicodedata.normalize("NFC", text[: 4 * most])
    kept = "".join(" " if character.isspace() else character for character in start if _is_visible(character))
    line = " ".join(kept.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def _is_visible(character: str) -> bool:
    """Tabs and line breaks count: they become spaces. A lone surrogate (Cs) could not be stored or sent."""
    return character.isspace() or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn"}
