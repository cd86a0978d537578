"""How the services stand: for commands, pages and metrics."""

from dataclasses import dataclass
from datetime import datetime

from bridge.breaker.advice import advice
from bridge.breaker.rows import IfThereAreRows, waiting_in
from bridge.breaker.services import services
from bridge.models import OutsideService
from bridge.queues import queues_needing


@dataclass(frozen=True, slots=True)
class ServiceState:
    """One service. What follows `is_open` is only set while it is away.

    `kind` is also the code of the advice, which `bridge.breaker.advice` words. `waiting` counts the messages of its
    `queues`.
    """

    name: str
    is_open: bool
    since: datetime | None = None
    why: str = ""
    kind: str = ""
    waiting: int = 0
    queues: tuple[str, ...] = ()
    probe_at: datetime | None = None

    @property
    def advice_code(self) -> str:
        return self.kind

    @property
    def label(self) -> str:
        """How people call it; in the active language."""
        return services.label(self.name)

    @property
    def advice(self) -> str:
        """In the active language."""
        return advice(self.kind) if self.is_open else ""


def states() -> list[ServiceState]:
    """Every service that a queue of ours needs, or that is away. Before `migrate` none of them is known to be."""
    needed = {name: ServiceState(name, is_open=False) for name in sorted(service.name for service in services)}
    needed = {name: state for name, state in needed.items() if queues_needing(name)}
    with IfThereAreRows():
        for row in OutsideService.objects.filter(is_open=True):
            needed[row.name] = _away(row)
    return list(needed.values())


def away() -> list[ServiceState]:
    """Those that are away."""
    return [state for state in states() if state.is_open]


def _away(row: OutsideService) -> ServiceState:
    queues = tuple(queue.name for queue in queues_needing(row.name))
    return ServiceState(row.name, True, row.since, row.why, row.kind, waiting_in(list(queues)), queues, row.probe_at)
