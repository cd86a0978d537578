"""How much the bridge puts in front of the workers."""

from bridge.daemon.flow import (
    FEW_MESSAGES,
    KNOWN_SECONDS,
    LEAST_IN_LINE,
    LEAST_PAUSE,
    MOST_IN_LINE,
    MOST_PAUSE,
    Flow,
)


def feed(flow: Flow, *, seconds: float, rate: int, line: int = 10) -> float:
    """Let workers take `rate` deliveries a second for a while, with never more than `line` tasks waiting."""
    now, step = 100.0, 0.1
    flow.published([1] * line)
    flow.observe(line, now)
    for _ in range(int(seconds / step)):
        now += step
        flow.published([1] * int(rate * step))
        flow.observe(line, now)
    return now


def test_a_new_flow_has_room_for_the_least_line_and_sends_one_delivery_a_task() -> None:
    flow = Flow()
    flow.observe(0, 1.0)
    assert flow.room == LEAST_IN_LINE
    assert flow.bundle_size == 1


def test_published_messages_take_room_until_a_worker_takes_their_task() -> None:
    flow = Flow()
    flow.observe(0, 1.0)
    flow.published([1, 1, 5])
    assert flow.room == LEAST_IN_LINE - 7
    flow.observe(1, 1.1)
    assert flow.room == LEAST_IN_LINE - 5


def test_a_few_are_welcome_by_what_the_broker_said_some_seconds_ago_and_no_longer() -> None:
    flow = Flow()
    assert not flow.has_room_for_few(1.0)
    flow.observe(0, 1.0)
    assert flow.has_room_for_few(1.0 + KNOWN_SECONDS - 0.1)
    assert not flow.has_room_for_few(1.0 + KNOWN_SECONDS)


def test_a_few_are_not_welcome_without_a_look_where_others_wait_or_were_just_published() -> None:
    strangers, own = Flow(), Flow()
    for flow in (strangers, own):
        flow.observe(0, 1.0)
    strangers.observe(FEW_MESSAGES + 1, 2.0)
    own.published([1] * FEW_MESSAGES)
    assert own.has_room_for_few(2.0)
    own.published([1])
    assert (strangers.has_room_for_few(2.0), own.has_room_for_few(2.0)) == (False, False)


def test_a_full_line_has_no_room() -> None:
    flow = Flow()
    flow.published([1] * LEAST_IN_LINE)
    flow.observe(LEAST_IN_LINE, 1.0)
    assert flow.room <= 0


def test_tasks_of_another_bridge_take_room_too() -> None:
    flow = Flow()
    flow.observe(LEAST_IN_LINE + 3, 1.0)
    assert flow.room == -3


def test_quick_workers_get_a_longer_line_and_bundles() -> None:
    flow = Flow()
    feed(flow, seconds=2, rate=400)
    assert 350 <= flow.rate <= 450
    assert flow.room > LEAST_IN_LINE
    assert flow.bundle_size >= 35


def test_slow_work_is_never_bundled() -> None:
    flow = Flow()
    feed(flow, seconds=3, rate=10)
    assert flow.bundle_size == 1


def test_the_line_is_bounded_however_quick_the_workers_are() -> None:
    flow = Flow()
    feed(flow, seconds=2, rate=50_000)
    assert flow.room <= MOST_IN_LINE


def test_the_rate_falls_to_nothing_when_the_workers_stop() -> None:
    flow = Flow()
    now = feed(flow, seconds=2, rate=400)
    flow.observe(10, now + 1.5)
    assert flow.rate == 0
    assert flow.bundle_size == 1


def test_the_pause_stays_between_its_bounds() -> None:
    slow, quick = Flow(), Flow()
    feed(slow, seconds=2, rate=10, line=200)
    feed(quick, seconds=2, rate=50_000, line=5)
    assert slow.pause == MOST_PAUSE
    assert quick.pause == LEAST_PAUSE
