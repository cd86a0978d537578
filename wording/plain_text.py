"""Text from a queue made safe for a header, a mail and a database column."""

import re
import unicodedata

# What browsers take for a dot, a colon and so on: Unicode has each of them several times.
_DOT = "[.\u2024\u3002\ufe52\uff0e\uff61]"
_COLON = "[:\ufe55\uff1a]"
_SLASHES = r"/\\\uff0f\uff3c\ufe68"
_ADDRESS_OF_HOST = re.compile(
    rf"(?<!\d)\d{{1,4}}(?:{_DOT}\d{{1,5}}){{2,3}}(?=[{_SLASHES}])|(?<!\d)\d{{1,4}}(?:{_DOT}\d{{1,4}}){{3}}(?!\d)"
)
# Not within numbers and times: 4.5, 14:30. Whatever is no ASCII may be nothing to see, and the address goes on.
_JOINTS = re.compile(
    rf"(?<!\d)(?:{_DOT}|{_COLON})(?=[\w{_SLASHES}]|[^\x00-\x7f\s])"
    rf"|(?:{_DOT}|{_COLON})(?=[^\W\d]|[{_SLASHES}]|[^\x00-\x7f\s])"
    # A scheme: what follows may begin with anything.
    rf"|(?<=[^\W\d]){_COLON}(?=\S)"
    r"|[@\ufe6b\uff20](?=[\w\[]|[^\x00-\x7f\s])|[\\\uff3c\ufe68](?=[\w\\\uff3c\ufe68])"
    # The start of an encoded word (RFC 2047).
    r"|=(?=\?)"
)
_WWW = re.compile(rf"\b(www)(?={_DOT})", re.IGNORECASE)
# Ten digits in any groups, but for a date and its time; seven in a row, after a plus, or as people write them.
_TELEPHONE = re.compile(
    r"(?<!\d)(?!\d{1,2}\.\d{1,2}\.\d{4} \d{1,2}:\d\d)\d(?:[\s()./‐-―_-]*\d){9,}"
    r"|\+\d(?:[\s()./‐-―_-]*\d){6,}|(?<!\d)\d{7,}|(?<![\d-])\d{3}[‐-―-]\d\d[‐-―-]?\d\d(?![\d-])"
)


def one_line(text: str, most: int) -> str:
    """Return `text` on one line: without control and format characters, white space collapsed, cut at `most`.

    Cut text ends with an ellipsis. Non-breaking spaces become ordinary ones.
    """
    # Cutting first bounds the work: the text may be megabytes long, and combining characters may shrink.
    start = unicodedata.normalize("NFC", text[: 4 * most])
    if not start.isprintable():  # Nearly all text is, and then there is nothing to take out.
        start = "".join(" " if character.isspace() else character for character in start if _is_visible(character))
    line = " ".join(start.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def linkless_line(text: str, most: int) -> str:
    """As `one_line`, and no mail client makes a link of anything in it: strangers may have written the text.

    Addresses of pages, hosts and mailboxes and encoded words fall apart at their joints, where a space is put; between
    the digits of telephone numbers stands a dot in the middle. Invisible characters would do, too, but some clients
    drop them, and filters take them for a spammer's.
    """
    line = _ADDRESS_OF_HOST.sub(lambda host: re.sub(_DOT, r"\g<0> ", host[0]), one_line(text, most))
    line = _TELEPHONE.sub(lambda number: re.sub(r"(?<=\d)(?=\d)", "·", number[0]), line)
    line = _JOINTS.sub(r"\g<0> ", _WWW.sub(r"\1 ", line))
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def _is_visible(character: str) -> bool:
    """Tabs and line breaks count: they become spaces. A lone surrogate (Cs) could not be stored or sent."""
    return character.isspace() or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn"}
