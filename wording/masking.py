"""Links in messages and mails that open something for whoever has them: staff see where they lead, no more."""

import re

# As it stands in plain text, in JSON and in HTML, where an ampersand is written out, behind a # as well, and in a link
# that is a parameter of another one. `token` is what we and Supabase's storage say, the others are its auth server's.
_NAME = r"((?:access_|refresh_|confirmation_|recovery_)?token(?:_hash)?)"
_TOKEN = re.compile(rf"(?i)(?<=[?&;#]){_NAME}=[^\s\"'<>&\\]+")
_TOKEN_WITHIN = re.compile(rf"(?i)(?<=%3F|%26|%23){_NAME}%3D(?:(?!%26)[^\s\"'<>&\\])+")


def mask_tokens(text: str) -> str:
    """Return `text` with the tokens of its links replaced by `***`."""
    if "token" not in text.lower():
        # Most have none, and the patterns look at each character.
        return text
    return _TOKEN_WITHIN.sub(r"\1%3D***", _TOKEN.sub(r"\1=***", text))
