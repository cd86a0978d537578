import pytest

from bridge.errors import QueueNotRegistered, RegistrationError
from bridge.queues import BUNDLE_SECONDS, NoJournal, Queue, Registry


def queue(name: str = "email_queue", *, max_retries: int = 5, time_limit: int = 60) -> Queue:
    return Queue(name, f"tasks.{name}", "email", max_retries, time_limit, NoJournal())


def test_a_registered_queue_is_found_by_name() -> None:
    registry = Registry()
    registry.register(queue())
    assert registry.get("email_queue").task == "tasks.email_queue"
    assert "email_queue" in registry
    assert [known.name for known in registry] == ["email_queue"]


def test_a_second_handler_for_a_queue_is_refused_and_both_are_named() -> None:
    registry = Registry()
    registry.register(queue())
    with pytest.raises(RegistrationError, match=r"already handled by tasks\.email_queue"):
        registry.register(queue())


@pytest.mark.parametrize(("max_retries", "time_limit"), [(-1, 60), (5, 0)])
def test_limits_that_cannot_work_are_refused(max_retries: int, time_limit: int) -> None:
    with pytest.raises(RegistrationError, match="needs max_retries"):
        Registry().register(queue(max_retries=max_retries, time_limit=time_limit))


def test_one_attempt_of_a_second_is_the_least_there_is() -> None:
    registry = Registry()
    registry.register(queue(max_retries=0, time_limit=1))
    assert registry.get("email_queue").most_attempts == 1


def test_an_unknown_queue_names_the_known_ones() -> None:
    registry = Registry()
    with pytest.raises(QueueNotRegistered, match=r"'nope'; there are: none"):
        registry.get("nope")
    registry.register(queue())
    with pytest.raises(QueueNotRegistered, match=r"'nope'; there are: email_queue"):
        registry.get("nope")


@pytest.mark.parametrize("time_limit", [1, 2, 10, 60, 3600])
def test_the_limits_of_an_attempt_come_in_order(time_limit: int) -> None:
    limits = queue(time_limit=time_limit)
    assert 1 <= limits.soft_time_limit <= limits.time_limit
    # The hard limit of a bundle is the attempt's own and the time in which a bundle may start attempts.
    assert limits.time_limit + BUNDLE_SECONDS < limits.run_lease
