"""Whether a bridge lives, a worker answers, and every line is taken from by somebody.

An answer to a ping proves little: a worker may answer and take nothing, of one queue or of all.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from typing import Any

from celery import current_app
from django.conf import settings
from django.utils.translation import gettext_lazy as _
from kombu.exceptions import KombuError
from kombu.pidbox import Mailbox
from redis import RedisError

from bridge.daemon.heartbeat import living_bridges
from bridge.diagnosis import Finding, error, warning
from bridge.queues import registry

# For the answers of all workers; whoever comes later is not counted.
ANSWER_SECONDS = 1.5
# Where the answer of a broker that is away is somebody else's to tell.
BROKER_AWAY = (OSError, KombuError, RedisError)


def look_at_bridges() -> Iterator[Finding]:
    living = living_bridges()
    if not living:
        cause = _("No bridge lives: messages stay in their queues.")
        yield error("processes.no_bridge", cause, _("Start one: manage.py bridge_queues"))
    for bridge in living:
        if bridge.waits_for:
            cause = _("The bridge %(name)s waits: %(what)s does not answer it.")
            remedy = _("Look at its log, and at what else is said here.")
            yield error("processes.bridge_waits", cause, remedy, name=bridge.name, what=bridge.waits_for)


def look_at_workers() -> Iterator[Finding]:
    """Nothing is found where the broker is away: that is told by who asks the broker alone."""
    lines = [settings.CELERY_TASK_DEFAULT_QUEUE, *dict.fromkeys(queue.celery_queue for queue in registry)]
    with suppress(*BROKER_AWAY), closing(connection_of_workers()) as broker:
        before = _oldest(broker, lines)
        most = _bound(broker)
        consumers = ask_workers(broker, "active_queues", most=most)
        if not consumers:
            yield error(
                "processes.no_worker", _("No worker answers: nothing is done."), _("Start one: %(command)s"), **_CMD
            )
            return
        yield from _unserved(lines, consumers)
        still = {name for name, task in _oldest(broker, lines).items() if task and task == before[name]}
        if still:
            yield from _not_moving(still, consumers, ask_workers(broker, "active", most=most))


def connection_of_workers() -> Any:
    """A connection to the broker as the settings name it now, which gives up soon."""
    options = {"socket_timeout": 3, "socket_connect_timeout": 2, "max_retries": 0, "retry_on_timeout": False}
    connection = current_app.connection_for_write(settings.CELERY_BROKER_URL, transport_options=options)
    return connection.ensure_connection(max_retries=1, interval_start=0, timeout=3)


def ask_workers(broker: Any, command: str, *, most: int | None = None, **arguments: Any) -> dict[str, Any]:
    """What each worker answers, by its name; waits for no more answers than `most`.

    On this very connection: Celery's own `control` writes on one of the application's pool, which waits for longer.
    """
    mailbox: Any = Mailbox(current_app.conf.control_exchange, type="fanout", accept=["json"])(broker)
    answers = mailbox.multi_call(command, arguments, timeout=ANSWER_SECONDS, limit=most)
    return {worker: answer for each in answers or () for worker, answer in each.items()}


def _bound(broker: Any) -> int | None:
    """How many workers there can be: those that were killed have left their names there as well."""
    return broker.default_channel.client.scard("_kombu.binding.celery.pidbox") or None


_CMD = {"command": "celery -A balansity worker -n worker@%h"}


def _oldest(broker: Any, lines: Iterable[str]) -> dict[str, bytes | None]:
    """The task of each line that is next: workers take from the right."""
    client = broker.default_channel.client
    return {line: client.lindex(line, -1) for line in lines}


def _unserved(lines: Iterable[str], consumers: Mapping[str, Any]) -> Iterator[Finding]:
    served = {queue["name"] for queues in consumers.values() for queue in queues}
    for line in lines:
        if line not in served:
            yield error(
                "processes.line_unserved",
                _("Workers answer, but none of them takes tasks from the line %(line)s."),
                _("Start a worker without -Q, or one with -Q %(line)s; restart one that lost it."),
                line=line,
            )


def _not_moving(lines: Iterable[str], consumers: Mapping[str, Any], active: Mapping[str, Any]) -> Iterator[Finding]:
    """A line whose next task is the same as before, while one that should take it has nothing to do at all."""
    for line in sorted(lines):
        takers = [worker for worker, queues in consumers.items() if line in {queue["name"] for queue in queues}]
        idle = [worker for worker in takers if not active.get(worker)]
        if idle:
            yield warning(
                "processes.line_stands",
                _("Tasks wait in the line %(line)s while the worker %(worker)s has nothing to do and takes none."),
                _("Restart that worker."),
                line=line,
                worker=idle[0],
            )
