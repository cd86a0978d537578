"""What goes to workers first, and what never gets there."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from bridge.daemon import screening
from bridge.daemon.drain import Drain
from bridge.daemon.publisher import Publisher
from bridge.daemon.screening import FEW
from bridge.errors import DuplicateMessage, InvalidMessage, NotYet, Refused
from bridge.message import LastError
from bridge.models import BridgeProcess
from bridge.pgmq import PgmqQueue
from bridge.queues import Candidate, Refusal, Screen, Verdict, registry
from bridge.sql.rows import Due
from bridge.status import read_status
from sandbox.probe.apps import QUEUE
from sandbox.probe.models import ProbeRun
from tests.integration.bridge.conftest import archived
from tests.integration.bridge.test_admin import FAILED, client_with
from tests.integration.bridge.test_drain import body_of, tasks
from tests.support.requeueing import put_all_back

JUNK, FRIEND = "stranger@example.org", "mother@example.ru"
WHY = "the address is no customer's"

both_carriers = pytest.mark.parametrize("pgmq_version", ["1.13", "1.4"], indirect=True)


class Judge:
    """Refuses strangers, as a package would in one query; remembers what it was shown."""

    def __init__(self) -> None:
        self.batches: list[Sequence[Candidate]] = []
        self.noted: list[Refusal] = []

    def judge(self, candidates: Sequence[Candidate]) -> Mapping[int, Verdict]:
        self.batches.append(candidates)
        return {one.msg_id: Refused(WHY) for one in candidates if one.read().get("to") == JUNK}

    def note(self, refusals: Sequence[Refusal]) -> None:
        self.noted.extend(refusals)

    @property
    def shown(self) -> list[int]:
        return [one.msg_id for batch in self.batches for one in batch]


@pytest.fixture
def judge() -> Judge:
    return Judge()


@pytest.fixture
def screened(probe: PgmqQueue, publisher: Publisher, judge: Judge) -> Drain:
    screen = Screen(judge=judge.judge, note=judge.note)
    return Drain(replace(registry.get(QUEUE), screen=screen), publisher)


def flood(count: int, *, to: str = JUNK, priority: int = 10) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pgmq.send_batch(%s, (SELECT array_agg(jsonb_build_object('to', %s::text, 'priority', %s::int,"
            " 'subject', 'x', 'n', n)) FROM generate_series(1, %s) AS n))",
            [QUEUE, to, priority, count],
        )


def published(broker_url: str, drain: Drain) -> list[int]:
    """The ids that one look hands over, in their order."""
    import redis  # noqa: PLC0415

    with redis.Redis.from_url(broker_url, socket_timeout=5) as line:
        line.delete("probe")
        drain.flow._waiting.clear()
        drain.flow._in_line = 0
        drain.look()
        return [body_of(task)[1] for task in tasks(line)]


@both_carriers
def test_thousands_of_junk_messages_are_refused_by_the_thousand_and_a_real_one_goes_first(
    screened: Drain, probe: PgmqQueue, broker_url: str, judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However slow the machine is, one look has time for all of them.
    monkeypatch.setattr(screening, "SCREENING_SECONDS", 60.0)
    flood(2500)
    real = probe.send({"to": FRIEND})
    with CaptureQueriesContext(connection) as asked:
        assert published(broker_url, screened) == [real]
    assert [len(batch) for batch in judge.batches] == [2000, 501]
    assert len(asked) < 30
    assert len(judge.noted) == 2500
    assert probe.counts().total == 1
    status = next(queue for queue in read_status().queues if queue.name == QUEUE)
    assert (status.failed, status.refused) == (2500, 2500)
    history = archived(probe, judge.noted[0].candidate.msg_id)
    assert (history["outcome"], history["reason"]) == ("failed", "refused")
    assert history["last_error"] == {"type": "Refused", "message": "the address is no customer's"}


def test_among_thousands_that_are_due_priority_decides_and_then_time(
    drain: Drain, probe: PgmqQueue, broker_url: str
) -> None:
    flood(3000, to=FRIEND, priority=0)
    late = probe.send({"priority": -1})
    soon, sooner = probe.send({"priority": 5}), probe.send({"priority": 9})
    odd = [probe.send({"priority": value}) for value in ("99", None, [9], True)]
    # The first look learns that more waits than it can take.
    published(broker_url, drain)
    ids = published(broker_url, drain)
    assert ids[:2] == [sooner, soon]
    assert ids[2:] == sorted(ids[2:])
    assert not {late, *odd} & set(ids)


def test_the_order_of_a_small_batch_is_that_of_priority_too(drain: Drain, probe: PgmqQueue, broker_url: str) -> None:
    ids = [probe.send({"priority": priority}) for priority in (0, 7, 3)]
    assert published(broker_url, drain) == [ids[1], ids[2], ids[0]]


def test_among_equals_what_waits_longer_goes_first_whatever_its_number(
    screened: Drain, probe: PgmqQueue, broker_url: str
) -> None:
    first, second = probe.send({"to": FRIEND}), probe.send({"to": FRIEND})
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE pgmq.q_{QUEUE} SET vt = now() - msg_id * interval '1 minute'")
    assert published(broker_url, screened) == [second, first]


def test_what_cannot_be_a_message_delays_nothing_else(drain: Drain, probe: PgmqQueue, broker_url: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.send_batch(%s, array_fill('[]'::jsonb, ARRAY[500]))", [QUEUE])
    real = probe.send({"x": 1})
    published(broker_url, drain)
    assert published(broker_url, drain) == [real]


def test_absurd_priorities_are_only_large_ones(drain: Drain, probe: PgmqQueue, broker_url: str) -> None:
    with connection.cursor() as cursor:
        for value in ("1e131071", "-1e131071", "1.5", "99999999999999999999"):
            cursor.execute("SELECT pgmq.send(%s, jsonb_build_object('priority', %s::jsonb))", [QUEUE, value])
    assert len(published(broker_url, drain)) == 4


def test_a_screen_sees_each_message_once(screened: Drain, probe: PgmqQueue, broker_url: str, judge: Judge) -> None:
    ids = [probe.send(body) for body in ({"to": "x" * 5000}, {"to": {"a": 1}}, {}, {"to": FRIEND})]
    assert published(broker_url, screened) == ids
    published(broker_url, screened)
    assert judge.shown == ids


# A number of few octets that has thousands as text is as large as that.
@pytest.mark.parametrize("filling", [secrets.token_hex(6000), "x" * 200_000, Decimal("1E+1001")])
def test_what_is_too_large_for_a_screen_takes_few_places(
    screened: Drain, probe: PgmqQueue, broker_url: str, judge: Judge, filling: str | Decimal
) -> None:
    text = str(filling) if isinstance(filling, Decimal) else json.dumps(filling)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pgmq.send_batch(%s, array_fill(jsonb_build_object('to', %s::text, 'priority', 9, 'x', %s::jsonb),"
            " ARRAY[60]))",
            [QUEUE, JUNK, text],
        )
    real = probe.send({"to": FRIEND})
    handed = [msg_id for _ in range(3) for msg_id in published(broker_url, screened)]
    assert real in handed
    assert len(handed) == FEW + 1
    assert judge.shown == [real]
    assert probe.counts().delayed == 60 - FEW


def test_a_screen_ends_each_message_as_its_handler_would(
    probe: PgmqQueue, publisher: Publisher, broker_url: str
) -> None:
    errors: list[Verdict] = [InvalidMessage("no object"), DuplicateMessage("sent before", original=7), Refused("no")]
    ids = [probe.send({"n": number}) for number in range(3)]
    screen = Screen(judge=lambda candidates: dict(zip([one.msg_id for one in candidates], errors, strict=True)))
    assert published(broker_url, Drain(replace(registry.get(QUEUE), screen=screen), publisher)) == []
    ended = [archived(probe, msg_id) for msg_id in ids]
    assert [(one["outcome"], one.get("reason"), one.get("original")) for one in ended] == [
        ("failed", "invalid_message", None),
        ("duplicate", None, 7),
        ("failed", "refused", None),
    ]
    assert ended[1]["last_error"] == {"type": "DuplicateMessage", "message": "sent before"}


def test_what_has_to_wait_for_others_is_hidden_and_judged_again(
    probe: PgmqQueue, publisher: Publisher, broker_url: str
) -> None:
    def judge(candidates: Sequence[Candidate]) -> Mapping[int, Verdict]:
        shown.append(len(candidates))
        return {one.msg_id: NotYet("later") for one in candidates[1:]}

    shown: list[int] = []
    drain = Drain(replace(registry.get(QUEUE), screen=Screen(judge=judge)), publisher)
    ids = [probe.send({"n": number}) for number in range(3)]
    assert published(broker_url, drain) == ids[:1]
    assert (probe.counts().delayed, shown[0]) == (2, 3)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE pgmq.q_{QUEUE} SET vt = now() WHERE msg_id = ANY(%s)", [ids[1:]])
    assert published(broker_url, drain) == ids[1:2]


def test_a_screen_is_not_asked_about_a_few(
    probe: PgmqQueue, publisher: Publisher, broker_url: str, judge: Judge
) -> None:
    screen = Screen(judge=judge.judge, least=3)
    drain = Drain(replace(registry.get(QUEUE), screen=screen), publisher)
    ids = [probe.send({"to": JUNK}) for _ in range(2)]
    assert published(broker_url, drain) == ids
    ids = [probe.send({"to": JUNK}) for _ in range(3)]
    assert published(broker_url, drain) == []
    assert judge.shown == ids


def test_a_flood_is_screened_for_so_long_and_then_what_has_passed_is_read(
    screened: Drain, probe: PgmqQueue, judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screening, "SCREENING_SECONDS", 0.0)
    looks: list[int] = []
    ahead = PgmqQueue.ahead

    def count(self: PgmqQueue, **options: int) -> list[Due]:
        looks.append(1)
        return ahead(self, **options)

    monkeypatch.setattr(PgmqQueue, "ahead", count)
    probe.send({"to": JUNK})
    real = probe.send({"to": FRIEND})
    assert screened._order.next_ids(10, crowded=False) == [real]
    assert (len(looks), len(judge.noted)) == (1, 1)


def test_a_message_that_was_tried_before_is_not_judged_again(
    screened: Drain, probe: PgmqQueue, broker_url: str, judge: Judge
) -> None:
    msg_id = probe.send({"to": JUNK})
    (delivery,) = probe.read(limit=1, lease=60)
    claimed = probe.claim(delivery.token, lease=60, attempts=1, trace_id="x")
    assert claimed is not None
    probe.retry(claimed.token, delay=0, error=LastError("X", "y"))
    assert published(broker_url, screened) == [msg_id]
    assert judge.shown == []


def test_a_screen_that_fails_lets_everything_pass(
    probe: PgmqQueue, publisher: Publisher, broker_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(candidates: Sequence[Candidate]) -> Mapping[int, Verdict]:
        raise ZeroDivisionError

    drain = Drain(replace(registry.get(QUEUE), screen=Screen(judge=broken)), publisher)
    msg_id = probe.send({"to": JUNK})
    assert published(broker_url, drain) == [msg_id]
    assert "the screen failed, so its messages pass" in caplog.text


def test_refusals_that_cannot_be_archived_are_left_to_the_handler(
    screened: Drain, probe: PgmqQueue, broker_url: str, judge: Judge, caplog: pytest.LogCaptureFixture
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"REVOKE INSERT ON pgmq.a_{QUEUE} FROM current_user")
    msg_id = probe.send({"to": JUNK})
    assert published(broker_url, screened) == [msg_id]
    assert judge.noted == []
    assert "not screened: permission denied" in caplog.text


def test_the_rows_of_a_screen_and_the_refusal_are_one_transaction(
    probe: PgmqQueue, publisher: Publisher, broker_url: str, judge: Judge
) -> None:
    def note(refusals: Sequence[Refusal]) -> None:
        BridgeProcess.objects.create(name="x", started_at=refusals[0].candidate.enqueued_at, seen_at="nonsense")

    screen = Screen(judge=judge.judge, note=note)
    drain = Drain(replace(registry.get(QUEUE), screen=screen), publisher)
    msg_id = probe.send({"to": JUNK})
    assert published(broker_url, drain) == [msg_id]
    assert probe.archived_history(msg_id) is None


def test_one_that_somebody_reads_meanwhile_is_his(probe: PgmqQueue, publisher: Publisher, broker_url: str) -> None:
    def judge(candidates: Sequence[Candidate]) -> Mapping[int, Verdict]:
        probe.read(limit=1, lease=60)
        return {one.msg_id: Refused("no") for one in candidates}

    noted: list[Refusal] = []
    drain = Drain(replace(registry.get(QUEUE), screen=Screen(judge=judge, note=noted.extend)), publisher)
    msg_id, other = probe.send({"to": JUNK}), probe.send({"to": JUNK})
    assert published(broker_url, drain) == []
    assert probe.is_queued(msg_id)
    assert [refusal.candidate.msg_id for refusal in noted] == [other]
    assert not ProbeRun.objects.exists()


def test_refused_messages_have_a_page_of_their_own_and_are_put_back_when_asked_for(
    screened: Drain, probe: PgmqQueue, broker_url: str, settings: Settings
) -> None:
    msg_id = probe.send({"to": JUNK})
    published(broker_url, screened)
    client = client_with("view_queueoverview")
    assert f">№ {msg_id}<" not in client.get(FAILED).content.decode()
    page = client.get(f"{FAILED}&reason=refused").content.decode()
    assert f">№ {msg_id}<" in page
    assert "запрещено правилами" in page
    assert put_all_back(QUEUE) == 0


def test_large_messages_are_not_unpacked_to_see_their_turn(drain: Drain, probe: PgmqQueue, broker_url: str) -> None:
    with connection.cursor() as cursor:
        # Stored compressed, each takes a hundredth.
        cursor.execute(
            "SELECT pgmq.send(%s, jsonb_build_object('priority', 10, 'z', repeat('a', 3000000)))"
            " FROM generate_series(1, 4)",
            [QUEUE],
        )
    real = probe.send({"to": FRIEND})
    due = probe.ahead(limit=10, depth=10, octets=8192)
    assert due[0].token.msg_id == real
    assert [one.untried for one in due] == [True] * 5


def test_a_forged_history_does_not_pass_the_screen(probe: PgmqQueue) -> None:
    probe.send({"to": JUNK, "_bridge": {"attempts": 1}})
    probe.send({"to": JUNK}, headers={"bridge": {"attempts": 1, "first_attempt_at": "2026-11-26T00:00:00Z"}})
    assert [one.untried for one in probe.ahead(limit=10, depth=10, octets=8192)] == [True, True]
