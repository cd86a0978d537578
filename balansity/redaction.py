"""What must stand in no log: passwords, keys, tokens, and who a family is.

By two ways. What this process itself was given as secret is taken out wherever it stands. And what looks like a secret,
an address or a telephone number is, as it may be anybody's.
"""

import re
from collections.abc import Iterable
from urllib.parse import quote

# Shorter ones would take pieces out of words.
SHORTEST_SECRET = 8
_HIDDEN = "***"

# Senders choose addresses: quotes and odd characters are legal before the @. The look-behind keeps this linear in a
# long line: a match is only tried where a word starts. Of our own workers (worker@host) there is nothing to hide.
_ADDRESS = re.compile(
    r"""(?<![\w.+%-])([\w.+-])(?:(?!%40)[\w.+%-])*(?:[!#$&'*/=?^`{|}~]+(?:(?!%40)[\w.+%-])*){0,9}(@|%40)"""
    r"""([\w-]+(?:\.[\w-]+)+|localhost\b|\[[\da-fA-F.:]+\])"""
)
# It begins where no word ends: the quote behind a name in JSON begins no address, though an @ may begin its value.
_QUOTED_ADDRESS = re.compile(r'(?<!\w)"(?:[^"\\\n]|\\.){1,64}"@(?=[\w\[])')
# Up to the last @ before the host: passwords hold @, : and / as people type them.
_URL_PASSWORD = re.compile(r"((?<!\w)(?!https?:)[\w+.-]{1,30}://[^\s:/@]*):[^\s\"'<>]{1,500}@(?=[^\s@]*)")
_WEB_PASSWORD = re.compile(r"((?<!\w)https?://[^\s:/@]*):[^\s/\"'<>]{1,500}@(?=[^\s@]*)")
_SCHEME = re.compile(r"\b(Bearer|Basic|Token)\s+[\w.~+/=-]{8,}", re.IGNORECASE)
_JWT = re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*")
# Keys of YooKassa, Supabase and Resend, and tokens that open a payment form. Names in snake_case look like the first,
# but carry no digit and no capital. SendGrid's have two dots.
_PROVIDER_KEY = re.compile(
    r"\b((?:live|test|re)_)(?=[\w-]*[A-Z0-9])[\w-]{16,}|\b(sb_(?:secret|publishable)_|ct-)[\w-]{8,}"
    r"|\b(SG\.)[\w-]{8,}\.[\w-]{8,}"
)
_NAMED = (
    r"pass(?:word|wd|phrase)?|pwd|secret(?:_?key)?|(?:access|refresh|id|auth|csrf|csrfmiddleware)?_?token|csrftoken"
    r"|(?:x[-_])?api[-_]?key|(?:access|private|service[-_]?role)[-_]?key|session_?(?:id|key)|(?:set-)?cookie|credentials?"
)
# `smtpPassword`, `X-Api-Key`: how a name ends says what it names.
_SECRET_NAME = re.compile(rf"(?i)(?:{_NAMED}|authorization|dsn)s?$")
_JOINT = r"""\\?["']?\s*(?:=|:|%3[AaDd])\s*"""
_KEY_VALUE = re.compile(
    rf"""(?i)(?:(?<![^\W_])|(?<=%3F)|(?<=%26))({_NAMED})({_JOINT})"""
    r"""(?:(\\")(?:[^"\\\n]|\\[^"\n])*(?:\\"|$)|(")(?:[^"\\\n]|\\.)*"?|(')[^'\n]*'?|([^\s"',;&}\\]{3,}))"""
)
# A header, or what people write as one: its value has words, and ends with the line, the quote or the list.
_HEADER = re.compile(rf"""(?i)(?<![^\W_])((?:proxy-)?authorization)({_JOINT}\\?["']?)[^"'\n,}}\\]{{3,}}""")
# The look-behinds stand behind the first character: so the engine passes over what cannot begin a number.
_TELEPHONE = re.compile(
    r"(\+(?<![\w+]\+)[1-9])[\d\s().\u2010-\u2015-]{8,18}\d(?!\w)"
    r"|([78](?<![\w.+-][78]))[\s(-]{0,2}9\d\d[\s)-]{0,2}\d{3}[\s-]?\d\d[\s-]?\d\d(?![\w-])"
)

# What a line must hold to be worth a look at names. Most lines hold nothing of it, and this is on the way of each.
_WORDS = ("pass", "pwd", "secret", "token", "key", "session", "cookie", "credential", "authorization")
_SCHEMES = ("bearer", "basic")
_KEY_BEGINNINGS = ("live_", "test_", "re_", "sb_", "ct-", "SG.")

_known: list[str] = []


def hide(secrets: Iterable[str]) -> None:
    """Take these out of every line from now on, in place of those before; also as they stand in an address."""
    usable = {secret for secret in secrets if len(secret) >= SHORTEST_SECRET}
    spellings = usable | {quote(secret, safe="") for secret in usable}
    # The longest first: one may be a piece of another.
    _known[:] = sorted(spellings, key=len, reverse=True)


def redact(text: str) -> str:
    """Return `text` with addresses shortened to their first letter, telephones to theirs, and secrets masked."""
    for secret in _known:
        if secret in text:
            text = text.replace(secret, _HIDDEN)
    if "@" in text or "%40" in text:
        if "://" in text:
            text = _WEB_PASSWORD.sub(r"\1:***@", _URL_PASSWORD.sub(r"\1:***@", text))
        text = _QUOTED_ADDRESS.sub("***@", text)
        text = _ADDRESS.sub(r"\1***\2\3", text)
    lower = text.lower()
    if any(word in lower for word in _SCHEMES) or "token" in lower:
        text = _SCHEME.sub(r"\1 ***", text)
    if any(word in lower for word in _WORDS):
        text = _KEY_VALUE.sub(_masked_value, _HEADER.sub(r"\1\2***", text))
    if "eyJ" in text:
        text = _JWT.sub(_HIDDEN, text)
    if any(beginning in text for beginning in _KEY_BEGINNINGS):
        text = _PROVIDER_KEY.sub(r"\1\2\3***", text)
    return _TELEPHONE.sub(r"\1\2***", text)


def is_secret_name(name: str) -> bool:
    """Whether what is called so must not be shown, whatever it looks like."""
    return bool(_SECRET_NAME.search(name[-100:]))


def _masked_value(found: "re.Match[str]") -> str:
    name, joint, *quotes, _ = found.groups(default="")
    mark = "".join(quotes)
    return f"{name}{joint}{mark}{_HIDDEN}{mark}"
