"""Reads `.env` by the rules of Node's dotenv, as the files that people bring were written for it.

Quotes of three kinds, `#` inside and behind them, values over several lines, `export`, `KEY: value`, a BOM: each value
is what the Node worker had. What dotenv passes over in silence is a problem here, named by its line number alone: the
line may be a password.
"""

import re
from collections.abc import MutableMapping
from pathlib import Path

# JavaScript's idea of white space and of the ends of lines, which is not Python's.
_SPACE = "\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_LINE_END = "\n\u2028\u2029"
# The same without a range: each process loads this, and asking 65 536 characters for it took a tenth of its start.
_STRIPPED = _SPACE.replace("\u2000-\u200a", "".join(map(chr, range(0x2000, 0x200B))))

_ASSIGNMENT = re.compile(
    rf"""
    (?: \A | (?<=[{_LINE_END}]) ) [{_SPACE}]*
    (?: export [{_SPACE}]+ )?
    (?P<name> [A-Za-z0-9_.-]+ )
    (?: [{_SPACE}]* = | : [{_SPACE}] ) [{_SPACE}]*?
    # A quoted value goes on to the quote that the rest of its line lets be the last, over lines if need be. Where there
    # is no such quote, it is a plain value that begins with one.
    (?P<value> [{_SPACE}]* (?: '(?:\\'|[^'])*' | "(?:\\"|[^"])*" | `(?:\\`|[^`])*` ) | [^\#\n]+ )?
    [{_SPACE}]* (?: \# [^{_LINE_END}]* )?
    (?= [{_LINE_END}] | \Z )
    """,
    re.VERBOSE,
)
_QUOTED = re.compile(
    rf"""(?:\A|(?<=[{_LINE_END}])) (?P<quote>['"`]) (?P<inside>.*) (?P=quote) (?=[{_LINE_END}]|\Z)""",
    re.VERBOSE | re.DOTALL,
)


def load_dotenv(path: Path, variables: MutableMapping[str, str]) -> list[str]:
    """Add what `path` says to `variables`, whose own values win. Return the problems, one readable line each.

    No file is no problem; one that is there and cannot be read is.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        return [f"{path.name} cannot be read ({reason}): let the user of this process read it"]
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return [f"{path.name}, line {line}: not UTF-8: save the file in that encoding"]
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        return [f"{path.name}, line {line}: a character that no variable can hold: save the file as UTF-8"]
    values, unread = parse_dotenv(text)
    problems = [f"{path.name}, line {line}: neither NAME=value nor a comment (# …)" for line in unread]
    for name, value in values.items():
        try:
            variables.setdefault(name, value)
        except UnicodeEncodeError:
            problems.append(f"{name} has letters that the environment cannot hold: start with LANG=C.UTF-8")
    return problems


def parse_dotenv(text: str) -> tuple[dict[str, str], list[int]]:
    """Return the variables of `text`, and the numbers of the lines that are neither a variable nor a comment.

    A name that stands there twice has its last value; `$NAME` in a value is left as it is.
    """
    text = re.sub("\r\n?", "\n", text)
    values: dict[str, str] = {}
    unread: list[int] = []
    end = 0
    for found in _ASSIGNMENT.finditer(text):
        unread += _lines_with_more_than_comments(text, end, found.start())
        values[found["name"]] = _plain(found["value"] or "")
        end = found.end()
    return values, unread + _lines_with_more_than_comments(text, end, len(text))


def _plain(value: str) -> str:
    value = value.strip(_STRIPPED)
    bare = _QUOTED.sub(lambda found: found["inside"], value)
    return bare.replace("\\n", "\n").replace("\\r", "\r") if value.startswith('"') else bare


def _lines_with_more_than_comments(text: str, start: int, end: int) -> list[int]:
    first = text.count("\n", 0, start) + 1
    lines = enumerate(text[start:end].split("\n"), first)
    return [number for number, line in lines if line.strip(_STRIPPED) and not line.strip(_STRIPPED).startswith("#")]
