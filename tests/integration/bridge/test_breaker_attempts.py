"""What becomes of an attempt that meets an outage, as the worker's child runs it."""

from collections.abc import Callable, Iterator

import pytest
from celery.exceptions import Ignore, Retry, SoftTimeLimitExceeded
from django.db import connection

from bridge.breaker import Verdict, asking
from bridge.errors import Away, ServiceAway
from bridge.message import Delivery, LastError
from bridge.models import OutsideService
from bridge.pgmq import PgmqQueue
from bridge.queues import registry
from sandbox.probe.apps import QUEUE
from tests.support.deliveries import read_one
from tests.support.outages import NAME, REFUSED, Lab, laboratory, message

Run = Callable[[Delivery], None]
ALWAYS = 1000


@pytest.fixture(autouse=True)
def lab(probe: PgmqQueue) -> Iterator[Lab]:
    with laboratory() as made:
        yield made


@pytest.fixture
def run(run_delivery: Run) -> Callable[[int], type[BaseException] | None]:
    """Run one attempt of a message; returns what Celery would see of it."""

    def run(msg_id: int) -> type[BaseException] | None:
        try:
            run_delivery(read_one(QUEUE, msg_id))
        except (Retry, Ignore, ConnectionRefusedError) as error:
            return type(error)
        return None

    return run


def send(probe: PgmqQueue, *, attempts: int = 0, **body: object) -> int:
    """A message that meets an outage at each attempt, after so many that failed for another reason."""
    msg_id = probe.send({"service": NAME, "away_first": ALWAYS, **body})
    for number in range(1, attempts + 1):
        claimed = probe.claim(read_one(QUEUE, msg_id).token, lease=60, attempts=number, trace_id="t")
        assert claimed is not None
        assert probe.retry(claimed.token, delay=0, error=LastError("RuntimeError", "something else"))
    return msg_id


def standing(msg_id: int) -> tuple[int, bool]:
    """How many attempts were counted, and whether it is visible."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT (headers -> 'bridge' ->> 'attempts')::int, vt <= clock_timestamp() FROM pgmq.q_{QUEUE}"
            " WHERE msg_id = %s",
            [msg_id],
        )
        attempts, visible = cursor.fetchone()
    return attempts, visible


def is_open() -> bool:
    return OutsideService.objects.filter(pk=NAME, is_open=True).exists()


LAST = 5


def test_the_first_two_count_and_the_third_opens_the_breaker_and_is_visible_again(
    probe: PgmqQueue, run: Callable[[int], type[BaseException] | None]
) -> None:
    first, second, third = (send(probe) for _ in range(3))
    assert [run(msg_id) for msg_id in (first, second, third)] == [Retry, Retry, Ignore]
    assert [standing(msg_id) for msg_id in (first, second, third)] == [(1, False), (1, False), (0, True)]
    assert is_open()


def test_on_the_message_stands_what_happened_and_not_how_the_breaker_calls_it(
    probe: PgmqQueue, run: Callable[[int], type[BaseException] | None]
) -> None:
    msg_id = send(probe)
    run(msg_id)
    error = read_one(QUEUE, msg_id).history.last_error
    assert error == LastError("ConnectionRefusedError", "lab was told to be away")


def test_an_outage_does_not_end_a_message_whose_last_attempt_meets_it(
    probe: PgmqQueue, lab: Lab, run: Callable[[int], type[BaseException] | None]
) -> None:
    msg_id = send(probe, attempts=LAST)
    assert run(msg_id) is Ignore
    assert standing(msg_id) == (LAST, True)
    assert is_open()
    assert lab.asked == 1


def test_a_message_that_fails_while_the_service_is_there_ends_after_its_attempts_and_opens_nothing(
    probe: PgmqQueue, lab: Lab, run: Callable[[int], type[BaseException] | None]
) -> None:
    lab.finds = ()
    msg_id = send(probe)
    seen = [run(msg_id) for _ in range(registry.get(QUEUE).most_attempts)]
    assert seen == [Retry] * LAST + [ConnectionRefusedError]
    history = probe.archived_history(msg_id)
    assert history is not None
    assert (history["reason"], history["attempts"]) == ("retries_exhausted", LAST + 1)
    assert history["last_error"]["type"] == "ConnectionRefusedError"
    assert not is_open()
    # The others were no reason to ask.
    assert lab.asked == 1


@pytest.mark.parametrize("kind", [Away.REFUSED, Away.QUOTA])
def test_what_no_probe_can_tell_apart_ends_a_message_as_before(
    probe: PgmqQueue, lab: Lab, run: Callable[[int], type[BaseException] | None], kind: Away
) -> None:
    lab.finds = (REFUSED,)
    assert run(send(probe, attempts=LAST, kind=kind)) is ConnectionRefusedError
    assert (lab.asked, is_open()) == (0, False)


def test_a_service_without_a_probe_cannot_save_the_last_attempt_of_one_message(
    probe: PgmqQueue, run: Callable[[int], type[BaseException] | None]
) -> None:
    with laboratory(has_probe=False):
        assert run(send(probe, attempts=LAST)) is ConnectionRefusedError
    assert not is_open()


def test_the_third_of_them_does_not_end_either_whatever_attempt_it_was(
    probe: PgmqQueue, lab: Lab, run: Callable[[int], type[BaseException] | None]
) -> None:
    lab.finds = ()
    run(send(probe))
    run(send(probe))
    last = send(probe, attempts=LAST)
    assert run(last) is Ignore
    assert standing(last) == (LAST, True)


def test_a_probe_that_is_broken_is_no_evidence(
    probe: PgmqQueue, run: Callable[[int], type[BaseException] | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(seconds: float | None) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr("tests.support.outages.look", broken)
    assert run(send(probe, attempts=LAST)) is ConnectionRefusedError
    assert not is_open()


def test_an_answer_is_noted_with_the_message_that_got_it(
    probe: PgmqQueue, run: Callable[[int], type[BaseException] | None]
) -> None:
    run(send(probe))
    run(send(probe))
    assert run(send(probe, away_first=0)) is None
    assert run(send(probe)) is Retry
    assert not is_open()


def test_a_message_that_ends_well_without_asking_is_no_answer(
    probe: PgmqQueue, run: Callable[[int], type[BaseException] | None]
) -> None:
    for msg_id in (send(probe), send(probe), probe.send({})):
        run(msg_id)
    assert run(send(probe)) is Ignore
    assert is_open()


def test_before_migrate_everything_is_as_before(
    probe: PgmqQueue, lab: Lab, run: Callable[[int], type[BaseException] | None]
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE bridge_outsideservice; DROP TABLE bridge_queuehold")
    lab.finds = ()
    ids = [send(probe) for _ in range(5)]
    assert [run(msg_id) for msg_id in ids] == [Retry] * 5
    assert run(send(probe, away_first=0)) is None
    assert run(send(probe, attempts=LAST)) is ConnectionRefusedError


def test_a_service_that_is_silent_until_the_time_limit_is_away(probe: PgmqQueue) -> None:
    with pytest.raises(ServiceAway) as caught, asking(NAME, message(1), lambda error: None):
        raise SoftTimeLimitExceeded
    assert (caught.value.service, caught.value.kind) == (NAME, Away.AWAY)


def test_what_is_not_about_the_service_stays_what_it_is(probe: PgmqQueue) -> None:
    with pytest.raises(KeyError), asking(NAME, message(1), lambda error: None):
        raise KeyError("mine")
    with pytest.raises(KeyError), asking("nobody's", message(1), lambda error: Verdict(Away.AWAY, "x")):
        raise KeyError("mine")
