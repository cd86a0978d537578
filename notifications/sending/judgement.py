"""Judges the refusals of servers and providers by the tables of `notifications.sending.faults`."""

import re

from notifications.sending.faults import (
    ABOUT_THE_REQUEST,
    API_WORDS,
    BEFORE_RECIPIENT,
    BY_CODE,
    BY_HTTP_STATUS,
    BY_STEP,
    PLAIN_WORDS,
    STATUSES,
    WORDS,
    Fault,
    Step,
)

# Servers tell what is wrong in their first lines.
MOST_CHARACTERS = 2000
# `5.7.1` at the start of a line or as `#5.7.1`, and no part of an IP address.
_STATUS = re.compile(r"(?:^|\s|#)5\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)", re.MULTILINE)
# Senders choose addresses, and one may well be relay.access.denied@example.org.
_ADDRESS = re.compile(r"<[^<>\s]*@[^<>\s]*>|\S+@\S+")


def find_fault(step: Step, code: int, reply: str) -> Fault | None:
    """What a server's refusal is about; `None` for a temporary one (4xx) that does not say it is about us."""
    reply = reply[:MOST_CHARACTERS]
    words = _plain(reply)
    fault = _by_words(PLAIN_WORDS, words)
    if fault is None and code >= 500:
        fault = _by_status(reply)
    if fault is None:
        fault = _by_words(WORDS, words)
    if fault is Fault.RECIPIENT and step in BEFORE_RECIPIENT:
        # A full or unknown mailbox before the recipient was named is that of the sender.
        fault = BY_STEP[step]
    if code < 500:
        return fault if fault is not None and fault.is_ours else None
    return fault or BY_CODE.get(code) or BY_STEP[step]


def find_api_fault(status: int, message: str) -> Fault | None:
    """What an HTTP provider's refusal is about; `None` when it says nothing about the mail or us."""
    if status in BY_HTTP_STATUS:
        return BY_HTTP_STATUS[status]
    if status not in ABOUT_THE_REQUEST:
        return None
    words = _plain(message[:MOST_CHARACTERS])
    return _by_words(API_WORDS, words) or _by_words(PLAIN_WORDS, words) or Fault.CONTENT


def _plain(reply: str) -> str:
    return " ".join(_ADDRESS.sub(" ", reply.lower()).split())


def _by_words(table: tuple[tuple[Fault, re.Pattern[str]], ...], words: str) -> Fault | None:
    return next((fault for fault, pattern in table if pattern.search(words)), None)


def _by_status(reply: str) -> Fault | None:
    found = _STATUS.search(reply)
    if found is None:
        return None
    status = tuple(int(number) for number in found.groups())
    return next((fault for first, last, fault in STATUSES if first <= status <= last), None)
