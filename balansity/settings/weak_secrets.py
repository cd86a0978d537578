"""Whether a secret is one that anybody would try: a placeholder, a keyboard, an example of somebody's documents."""

import re

# `openssl rand -hex 16` has all but never fewer different characters than this.
_FEWEST_CHARACTERS = 8
_PLACEHOLDER = re.compile(
    r"change.?(me|this|it)|django-insecure|placeholder|replace.?(me|this)|insert.?your|(my|your).{0,8}(secret|key|token)"
    r"|super.?secret|secret.?key|example|password|qwerty|asdfgh|12345678|01234567|abcdefgh|не.?забуд|секрет|пароль",
    re.IGNORECASE,
)


def why_guessable(secret: str) -> str:
    """Return what is wrong with it, as words that follow "it"; nothing for one that looks random."""
    if _PLACEHOLDER.search(secret):
        return "reads like a placeholder"
    # Some letters over and over, however many of them.
    if secret in (secret + secret)[1:-1] or len(set(secret)) < _FEWEST_CHARACTERS:
        return "repeats a few characters"
    return ""
