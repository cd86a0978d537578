"""When the breaker of a service opens and closes, and whose attempt counts. With real rows, and no process."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from bridge import holds
from bridge.breaker.record import note_answer, note_failure
from bridge.breaker.rows import cause_of, database_now
from bridge.breaker.states import states
from bridge.breaker.watch import end_turn, open_services, take_turn
from bridge.errors import Away, ServiceAway, TokenLost
from bridge.models import OutsideService
from bridge.pgmq import PgmqQueue
from sandbox.probe.apps import QUEUE
from tests.acceptance.waiting import wait_until
from tests.support.outages import NAME, Lab, away, laboratory, message
from tests.support.overlapping import somebody_waits_for_us


@pytest.fixture(autouse=True)
def lab(probe: PgmqQueue) -> Iterator[Lab]:
    with laboratory() as made:
        yield made


class PutBack:
    """Takes the place of what puts a message back."""

    def __init__(self) -> None:
        self.dues: list[datetime] = []

    def __call__(self, due: datetime) -> None:
        self.dues.append(due)


def fails(
    msg_id: int, error: ServiceAway | None = None, *, began: datetime | None = None, is_sure: bool = False
) -> bool:
    """Whether this attempt counts."""
    put_back = PutBack()
    waits = note_failure(error or away(), message(msg_id, began=began), put_back=put_back, is_sure=is_sure)
    assert len(put_back.dues) == waits
    return not waits


def answers(msg_id: int, *, began: datetime | None = None) -> None:
    note_answer(NAME, message(msg_id, began=began or database_now()))


def row() -> OutsideService:
    return OutsideService.objects.get(pk=NAME)


def is_held() -> bool:
    return any(hold.cause == cause_of(NAME) for hold in holds.in_force(QUEUE).get(QUEUE, []))


def open_it(kind: Away = Away.AWAY) -> None:
    for msg_id in (1, 2, 3):
        fails(msg_id, away(kind))
    assert row().is_open


def make_due() -> None:
    """Let the time of the next probe have come."""
    OutsideService.objects.update(probe_at=database_now() - timedelta(seconds=1))


def test_three_different_messages_in_a_row_open_it_and_cost_two_attempts() -> None:
    assert [fails(msg_id) for msg_id in (1, 2, 3)] == [True, True, False]
    assert is_held()
    assert [fails(msg_id) for msg_id in (4, 1, 5)] == [False, False, False]


def test_one_message_alone_never_opens_it() -> None:
    assert [fails(1) for _ in range(20)] == [True] * 20
    assert fails(2)
    assert [fails(1 + number % 2) for number in range(20)] == [True] * 20
    assert not row().is_open
    assert not is_held()


def test_a_success_in_between_begins_the_count_anew() -> None:
    for msg_id in range(1, 30, 2):
        assert fails(msg_id)
        answers(msg_id + 1)
    assert fails(101)
    assert fails(102)
    answers(103)
    assert fails(104)
    assert fails(105)
    assert not row().is_open
    assert not fails(106)


def test_a_success_that_began_before_the_first_failure_proves_nothing() -> None:
    before = database_now()
    assert fails(1)
    assert fails(2)
    answers(4, began=before)
    assert not fails(3)
    answers(5, began=before)
    assert row().is_open


def test_what_runs_when_it_opens_is_put_back_and_does_not_count_even_after_it_has_closed() -> None:
    before = database_now()
    open_it()
    assert not fails(4, began=before)
    answers(5)
    assert not row().is_open
    # Its timeout is longer than the outage was.
    assert not fails(6, began=before)
    assert row().failing == []
    assert fails(7, began=database_now())


def test_a_success_that_began_after_it_opened_closes_it() -> None:
    open_it()
    answers(9)
    assert not row().is_open
    assert not is_held()


def test_what_was_seen_without_a_message_opens_it_at_once() -> None:
    assert not fails(1, is_sure=True)
    assert row().is_open


def test_a_message_that_is_no_longer_ours_changes_nothing() -> None:
    def lost(due: datetime) -> None:
        raise TokenLost("somebody else has it")

    assert fails(1)
    assert fails(2)
    with pytest.raises(TokenLost):
        note_failure(away(), message(3), put_back=lost)
    assert not row().is_open
    assert len(row().failing) == 2
    assert not is_held()


def test_many_that_fail_at_the_same_time_spend_no_more_than_two_attempts(lab: Lab) -> None:
    def failing(msg_id: int) -> bool:
        try:
            return fails(msg_id)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        counted = list(pool.map(failing, range(1, 25)))
    assert counted.count(True) == 2
    assert row().is_open


def test_queues_that_need_another_service_go_on_and_services_that_no_queue_needs_hold_none() -> None:
    open_it()
    assert set(holds.in_force()) == {QUEUE}
    for msg_id in range(1, 9):
        assert fails(msg_id, ServiceAway("nobody's", "no connection"))
    assert open_services() == [NAME]


def test_before_migrate_there_is_no_breaker(lab: Lab) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE bridge_outsideservice")
    assert [fails(msg_id) for msg_id in (1, 2, 3, 4)] == [True] * 4
    answers(5)
    assert open_services() == []
    assert all(not state.is_open for state in states())


def test_the_address_of_a_family_stands_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    said = "553 5.7.1 <anna.petrova@example.org>: Sender address rejected; try anna.petrova@example.org (ivan@почта.рф)"
    for msg_id in (1, 2, 3):
        fails(msg_id, away(Away.REFUSED, said))
    (hold,) = holds.in_force(QUEUE)[QUEUE]
    for text in (row().why, hold.why, caplog.text):
        assert "Sender address rejected" in text
        assert "petrova" not in text
        assert "почта.рф" not in text


def test_one_line_of_the_log_tells_each_end(probe: PgmqQueue, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(5):
        probe.send({})
    open_it()
    fails(4)
    begins = [record for record in caplog.records if getattr(record, "event", "") == "service_away"]
    assert len(begins) == 1
    text = begins[0].getMessage()
    assert text.startswith("The lab (lab) does not do its part (away), nothing is attempted until it does; 5 messages")
    assert "no connection" in text
    assert "Nothing is lost" in text
    answers(9)
    ends = [record for record in caplog.records if getattr(record, "event", "") == "service_back"]
    assert [record.getMessage() for record in ends] == [
        f"The lab (lab) does its part again after 0 s; 5 messages go on in {QUEUE}"
    ]


def test_the_states_say_which_since_when_why_how_many_wait_and_what_to_do(probe: PgmqQueue) -> None:
    probe.send({})
    (calm,) = [state for state in states() if state.name == NAME]
    assert not calm.is_open
    before = timezone.now() - timedelta(seconds=5)
    open_it(Away.QUOTA)
    (state,) = [state for state in states() if state.name == NAME]
    assert state.is_open
    assert state.since is not None
    assert state.since > before
    assert (state.why, state.kind, state.waiting, state.queues) == ("no connection", "quota", 1, (QUEUE,))
    assert state.advice_code == "quota"
    assert "попросите поднять лимит" in state.advice


def test_one_process_at_a_time_probes(lab: Lab) -> None:
    open_it()
    assert not take_turn(NAME, "a")
    make_due()
    assert take_turn(NAME, "a")
    make_due()
    assert not take_turn(NAME, "b")
    assert not take_turn(NAME, "a")


def test_the_turn_of_a_process_that_was_killed_goes_to_another_and_its_word_comes_too_late() -> None:
    open_it()
    make_due()
    assert take_turn(NAME, "killed")
    OutsideService.objects.update(probing_until=database_now() - timedelta(milliseconds=1))
    make_due()
    assert take_turn(NAME, "other")
    end_turn(NAME, "killed", None)
    assert row().is_open
    end_turn(NAME, "other", None)
    assert not row().is_open


def test_what_a_probe_saw_is_not_lost_because_somebody_else_looks_at_the_same_moment() -> None:
    open_it()
    make_due()
    assert take_turn(NAME, "me")

    def end() -> None:
        end_turn(NAME, "me", None)
        connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            OutsideService.objects.select_for_update().get(pk=NAME)
            assert not take_in_another_session()
            ended = pool.submit(end)
            wait_until(somebody_waits_for_us, "the end of the turn waits")
        ended.result(10)
    assert not row().is_open


def take_in_another_session() -> bool:
    def take() -> bool:
        try:
            return take_turn(NAME, "other")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(take).result(10)


def test_two_processes_that_ask_at_the_same_moment_get_one_turn() -> None:
    open_it()
    make_due()

    def ask(who: str) -> bool:
        try:
            return take_turn(NAME, who)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(ask, "abcdef")) == 1


def test_the_breaker_of_a_service_that_nobody_needs_any_more_is_closed() -> None:
    open_it()
    OutsideService.objects.filter(pk=NAME).update(name="resend")
    holds.lift(QUEUE, cause_of(NAME))
    holds.place(QUEUE, cause_of("resend"), by="breaker", why="no connection")
    assert not take_turn("resend", "a")
    assert open_services() == []
    assert holds.in_force() == {}
