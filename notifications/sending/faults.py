"""Whose fault a refusal is, as tables: what servers say, in what order it counts, and what we can do about it.

Servers agree on little. The same code and status (553 5.7.1) stands for a forbidden sender, a blocked host and a dead
recipient, and Postfix tells what it thinks of us only when it is asked for a recipient. So words that leave no doubt
come first, then enhanced status codes (RFC 3463 and IANA's registry, with the meanings that Google and Microsoft gave
them), then the other words. What no table knows is decided by the step: before the recipient is named it can only be
about us; an unknown answer to the recipient is about the recipient, one to the text about the text.
"""

import re
from enum import Enum


class Fault(Enum):
    """What a refusal is about. `remedy` says what an operator does about one that is ours; the others have none."""

    SENDER = "SMTP_USER must be allowed to send from SMTP_FROM, and the domain of that must exist"
    LOGIN = "check SMTP_USER and SMTP_PASS; some providers want a password made for applications"
    ENCRYPTION = "the server wants encryption: check SMTP_SECURITY and SMTP_PORT"
    RELAY = "this server does not send mail of ours to others: check SMTP_HOST, SMTP_PORT and SMTP_USER"
    NAME = "set SMTP_HELO_NAME to the full name of this host"
    DOMAIN = "SPF, DKIM and DMARC of the domain of SMTP_FROM must allow this mail server"
    HOST = "our address or that of the mail server has a bad name: ask the mail provider, or use another"
    ACCOUNT = "the provider restricts our account, its domain or its key: look there"
    QUOTA = "too many mails for the account at the moment: wait, or have its limit raised"
    PROTOCOL = "the server does not speak as a mail server should: check SMTP_HOST, SMTP_PORT and SMTP_SECURITY"
    BUSY = "the recipient's server accepts nothing now"
    RECIPIENT = "the recipient"
    CONTENT = "the text"

    @property
    def is_ours(self) -> bool:
        return self not in (Fault.BUSY, Fault.RECIPIENT, Fault.CONTENT)

    @property
    def remedy(self) -> str:
        return self.value if self.is_ours else ""


class Step(Enum):
    """Where in the conversation the server refused."""

    CONNECT = "CONNECT"
    HELLO = "EHLO"
    LOGIN = "AUTH"
    SENDER = "MAIL"
    RECIPIENT = "RCPT"
    TEXT = "DATA"


def _words(*alternatives: str) -> re.Pattern[str]:
    return re.compile("|".join(alternatives))


# Without doubt, whatever status stands beside them.
PLAIN_WORDS = (
    (Fault.BUSY, _words(r"receiving mail (at a rate|too quickly)", r"recipient has exceeded")),
    (
        Fault.QUOTA,
        _words(
            r"sending (quota|limit)",
            r"limit on the number of",
            r"(max|maximum|number of|too many|only \d+) (e-?)?(mails?|messages?|letters) per",
            r"(e-?)?mails? per (hour|day|minute)",
            r"too many (e-?mails|messages|connections|sessions|letters|requests)",
            r"rate ?limit|sending rate|\brate\b.{0,20}exceed|exceed.{0,30}\brate\b",
            r"throttl",
            r"slow down",
            r"(daily|hourly|monthly) .{0,40}(quota|limit)",
            r"(reached|exceeded) (your|its|the|my)(?!.{0,20}(storage|mailbox|disk)) .{0,40}(limit|threshold)",
            r"(maximum|allowed) number of (e-?mails|messages)",
            r"tenant .{0,60}(limit|threshold|quota)",
            r"credits? exceeded|not enough credits|insufficient (funds|credits)",
        ),
    ),
    (
        Fault.ACCOUNT,
        _words(
            r"message sending for this account",
            r"outbound ?spam|bad outbound sender",
            r"\byour (account|mailbox|domain)\b.{0,60}(disabled|blocked|suspended|locked|restricted|not allowed)",
        ),
    ),
    (Fault.SENDER, _words(r"sender address rejected")),
    (Fault.DOMAIN, _words(r"not accepted for policy reasons", r"\bdmarc\b", r"unauthenticated")),
    (
        Fault.NAME,
        _words(r"\b(helo|ehlo)\b.{0,30}(rejected|required|host|name)", r"invalid (helo|ehlo)", r"qualified hostname"),
    ),
    (Fault.BUSY, _words(r"(try|come) (it )?(again|back) later", r"\btemporar(y|ily)\b")),
)

# (subject, detail) of 5.subject.detail: the first and the last of a range.
STATUSES = (
    ((1, 7), (1, 8), Fault.SENDER),
    ((1, 20), (1, 20), Fault.SENDER),
    ((1, 90), (1, 90), Fault.QUOTA),
    ((1, 1), (1, 6), Fault.RECIPIENT),
    ((1, 10), (1, 10), Fault.RECIPIENT),
    ((2, 3), (2, 3), Fault.CONTENT),
    ((2, 121), (2, 122), Fault.BUSY),
    ((2, 252), (2, 252), Fault.SENDER),
    ((2, 1), (2, 4), Fault.RECIPIENT),
    ((3, 4), (3, 4), Fault.CONTENT),
    ((4, 5), (4, 5), Fault.QUOTA),
    ((4, 1), (4, 1), Fault.RECIPIENT),
    ((4, 4), (4, 4), Fault.RECIPIENT),
    ((4, 310), (4, 310), Fault.RECIPIENT),
    ((6, 0), (6, 999), Fault.CONTENT),
    ((7, 8), (7, 9), Fault.LOGIN),
    ((7, 10), (7, 11), Fault.ENCRYPTION),
    ((7, 13), (7, 13), Fault.ACCOUNT),
    ((7, 14), (7, 14), Fault.LOGIN),
    ((7, 20), (7, 24), Fault.DOMAIN),
    ((7, 25), (7, 25), Fault.HOST),
    ((7, 26), (7, 26), Fault.DOMAIN),
    ((7, 27), (7, 27), Fault.SENDER),
    ((7, 28), (7, 28), Fault.HOST),
    ((7, 29), (7, 29), Fault.ENCRYPTION),
    ((7, 54), (7, 54), Fault.RELAY),
    ((7, 57), (7, 57), Fault.LOGIN),
    ((7, 60), (7, 60), Fault.SENDER),
    ((7, 64), (7, 68), Fault.RELAY),
    ((7, 124), (7, 136), Fault.RECIPIENT),
    ((7, 139), (7, 139), Fault.LOGIN),
    ((7, 232), (7, 233), Fault.QUOTA),
    ((7, 509), (7, 509), Fault.DOMAIN),
    ((7, 515), (7, 515), Fault.DOMAIN),
    ((7, 501), (7, 599), Fault.ACCOUNT),
    ((7, 606), (7, 649), Fault.HOST),
    ((7, 700), (7, 799), Fault.HOST),
)

WORDS = (
    (
        Fault.RECIPIENT,
        _words(
            r"mailbox (is )?full|over ?quota|disk quota|mailbox size limit|out of storage|storage allocation",
            r"(user|mailbox|recipient|account|his|her|its|their)\b.{0,30}\bquota",
            r"only accept(s|ing)? mail from",
            r"fully-qualified address",
            r"policy rejection on the target",
        ),
    ),
    (Fault.CONTENT, _words(r"(message|mail|file|attachment)\b.{0,20}\b(size|big|large|long)\b")),
    (Fault.QUOTA, _words(r"\bquota\b", r"\blimit\b.{0,20}(exceed|reach)", r"(exceed|reach).{0,40}\blimit\b")),
    (
        Fault.RELAY,
        _words(
            r"\brelay(ing)?\b.{0,40}(denied|prohibited|permitted|allowed|rejected|refused)",
            r"(unable|not (permitted|allowed)) to relay",
            r"list of allowed (rcpt)?hosts",
            r"not an open relay",
        ),
    ),
    (
        Fault.SENDER,
        _words(
            r"not owned by",
            r"not local sender",
            r"sender (e-?mail )?address",
            r"sender (verify|verification|identity|rejected|refused|denied|prohibited|unknown|is unvalidated)",
            r"(domain of|invalid|incorrect|forged|bad|unroutable) sender",
            r"sender .{0,40}(doesn't|does not|must|not allowed|not permitted|not authori[sz]ed)",
            r"sender .{0,20}domain",
            r"sender (is )?(blocked|banned)",
            r"spoof",
            r"mail from .{0,40}(rejected|refused|denied|invalid|not allowed)",
            r"(as|from) this (sender|address)",
            r"send ?as\b|sendasdenied",
            r"email address is not verified",
            r"from (address|header|field)",
        ),
    ),
    (
        Fault.DOMAIN,
        _words(
            r"\b(spf|dkim)\b",
        ),
    ),
    (Fault.ENCRYPTION, _words(r"starttls", r"\btls\b.{0,20}required", r"encryption (is )?(required|needed)")),
    (
        Fault.LOGIN,
        _words(
            r"auth(entication|enticate|orization)?\b.{0,30}(required|failed|first|needed|unsuccessful)",
            r"not authenticated|requires authentication",
            r"log ?in first",
            r"(application|app)(-specific)? password",
            r"(password|credentials).{0,30}(not accepted|invalid|incorrect|wrong)",
        ),
    ),
    (
        Fault.HOST,
        _words(
            r"client host",
            r"block ?list|black ?list|blocked using|blocked by|\brbl\b|dnsbl|spamhaus|spamcop|barracuda",
            r"\breputation\b",
            r"(your|sending|sender'?s?|client|source) (ip|host|server|network)",
            r"\bip\b.{0,30}(blocked|banned|rejected|listed|denied|not authorized)",
            r"(all )?messages from .{0,60}(weren't sent|deferred|blocked|rejected)",
            r"from your (ip|network|host)",
            r"reverse dns|\bptr\b|cannot find your (hostname|reverse)",
            r"dynamic (ip|address)",
            r"traffic not accepted",
            r"spam statistics|spamsource",
            r"open proxy",
        ),
    ),
    (
        Fault.RECIPIENT,
        _words(
            r"no such (user|mailbox|recipient|person|account|address)",
            r"(unknown|invalid|bad|inactive|nonexistent) (local )?(user|recipient|mailbox|address|destination)",
            r"(user|recipient|mailbox|account|address)\b.{0,80}"
            r"(unknown|not found|not exist|n't exist|unavailable|disabled|inactive|not known|rejected|not accepted)",
            r"unrouteable",
            r"n't have an? .{0,30}account",
            r"account that you tried",
        ),
    ),
    (
        Fault.ACCOUNT,
        _words(
            r"account .{0,40}(disabled|blocked|suspended|locked|restricted|deactivated)",
            r"disabled for (this|your) account",
            r"(access|permission) denied|prohibit|not (authori[sz]ed|allowed|permitted)|unauthori[sz]ed",
            r"(sending|outgoing|outbound) .{0,40}(disabled|blocked|suspended)",
            r"access to submit messages",
        ),
    ),
)

# RFC 4954: other credentials, a stronger mechanism or encryption. RFC 5321: what the server did not understand.
BY_CODE = {
    **dict.fromkeys((530, 534, 535), Fault.LOGIN),
    538: Fault.ENCRYPTION,
    **dict.fromkeys((500, 502, 503, 504), Fault.PROTOCOL),
}
BY_STEP = {
    Step.CONNECT: Fault.HOST,
    Step.HELLO: Fault.NAME,
    Step.LOGIN: Fault.LOGIN,
    Step.SENDER: Fault.SENDER,
    Step.RECIPIENT: Fault.RECIPIENT,
    Step.TEXT: Fault.CONTENT,
}

BEFORE_RECIPIENT = (Step.CONNECT, Step.HELLO, Step.LOGIN, Step.SENDER)

BY_HTTP_STATUS = {**dict.fromkeys((401, 402, 403, 404, 407), Fault.ACCOUNT), 429: Fault.QUOTA}
ABOUT_THE_REQUEST = frozenset({400, 413, 422})
API_WORDS = (
    (
        Fault.ACCOUNT,
        _words(
            r"\bapi[ _]?key\b",
            r"domain .{0,60}(not|isn't|un) ?(verified|confirmed|registered|authenticated|activated)",
            r"verif(y|ied) .{0,40}(domain|sender|identity)|verified sender",
            r"(user|project|account) .{0,40}(not found|inactive|blocked|suspended|disabled)",
            r"quota|\bplan\b|\bbalance\b|tariff",
        ),
    ),
    (
        Fault.SENDER,
        _words(r"\bfrom[ _.`'\"]{0,3}(e-?mail|address|field|name|domain)", r"[`'\"]from[`'\"]", r"\bsender\b"),
    ),
)
