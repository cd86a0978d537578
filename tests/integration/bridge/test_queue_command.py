"""`manage.py queue`: what operators type about messages, and what they are told."""

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils.timezone import localtime

from bridge.management.queue._typed import rate
from bridge.management.queue._words import NOT_DONE, why_not
from bridge.message import LastError, Outcome, Reason
from bridge.models import OperatorAction
from bridge.operations.codes import Code, Refusal
from bridge.pgmq import PgmqQueue
from bridge.rollup.failures import failure_groups
from bridge.sql.wanted import Wanted
from tests.integration.bridge.deliveries import ERROR, claim, read_one
from tests.support.requeueing import put_back

QUEUE = "probe_queue"


def run(*command: str) -> str:
    out = io.StringIO()
    call_command("queue", *command, stdout=out, stderr=out)
    return out.getvalue()


def told(*command: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(run(*command, "--json"))
    return answer


def fail(probe: PgmqQueue, error: LastError = ERROR, *, body: object = None) -> int:
    msg_id = probe.send({} if body is None else body)
    probe.finish(claim(probe, read_one(probe)), Outcome.FAILED, reason=Reason.RETRIES_EXHAUSTED, error=error)
    return msg_id


def wait_for_repeat(probe: PgmqQueue) -> int:
    msg_id = probe.send({})
    probe.retry(claim(probe, read_one(probe)).token, delay=600, error=ERROR)
    return msg_id


def test_failures_come_in_groups_whose_pattern_puts_them_back(probe: PgmqQueue) -> None:
    for number in (17, 18):
        fail(probe, LastError("Refused", f"550 mailbox {number} is unknown"))
    other = fail(probe)
    groups = told("failures", QUEUE)["groups"]
    assert [(group["count"], group["error_type"]) for group in groups] == [(2, "Refused"), (1, "TimeoutError")]
    assert "retries_exhausted" in run("failures", QUEUE)
    pattern = groups[0]["pattern"]
    assert [one["msg_id"] for one in told("failures", QUEUE, "--each", "--error-type", "TimeoutError")["failures"]] == [
        other
    ]
    assert run("requeue", QUEUE, "--all", "--pattern", pattern, "--dry-run") == (
        f"2 would be put back in {QUEUE}; nothing was changed\n"
    )
    assert run("requeue", QUEUE, "--all", "--pattern", pattern, "--why", "mended").endswith(
        f"2 put back into {QUEUE}\n"
    )
    assert (probe.counts().total, OperatorAction.objects.get().reason) == (2, "mended")
    assert run("failures", "payment_processing_queue") == "nothing failed that is open\n"


def test_each_verb_says_what_it_did_for_people_and_for_programs(probe: PgmqQueue) -> None:
    old, waiting = fail(probe), wait_for_repeat(probe)
    assert run("requeue", QUEUE, str(old)) == f"{old} -> {waiting + 1}\n"
    assert run("retry", QUEUE, "--all") == f"1 made due in {QUEUE}\n"
    rehearsed = told("discard", QUEUE, str(waiting), "--dry-run")
    assert (rehearsed["changed"], rehearsed["dry_run"], rehearsed["action"]) == (1, True, None)
    done = told("discard", QUEUE, str(waiting), "--why", "asked twice")
    action = OperatorAction.objects.get(action="discard")
    assert done == {"changed": 1, "skipped": {}, "action": action.pk, "left_alone": [], "dry_run": False}
    assert (action.actor_kind, action.reason, action.msg_id) == ("cli", "asked twice", waiting)
    again = told("requeue", QUEUE, str(waiting), "--even-discarded")
    assert again["pairs"] == [[waiting, waiting + 2]]


@pytest.mark.parametrize("verb", ["requeue", "discard"])
def test_what_was_left_alone_is_an_error_that_says_why(probe: PgmqQueue, verb: str) -> None:
    old = fail(probe)
    put_back(QUEUE, old)
    out = io.StringIO()
    with pytest.raises(CommandError, match="2 of 2 could not be"):
        call_command("queue", verb, QUEUE, str(old), "999", stdout=out, stderr=out)
    assert f"{QUEUE} {old} was put back before, as message {old + 1}" in out.getvalue()
    assert f"{QUEUE} 999 does not exist" in out.getvalue()
    rehearsed = told(verb, QUEUE, str(old), "999", "--dry-run")
    assert rehearsed["skipped"] == {"requeued_before": 1, "no_such_message": 1}


def test_ids_may_stand_before_options_and_after_them(probe: PgmqQueue) -> None:
    first, second = fail(probe), fail(probe)
    assert run("requeue", QUEUE, str(first), "--why", "mended", str(second), "--dry-run").startswith("2 would be")
    assert run("discard", "--dry-run", QUEUE, "--why", "asked twice", str(first)).startswith("1 would be")


def test_a_time_that_was_shown_can_be_typed(probe: PgmqQueue) -> None:
    fail(probe)
    at = localtime(failure_groups(QUEUE, Wanted(), most=1)[0].first_at)
    assert f"{at:%Y-%m-%d %H:%M}" in run("failures", QUEUE)
    assert told("failures", QUEUE, "--since", f"{at:%Y-%m-%d %H:%M}")["groups"]
    assert not told("failures", QUEUE, "--until", f"{at:%Y-%m-%d %H:%M}")["groups"]


def test_a_rate_spreads_what_is_put_back(probe: PgmqQueue) -> None:
    for _ in range(3):
        fail(probe)
    run("requeue", QUEUE, "--all", "--rate", "6/h")
    assert (probe.counts().ready, probe.counts().delayed) == (1, 2)
    assert (rate("10/s"), rate("300/min"), rate("1.5/s")) == (10.0, 5.0, 1.5)


def test_one_message_is_shown_and_its_body_only_when_it_is_asked_for(probe: PgmqQueue) -> None:
    body = {"to": "anna@example.org", "url": "https://example.org/f?token=s3cret"}
    old = fail(probe, body=body)
    new = put_back(QUEUE, old)
    shown = told("show", QUEUE, str(old))
    assert (shown["state"], shown["requeued_as"], shown["attempts"]) == ("put_back", new, 1)
    assert [(one["number"], one["how"], one["error"]) for one in shown["tries"]] == [
        (1, "failed", "TimeoutError: no answer")
    ]
    assert [(one["action"], one["who"]) for one in shown["actions"]] == [("requeue", "somebody (staff)")]
    assert told("show", QUEUE, str(new))["state"] == "ready"
    lines = run("show", QUEUE, str(old))
    assert "anna" not in lines
    assert "requeue by somebody (staff)" in lines
    whole = run("show", QUEUE, str(new), "--body")
    assert "anna@example.org" in whole
    assert "token=***" in whole
    with pytest.raises(CommandError, match="is neither in the queue nor in its archive"):
        run("show", QUEUE, "999")


def test_an_act_on_many_is_found_from_each_of_its_messages(probe: PgmqQueue) -> None:
    first, second, waiting = fail(probe), fail(probe), wait_for_repeat(probe)
    run("discard", QUEUE, "--all")
    run("retry", QUEUE, str(waiting), str(first), "--dry-run")
    with pytest.raises(CommandError):
        run("retry", QUEUE, str(waiting), str(first))
    assert [one["action"] for one in told("show", QUEUE, str(second))["actions"]] == ["discard"]
    assert [one["action"] for one in told("show", QUEUE, str(first))["actions"]] == ["retry", "discard"]
    assert [one["action"] for one in told("show", QUEUE, str(waiting))["actions"]] == ["retry"]
    assert told("show", QUEUE, str(first))["state"] == "discarded"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["requeue", QUEUE], "Name messages by their ids"),
        (["discard", QUEUE, "1", "--all"], "not both"),
        (["retry", QUEUE, "1", "--error", "quota"], "--error goes with --all"),
        (["requeue", QUEUE, "1", "--until", "2026-11-26"], "--until goes with --all"),
        (["requeue", QUEUE, "--all", "--even-discarded"], "has to be named"),
        (["requeue", QUEUE, "--all", "--rate", "10"], "is not a rate like 10/s"),
        (["requeue", QUEUE, "--all", "--rate", "0/s"], "is not a rate like 10/s"),
        (["discard", QUEUE, "²"], "is not the id of a message"),
        (["show", "probe_qeue", "1"], "Did you mean probe_queue"),
        (["failures", "no_such_queue"], "there is no queue no_such_queue"),
        (["retry", "no_such_queue", "--all"], "there is no queue no_such_queue"),
        (["failures", QUEUE, "--limit", "0"], "from 1 to 10000"),
    ],
)
def test_a_wrong_command_line_says_what_to_do(probe: PgmqQueue, command: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        run(*command)


def test_each_reason_against_an_act_has_words() -> None:
    assert set(NOT_DONE) == set(Code)
    for code in Code:
        assert why_not(QUEUE, Refusal(7, code)).startswith(f"{QUEUE} 7 ")
