"""Changes to conditions in SQL: one operand of an AND less, one lock less. What is a query's name stands above it."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

import sqlparse
from sqlparse import tokens
from sqlparse.sql import Token

from sandbox.dev.mutation.change import Change

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
# What ends a condition at its own depth of brackets.
_ENDS = {
    *("AND", "OR", "WHERE", "ORDER BY", "GROUP BY", "HAVING", "LIMIT", "OFFSET", "RETURNING", "FOR", "UNION", "EXCEPT"),
    *("WHEN", "THEN", "ELSE", "END", "AS", "FROM", "SET", "SELECT", "UPDATE", "JOIN", "LEFT JOIN", ",", ";"),
}


@dataclass(frozen=True, slots=True)
class _Piece:
    """A piece of the text, from one place to another, that can be left out."""

    start: int
    end: int
    what: str


def changes(file: str, source: str) -> list[Change]:
    """Return every condition and lock that can be left out. `lines` is empty: who names the query has run it."""
    found = []
    for number, (query, piece) in enumerate(_pieces(source)):
        # An operand is told by its own line and not by that of the word before it.
        place = piece.start + len(source[piece.start : piece.end]) - len(source[piece.start : piece.end].lstrip())
        line = source.count("\n", 0, place) + 1
        text = source.splitlines()[line - 1].strip()
        found.append(Change(file, number, query, line, text, piece.what, range(0)))
    return found


def changed(source: str, number: int) -> str:
    """Return the text of the file with that change."""
    _, piece = list(_pieces(source))[number]
    return source[: piece.start] + " " + source[piece.end :]


def _pieces(source: str) -> Iterator[tuple[str, _Piece]]:
    headings = list(_NAME.finditer(source))
    for heading, following in zip(headings, [*headings[1:], None], strict=True):
        start, end = heading.end(), following.start() if following else len(source)
        for piece in _of_query(source[start:end]):
            yield heading[1], _Piece(start + piece.start, start + piece.end, piece.what)


@dataclass(frozen=True, slots=True)
class _Word:
    start: int
    depth: int
    text: str


def _of_query(query: str) -> Iterator[_Piece]:
    words = _words(query)
    between = 0
    for position, word in enumerate(words):
        match word.text:
            case "BETWEEN":
                between += 1
            case "AND" if between:
                # It belongs to the span and joins no conditions.
                between -= 1
            case "AND":
                end = _end(words, position, len(query))
                yield _Piece(word.start, end, f"without `{_shown(query[word.start : end])}`")
            case "WHERE":
                end = _end(words, position, len(query))
                if query[end : end + 3].upper() == "AND":
                    after = word.start + len("WHERE")
                    yield _Piece(after, end + len("AND"), f"without `{_shown(query[after:end])}`")
            case "FOR":
                end = _end(words, position + 1, len(query))
                yield _Piece(word.start, end, f"without `{_shown(query[word.start : end])}`")


def _end(words: list[_Word], position: int, last: int) -> int:
    """Return where the condition ends that follows the word at `position`."""
    depth, spans = words[position].depth, 0
    for before, word in itertools.pairwise(words[position:]):
        if word.depth < depth:
            return word.start
        if word.depth > depth:
            continue
        if word.text == "BETWEEN":
            spans += 1
        elif word.text == "AND" and spans:
            spans -= 1
        elif word.text in _ENDS and not (word.text == "FROM" and before.text == "DISTINCT"):
            return word.start
    return last


def _words(query: str) -> list[_Word]:
    found, depth, start = [], 0, 0
    for token in _leaves(query):
        text = token.value.upper()
        # A closing word stands outside, an opening one inside.
        if text in {")", "END"}:
            depth -= 1
        if not token.is_whitespace and token.ttype not in tokens.Comment:
            found.append(_Word(start, depth, re.sub(r"\s+", " ", text)))
        if text in {"(", "CASE"}:
            depth += 1
        start += len(token.value)
    return found


def _leaves(query: str) -> Iterator[Token]:
    for statement in sqlparse.parse(query):
        yield from statement.flatten()  # type: ignore[no-untyped-call]


def _shown(text: str) -> str:
    return " ".join(re.sub(r"--.*", "", text).split())
