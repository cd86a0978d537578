"""Anybody with the public key may send a message: whatever it is, it ends with a readable reason and stops nobody."""

import json

import pytest

from tests.acceptance.lasting.processes import Inbox
from tests.acceptance.ledger import Ledger
from tests.acceptance.mails import mail_log, mails, payment_failed
from tests.support.databases import PGMQ_VERSIONS

# Cyrillic letters take two octets: just what may be in a message.
MEGABYTE = "а" * 500_000
INVALID, PERMANENT = "invalid_message", "permanent_error"

# The message as text, how it ends, and what its reason says.
HOSTILE = {
    "null": ("null", INVALID, "must be a JSON object, not null"),
    "a string": ('"text"', INVALID, "must be a JSON object, not a string"),
    "a number": ("42", INVALID, "must be a JSON object, not a number"),
    "an array": ("[{}]", INVALID, "must be a JSON object, not an array"),
    "an empty object": ("{}", INVALID, 'the key "to" is missing'),
    "keys of other kinds": (json.dumps(payment_failed(42)), INVALID, 'the key "to" must be a string'),
    "no variables": (json.dumps(payment_failed("a@example.org", variables=None)), INVALID, "must be an object"),
    "unknown template": (
        json.dumps(payment_failed("a@example.org", template="../settings")),
        PERMANENT,
        "there is no mail template '../settings'",
    ),
    "a megabyte as address": (json.dumps(payment_failed(MEGABYTE)), PERMANENT, "not a valid mail address"),
    "a megabyte as template": (
        json.dumps(payment_failed("a@example.org", template=MEGABYTE)),
        PERMANENT,
        "there is no mail template",
    ),
    "a megabyte as variable": (
        json.dumps(payment_failed("a@example.org", variables={"payment_id": MEGABYTE, "amount": 1})),
        PERMANENT,
        "the variable payment_id is not an id",
    ),
    "nested 5 000 levels deep": ('{"to":' + "[" * 5000 + "]" * 5000 + "}", INVALID, "cannot be read"),
    "a number of 5 000 digits": ('{"to": ' + "9" * 5000 + "}", INVALID, "cannot be read"),
    "a line break in the address": (
        json.dumps(payment_failed("a@example.org\r\nBcc: b@example.org")),
        PERMANENT,
        "not a valid mail address",
    ),
    "more than a megabyte": (json.dumps(payment_failed("а" * 600_000)), INVALID, "it is larger than 1024 KiB"),
    "numbers that would fill the memory": (
        json.dumps(payment_failed("a@example.org"))[:-1] + ', "x": [' + ", ".join(["1e131071"] * 5000) + "]}",
        INVALID,
        "it is larger than 1024 KiB",
    ),
    "two addresses": (
        json.dumps(payment_failed("a@example.org, b@example.org")),
        PERMANENT,
        "not a valid mail address",
    ),
}

FORGED = [
    '"text"',
    "null",
    "[1, 2]",
    '{"attempts": "x"}',
    '{"attempts": 1000000000}',
    '{"attempts": -1}',
    '{"attempts": 1.5}',
    '{"attempts": 0, "next_retry_at": "tomorrow", "last_error": [], "trace_id": {"a": 1}, "requeued_from": "x"}',
    '{"outcome": "succeeded", "reason": "none", "finished_at": "2026-11-23T11:30:00Z"}',
    json.dumps({"trace_id": MEGABYTE, "last_error": {"type": MEGABYTE, "message": MEGABYTE}}),
    '{"attempts": ' + "9" * 5000 + "}",
    '{"attempts": ' + "[" * 3000 + "]" * 3000 + "}",
]

# Seconds until the bridge, which runs already, would see it.
HIDDEN = 3600

# One with a column of its own for what the bridge writes, one without.
both_carriers = pytest.mark.parametrize(
    "pgmq_version", [PGMQ_VERSIONS[0], PGMQ_VERSIONS[-1]], indirect=True, scope="package"
)
pytestmark = pytest.mark.usefixtures("lasting")


@both_carriers
def test_every_hostile_message_is_archived_with_a_readable_reason_and_the_queue_goes_on(
    mail: Ledger, mailbox: Inbox
) -> None:
    ids = {name: mail.send_text(text) for name, (text, *_) in HOSTILE.items()}
    good = mail.send(payment_failed("good@example.org"))
    endings = mail.await_endings([*ids.values(), good])
    ended = {name: endings[msg_id] for name, msg_id in ids.items()}
    assert {name: (ending.outcome, ending.reason) for name, ending in ended.items()} == {
        name: ("failed", reason) for name, (_, reason, _) in HOSTILE.items()
    }
    for name, (_, _, says) in HOSTILE.items():
        assert says in ended[name].error
        assert len(ended[name].error) < 1100
        assert ended[name].error.isprintable()
        assert ended[name].attempts <= 1
    assert endings[good].outcome == "succeeded"
    assert [kept.recipient for kept in mails(mailbox)] == ["good@example.org"]
    log = mail_log(mail)
    assert {name: log[msg_id][:2] for name, msg_id in ids.items()} == {
        name: ("failed", reason) for name, (_, reason, _) in HOSTILE.items()
    }


@both_carriers
def test_a_forged_history_counts_as_not_written(mail: Ledger, mailbox: Inbox) -> None:
    ids = [mail.send(payment_failed(f"family{number}@example.org"), delay=HIDDEN) for number in range(len(FORGED))]
    for msg_id, forged in zip(ids, FORGED, strict=True):
        mail.forge_history(msg_id, forged)
    if mail.has_headers:
        whole = [mail.send(payment_failed("whole@example.org"), delay=HIDDEN) for _ in range(4)]
        for msg_id, headers in zip(whole, ("[1]", '"text"', "42", "null"), strict=True):
            mail.execute("UPDATE pgmq.q_email_queue SET headers = %s::jsonb WHERE msg_id = %s", [headers, msg_id])
        ids += whole
    mail.make_visible(ids)
    endings = mail.await_endings(ids)
    assert {(endings[msg_id].outcome, endings[msg_id].attempts) for msg_id in ids} == {("succeeded", 1)}
    assert len(mails(mailbox)) == len(ids)


def test_who_claims_that_all_attempts_are_used_up_loses_only_this_message(mail: Ledger, mailbox: Inbox) -> None:
    used_up = mail.send(payment_failed("used.up@example.org"), delay=HIDDEN)
    mail.forge_history(used_up, '{"attempts": 9999}')
    mail.make_visible([used_up])
    good = mail.send(payment_failed("good@example.org"))
    endings = mail.await_endings([used_up, good])
    assert (endings[used_up].outcome, endings[used_up].reason) == ("failed", "worker_lost")
    assert endings[good].outcome == "succeeded"
    assert [kept.recipient for kept in mails(mailbox)] == ["good@example.org"]


def test_odd_characters_and_a_megabyte_in_the_subject_make_one_harmless_line(mail: Ledger, mailbox: Inbox) -> None:
    subjects = {
        "breaks@example.org": "Оплата\r\nBcc: victim@example.org\r\n\r\n<b>text</b>",
        "controls@example.org": "Опл\u0001ата\u2028\u202eне\u0085прошла\ufffe😀",
        "megabyte@example.org": MEGABYTE,
    }
    ids = [mail.send(payment_failed(to, subject=subject)) for to, subject in subjects.items()]
    assert {ending.outcome for ending in mail.await_endings(ids).values()} == {"succeeded"}
    assert {attempt.recipient for attempt in mailbox.attempts} == subjects.keys()
    for kept in mailbox.messages:
        assert kept.message["Bcc"] is None
        assert len(kept.subject.strip()) <= 255
        assert kept.subject.isprintable()
