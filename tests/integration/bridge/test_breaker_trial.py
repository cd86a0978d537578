"""What brings a service back: a probe, and one message as the trial. The clock is the test's."""

import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.conf import settings
from django.db import connection

from bridge import holds
from bridge.breaker import watch
from bridge.breaker.record import UNCOUNTED_FOR, note_answer, note_failure
from bridge.breaker.rows import cause_of, database_now
from bridge.breaker.services import Verdict
from bridge.breaker.watch import MOST_TOLD_NOTHING, end_turn, renew_turn, take_turn
from bridge.errors import Away
from bridge.message import LastError
from bridge.models import OutsideService, QueueHold
from bridge.pgmq import PgmqQueue
from sandbox.probe.apps import QUEUE
from tests.integration.bridge.deliveries import claim
from tests.support.deliveries import read_one
from tests.support.outages import NAME, Lab, away, laboratory, message


class Clock:
    """Stands still until the test lets it go on."""

    def __init__(self) -> None:
        self.now = database_now()

    def __call__(self) -> datetime:
        return self.now

    def go_on(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture(autouse=True)
def lab(probe: PgmqQueue) -> Iterator[Lab]:
    with laboratory() as made:
        yield made


@pytest.fixture(autouse=True)
def clock(probe: PgmqQueue, monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("bridge.breaker.rows.database_now", clock)
    monkeypatch.setattr(watch, "database_now", clock)
    return clock


def fails(msg_id: int, kind: Away = Away.AWAY, *, began: datetime | None = None) -> bool:
    """Whether the attempt counts."""
    error = away(kind)
    return not note_failure(error, message(msg_id, began=began or row_time()), put_back=lambda due: None)


def row_time() -> datetime:
    """By the test's clock, as the breaker's own rooms have it."""
    now: datetime = getattr(watch, "database_now")()  # noqa: B009 # Not exported, and replaced by the fixture.
    return now


def open_it(kind: Away = Away.AWAY) -> None:
    for msg_id in (901, 902, 903):
        fails(msg_id, kind)


def row() -> OutsideService:
    return OutsideService.objects.get(pk=NAME)


def let_through() -> int | None:
    return QueueHold.objects.get(queue=QUEUE, cause=cause_of(NAME)).let_through


def probe_it(clock: Clock, verdict: Verdict | None) -> None:
    """Let the time of the next probe come, and this be what it sees."""
    at = row().probe_at
    assert at is not None
    clock.now = max(clock.now, at)
    assert take_turn(NAME, "me")
    end_turn(NAME, "me", verdict)


def asked_within(clock: Clock, seconds: int, verdict: Verdict) -> list[int]:
    """In which second it is probed, by a process that asks for its turn all the time."""
    began, asked = clock.now, []
    while (clock.now - began).total_seconds() < seconds:
        if take_turn(NAME, "me"):
            asked.append(round((clock.now - began).total_seconds()))
            end_turn(NAME, "me", verdict)
        clock.go_on(0.5)
    return asked


def test_it_is_probed_after_growing_pauses(clock: Clock) -> None:
    open_it(Away.SERVER_ERROR)
    failing = Verdict(Away.SERVER_ERROR, "500")
    assert asked_within(clock, 130, failing) == [1, 3, 7, 15, 31, 61, 91, 121]


def test_a_server_that_is_not_reached_is_asked_every_three_seconds_at_least(clock: Clock) -> None:
    open_it()
    asked = asked_within(clock, 600, Verdict(Away.AWAY, "no connection"))
    assert max(later - sooner for sooner, later in itertools.pairwise(asked)) <= 3


def test_refused_credentials_are_probed_once_a_minute(clock: Clock) -> None:
    open_it(Away.REFUSED)
    assert asked_within(clock, 600, Verdict(Away.REFUSED, "535 5.7.8")) == [60 * minute for minute in range(1, 10)]


def test_an_outage_that_turns_out_to_be_a_refusal_is_probed_once_a_minute_from_then_on(clock: Clock) -> None:
    open_it()
    assert asked_within(clock, 200, Verdict(Away.REFUSED, "535 5.7.8")) == [1, 61, 121, 181]
    assert (row().kind, row().why) == ("refused", "535 5.7.8")


def test_a_process_that_is_killed_amid_the_probe_lets_nobody_hurry(clock: Clock) -> None:
    open_it(Away.REFUSED)
    clock.go_on(60)
    assert take_turn(NAME, "killed")
    clock.go_on(59)
    assert not take_turn(NAME, "other")
    clock.go_on(1)
    assert take_turn(NAME, "other")


def test_a_slow_probe_keeps_its_turn_as_long_as_its_process_lives(clock: Clock) -> None:
    open_it()
    clock.go_on(1)
    assert take_turn(NAME, "slow")
    for _ in range(20):
        clock.go_on(4)
        assert not take_turn(NAME, "other")
        renew_turn(NAME, "slow")
    renew_turn(NAME, "other")
    clock.go_on(6)
    assert take_turn(NAME, "other")


def test_where_no_message_waits_the_word_of_the_probe_is_enough(clock: Clock) -> None:
    open_it()
    probe_it(clock, None)
    assert not row().is_open
    assert holds.in_force() == {}


def test_when_the_probe_is_content_one_message_is_let_through_and_its_answer_closes(
    clock: Clock, probe: PgmqQueue
) -> None:
    msg_id = probe.send({})
    probe.send({})
    open_it()
    probe_it(clock, None)
    assert row().is_open
    assert let_through() == msg_id
    note_answer(NAME, message(msg_id, began=clock.now + timedelta(seconds=1)))
    assert not row().is_open
    assert holds.in_force() == {}


def test_a_trial_that_fails_does_not_count_and_is_followed_by_another_message(clock: Clock, probe: PgmqQueue) -> None:
    first, second = probe.send({}), probe.send({})
    open_it(Away.QUOTA)
    tried = []
    for _ in range(4):
        probe_it(clock, None)
        tried.append(let_through())
        assert tried[-1] is not None
        assert not fails(tried[-1], Away.QUOTA)
        assert let_through() is None
    assert tried[:2] == [first, second]
    assert set(tried) == {first, second}


def test_trials_keep_the_pace_of_the_probes(clock: Clock, probe: PgmqQueue) -> None:
    probe.send({})
    open_it(Away.QUOTA)
    began, tried = clock.now, []
    while (clock.now - began).total_seconds() < 120:
        if take_turn(NAME, "me"):
            end_turn(NAME, "me", None)
            tried.append(round((clock.now - began).total_seconds()))
            trial = row().trial_msg_id
            assert trial is not None
            fails(trial, Away.QUOTA)
        clock.go_on(0.5)
    assert tried == [1, 3, 7, 15, 31, 61, 91]


def test_a_service_without_a_probe_is_tried_by_the_message_with_the_most_attempts_left(
    clock: Clock, probe: PgmqQueue
) -> None:
    tired, fresh = probe.send({}), probe.send({})
    delivery = read_one(QUEUE, tired)
    claimed = claim(probe, delivery, attempts=3)
    assert probe.retry(claimed.token, delay=0, error=LastError("X", "x"))
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE pgmq.q_{QUEUE} SET vt = now() - interval '1 second'")
    with laboratory(has_probe=False) as lab:
        open_it()
        clock.go_on(1)
        assert not take_turn(NAME, "me")
        assert (let_through(), lab.asked) == (fresh, 0)
        note_answer(NAME, message(fresh, began=clock.now + timedelta(seconds=1)))
        assert not row().is_open


def test_what_could_not_tell_anything_is_not_let_through(clock: Clock, probe: PgmqQueue) -> None:
    probe.send([1, 2])
    probe.send("text")
    hidden = probe.send({}, delay=60)
    usable = probe.send({})
    open_it()
    probe_it(clock, None)
    assert let_through() == usable != hidden


def test_a_trial_that_ends_without_having_asked_is_followed_by_others_and_at_last_by_the_probes_word(
    clock: Clock, probe: PgmqQueue
) -> None:
    ids = [probe.send({}) for _ in range(MOST_TOLD_NOTHING + 3)]
    open_it()
    probe_it(clock, None)
    tried = []
    while row().is_open:
        msg_id = let_through()
        assert msg_id is not None
        assert not take_turn(NAME, "me"), "its trial goes on"
        assert let_through() == msg_id
        tried.append(msg_id)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pgmq.archive(%s, %s)", [QUEUE, msg_id])
        assert not take_turn(NAME, "me")
    assert tried == ids[:MOST_TOLD_NOTHING]


def test_a_trial_whose_attempt_failed_for_a_reason_of_its_own_is_followed_by_another_at_once(
    clock: Clock, probe: PgmqQueue
) -> None:
    first, second = probe.send({}), probe.send({})
    open_it()
    probe_it(clock, None)
    holds.lift(QUEUE, cause_of(NAME))
    claimed = claim(probe, read_one(QUEUE, first))
    holds.place(QUEUE, cause_of(NAME), by="breaker", why="")
    take_turn(NAME, "me")
    assert row().trial_msg_id == first, "it still runs"
    assert probe.retry(claimed.token, delay=60, error=LastError("X", "x"))
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE pgmq.q_{QUEUE} SET vt = now() - interval '1 second' WHERE msg_id = %s", [second])
    take_turn(NAME, "me")
    assert let_through() == second


def test_a_trial_that_nobody_runs_is_given_up_after_its_lease(clock: Clock, probe: PgmqQueue) -> None:
    first, second = probe.send({}), probe.send({})
    open_it()
    probe_it(clock, None)
    assert let_through() == first
    clock.go_on(3600)
    take_turn(NAME, "me")
    assert let_through() == second


def test_a_queue_that_somebody_paused_has_no_trial_and_stays_paused(clock: Clock, probe: PgmqQueue) -> None:
    probe.send({})
    open_it()
    holds.place(QUEUE, "pause", by="anna", why="maintenance")
    probe_it(clock, None)
    assert not row().is_open
    assert [hold.cause for hold in holds.in_force()[QUEUE]] == ["pause"]


def test_a_message_that_fails_whatever_the_probe_says_counts_its_trials_after_days(
    clock: Clock, probe: PgmqQueue
) -> None:
    poison = probe.send({})
    open_it(Away.SERVER_ERROR)
    probe_it(clock, None)
    assert not fails(poison, Away.SERVER_ERROR)
    clock.go_on(UNCOUNTED_FOR.total_seconds() * settings.BRIDGE_DELAY_SCALE + 1)
    probe_it(clock, None)
    assert fails(poison, Away.SERVER_ERROR)
    probe_it(clock, None)
    assert not fails(poison, Away.QUOTA), "that is never about a single message"


@pytest.mark.parametrize("hours", [2, 14, 62])
def test_an_outage_that_the_probe_does_not_see_costs_nothing_in_a_night_or_over_a_weekend(
    clock: Clock, probe: PgmqQueue, hours: int
) -> None:
    waits = probe.send({})
    open_it(Away.SERVER_ERROR)
    for _ in range(20):
        clock.go_on(hours * 3600 * settings.BRIDGE_DELAY_SCALE / 20)
        probe_it(clock, None)
        assert let_through() == waits
        assert not fails(waits, Away.SERVER_ERROR)


def test_a_hold_that_somebody_deleted_is_back_with_the_next_probe(clock: Clock) -> None:
    open_it()
    holds.lift(QUEUE, cause_of(NAME))
    probe_it(clock, Verdict(Away.AWAY, "no connection"))
    assert [hold.cause for hold in holds.in_force()[QUEUE]] == [cause_of(NAME)]


def test_a_hold_whose_service_is_not_away_is_lifted_and_no_other_one(caplog: pytest.LogCaptureFixture) -> None:
    open_it()
    holds.place(QUEUE, "pause", by="anna", why="maintenance")
    watch.lift_forgotten()
    assert len(holds.in_force()[QUEUE]) == 2
    OutsideService.objects.all().delete()
    holds.place(QUEUE, cause_of("gone"), by="breaker", why="no connection")
    watch.lift_forgotten()
    assert [hold.cause for hold in holds.in_force()[QUEUE]] == ["pause"]
    assert "goes on: it was held for a service that is not away (service:gone)" in caplog.text
