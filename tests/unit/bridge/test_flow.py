"""How much the bridge puts in front of the workers."""

from functools import partial

import pytest

from bridge.daemon.flow import (
    KNOWN_SECONDS,
    LEAST_IN_LINE,
    LEAST_PAUSE,
    LEAST_SPAN_SECONDS,
    MOST_IN_LINE,
    MOST_PAUSE,
    UNSURE_PAUSE,
    Flow,
)
from bridge.sql.statements import FEW_MESSAGES


def feed(flow: Flow, *, seconds: float, rate: int, line: int = 10) -> float:
    """Let workers take `rate` deliveries a second for a while, with never more than `line` tasks waiting."""
    now, step = 100.0, 0.1
    flow.published([1] * line, now)
    flow.observe(line, now)
    for _ in range(int(seconds / step)):
        now += step
        flow.published([1] * int(rate * step), now)
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
    flow.published([1, 1, 5], 1.0)
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
    own.published([1] * FEW_MESSAGES, 2.0)
    assert own.has_room_for_few(2.0)
    own.published([1], 2.0)
    assert (strangers.has_room_for_few(2.0), own.has_room_for_few(2.0)) == (False, False)


def test_a_full_line_has_no_room() -> None:
    flow = Flow()
    flow.published([1] * LEAST_IN_LINE, 0.9)
    flow.observe(LEAST_IN_LINE, 1.0)
    assert flow.room <= 0


def test_tasks_of_another_bridge_take_room_too() -> None:
    flow = Flow()
    flow.observe(LEAST_IN_LINE + 3, 1.0)
    assert flow.room == -3


def test_quick_workers_get_a_longer_line_and_bundles() -> None:
    flow = Flow()
    flow.children = lambda: 1
    feed(flow, seconds=5, rate=400)
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


def test_beside_a_full_line_of_which_nobody_takes_anything_the_broker_is_asked_seldom() -> None:
    flow = Flow()
    flow.published([1] * LEAST_IN_LINE, 100.0)
    pauses = []
    for now in (100.05, 100.95, 101.05):
        flow.observe(LEAST_IN_LINE, now)
        pauses.append(flow.pause)
    assert pauses == [UNSURE_PAUSE, UNSURE_PAUSE, MOST_PAUSE]


def test_at_the_start_of_a_burst_nobody_sleeps_as_if_its_speed_were_known() -> None:
    flow = Flow()
    for began in (100.0, 200.0):
        # Whatever was done a minute ago is none of its speed.
        flow.published([1] * LEAST_IN_LINE, began)
        flow.observe(LEAST_IN_LINE - 2, began + 0.1)
        assert flow.rate == 2 / LEAST_SPAN_SECONDS
        assert flow.pause == UNSURE_PAUSE
        flow.observe(LEAST_IN_LINE - 4, began + 1.0)
        assert flow.rate == 4
        assert flow.pause == MOST_PAUSE
        flow.observe(0, began + 30)


class Workers:
    """Children that take a task out of the line when they are through with the one before, on a clock of their own."""

    def __init__(self, flow: Flow, *, task_seconds: float, message_seconds: float, children: int = 1) -> None:
        self._flow, self._costs = flow, (task_seconds, message_seconds)
        flow.children = lambda: children
        self._line: list[int] = []
        self.now = 100.0
        self._free_at = [self.now] * children
        self.taken, self.most_in_line, self.most_in_bundle = 0, 0, 0

    def serve(self, seconds: float, *, per_look: int = 10, due: int = 1_000_000) -> None:
        """Do as the bridge does, with so many messages `due`: look at once, or after the pause."""
        end = self.now + seconds
        while self.now < end:
            self._flow.observe(len(self._line), self.now)
            room, bundle = self._flow.room, self._flow.bundle_size
            count = min(room, per_look * bundle, due)
            if count > 0:
                due -= count
                sizes = [min(bundle, count - start) for start in range(0, count, bundle)]
                self._flow.published(sizes, self.now)
                self._line += sizes
                self.most_in_line = max(self.most_in_line, sum(self._line))
                self.most_in_bundle = max(self.most_in_bundle, bundle)
            self._work(0.005 if count > 0 else self._flow.pause)

    @property
    def is_free(self) -> bool:
        return not self._line and max(self._free_at) <= self.now

    def _work(self, seconds: float) -> None:
        before, self.now = self.now, self.now + seconds
        while self._line and (first := min(self._free_at)) <= self.now:
            size = self._line.pop(0)
            self.taken += size
            self._free_at.remove(first)
            self._free_at.append(max(first, before) + self._costs[0] + self._costs[1] * size)


def test_a_burst_of_quick_work_has_the_workers_full_speed_within_a_second() -> None:
    workers = Workers(Flow(), task_seconds=0.001, message_seconds=0.0003)
    workers.serve(1.0)
    after_one = workers.taken
    workers.serve(1.0)
    # 100 messages in a task of 31 ms are 3 226 a second.
    assert after_one > 2_300
    assert workers.taken - after_one > 2_900


def test_a_bundle_is_a_fifth_of_a_second_of_one_child() -> None:
    for children, bundle in ((1, 100), (2, 80), (8, 20), (160, 1), (10**400, 1)):
        flow = Flow()
        flow.children = partial(int, children)
        feed(flow, seconds=3, rate=800)
        assert flow.bundle_size == bundle


def test_a_bundle_is_what_a_child_took_within_the_first_tenth_of_a_second() -> None:
    flow = Flow()
    flow.children = lambda: 8
    flow.published([1] * 40, 1.0)
    flow.observe(32, 1.005)
    assert flow.bundle_size == 1, "each has one in hand"
    flow.observe(0, 1.05)
    assert flow.bundle_size == 5


def test_of_workers_that_did_not_say_how_many_children_they_have_many_are_thought() -> None:
    for children in (8, 16, 40):
        flow = Flow()
        workers = Workers(flow, task_seconds=0.001, message_seconds=1.5, children=children)
        flow.children = Flow().children
        workers.serve(5.0)
        assert workers.most_in_bundle == 1
    flow = Flow()
    feed(flow, seconds=3, rate=2_000)
    assert flow.bundle_size == 10


def test_a_bundle_goes_by_what_was_done_of_late_and_a_short_look_is_not_taken_for_long() -> None:
    flow = Flow()
    flow.children = lambda: 1
    now = feed(flow, seconds=2, rate=80)
    assert flow.bundle_size == 16
    flow.published([1] * 90, now)
    flow.observe(50, now + 0.1)
    # Half of what was in line within a tenth of a second: of the whole second it would be 24.
    assert flow.bundle_size == 50
    assert flow.pause == pytest.approx(50 / 2 / 500)
    # The same number in one look that took half a second is a fifth of the speed.
    flow.observe(0, now + 0.6)
    assert flow.bundle_size == 25


def test_slow_work_of_many_children_is_not_bundled_as_they_take_a_task_each_at_once() -> None:
    for children in (8, 16, 40):
        for rounds in (2, 3):
            workers = Workers(Flow(), task_seconds=0.001, message_seconds=1.5, children=children)
            workers.serve(1.5 * rounds + 0.5, due=children * rounds)
            assert workers.taken == children * rounds
            assert workers.is_free, f"{children} children were not through with {rounds} messages each"


def test_a_second_burst_is_as_quick_as_the_first() -> None:
    flow = Flow()
    first = Workers(flow, task_seconds=0.001, message_seconds=0.0003)
    first.serve(1.5)
    flow.observe(0, first.now + 1)
    flow.observe(0, first.now + 60)
    second = Workers(flow, task_seconds=0.001, message_seconds=0.0003)
    second.now = first.now + 120
    second.serve(1.0)
    assert second.taken > 2_300


def test_a_burst_after_messages_that_came_one_by_one_does_not_wait_as_if_those_had_told_its_speed() -> None:
    flow = Flow()
    workers = Workers(flow, task_seconds=0.001, message_seconds=0.0003)
    for _ in range(5):
        flow.published([1], workers.now)
        flow.observe(0, workers.now + 0.05)
        workers.now += 0.9
    workers.serve(0.5)
    assert workers.taken > 300


def test_slow_work_waits_in_postgres_and_not_in_the_line() -> None:
    for seconds in (0.15, 0.5, 5.0):
        workers = Workers(Flow(), task_seconds=0.001, message_seconds=seconds)
        workers.serve(30.0)
        assert workers.most_in_line <= LEAST_IN_LINE
        assert workers.taken >= int(30 / (seconds + 0.001))


def test_slow_work_is_not_bundled_because_many_children_were_idle() -> None:
    for children, seconds in ((4, 0.4), (8, 1.0), (8, 5.0), (16, 5.0)):
        workers = Workers(Flow(), task_seconds=0.001, message_seconds=seconds, children=children)
        workers.serve(3.0)
        assert workers.most_in_bundle == 1


def test_work_that_turns_slow_amid_a_burst_leaves_a_bounded_line() -> None:
    flow = Flow()
    workers = Workers(flow, task_seconds=0.001, message_seconds=0.0003)
    workers.serve(3.0)
    workers._costs = (0.001, 0.5)
    workers.serve(3.0)
    workers.most_in_line = 0
    flow.observe(len(workers._line), workers.now)
    assert flow.room <= 0


def test_a_line_is_filled_up_when_a_quarter_of_it_is_free_and_not_for_each_message() -> None:
    flow = Flow()
    flow.published([1] * LEAST_IN_LINE, 1.0)
    flow.observe(LEAST_IN_LINE - 4, 3.0)
    assert flow.room == 0
    flow.observe(LEAST_IN_LINE - 5, 3.1)
    assert flow.room == 5


def test_a_full_line_that_was_emptied_before_the_next_look_may_be_twice_as_long() -> None:
    flow = Flow()
    flow.published([1] * LEAST_IN_LINE, 1.0)
    flow.observe(LEAST_IN_LINE // 4, 1.5)
    assert flow.room == 2 * LEAST_IN_LINE - LEAST_IN_LINE // 4
    # A short line that was short before says nothing.
    flow.observe(0, 1.6)
    assert flow.room == 2 * LEAST_IN_LINE
