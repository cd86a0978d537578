"""Finds the login in an address whose password may stand there as it is, with the signs that mean something in one."""

import re
from urllib.parse import unquote_to_bytes


def unwrapped(raw: str) -> str:
    """Without what people copy along: quotes around it."""
    text = raw.strip()
    return text[1:-1].strip() if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"`" else text


def split_login(rest: str, place: re.Pattern[str]) -> tuple[str, str, str]:
    """User and password, decoded, and what follows them, of what stands behind the `//`.

    `place` says how a host and what follows it look. What does not look so by the rules of addresses has signs in its
    password that end it by them, and the password goes on to the last @.
    """
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    login, _, host = authority.rpartition("@")
    found = host + rest[len(authority) :]
    if not place.fullmatch(found):
        login, _, found = rest.rpartition("@")
    user, _, password = login.partition(":")
    return decoded(user), decoded(password), found


def decoded(text: str) -> str:
    """Without its percent signs, if they stand for letters: `aa%bbb` is a password as somebody typed it."""
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeError:
        return text
