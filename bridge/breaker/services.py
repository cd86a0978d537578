"""The services outside that the packages register: how people call them, and what tells whether they work."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from django.core.checks import ERROR
from django.utils import translation
from django.utils.functional import Promise
from django.utils.module_loading import import_string

from bridge.diagnosis import Finding
from bridge.errors import Away, RegistrationError

Look = Callable[[float | None], Iterable[Finding]]
MOST_CHARACTERS = 30


@dataclass(frozen=True, slots=True)
class Service:
    """`probe` is the dotted path of a look at the service that costs no message: it yields an error for what is wrong.

    It is called with the seconds that each of its steps may take, or `None` for as many as in real work, in a thread
    that asks Postgres nothing. `refused` are the codes of its findings that a person has to mend; whoever asks too
    often after one of those is locked out.
    """

    name: str
    label: str | Promise
    probe: str = ""
    refused: frozenset[str] = frozenset()

    def look(self, seconds: float | None = None) -> "Verdict | None":
        """What is wrong with it now, or `None`. Only for one that has a probe."""
        look: Look = import_string(self.probe)
        found = next((finding for finding in look(seconds) if finding.level >= ERROR), None)
        if found is None:
            return None
        # As every error that is kept in a row, and in the log.
        with translation.override("en"):
            return Verdict(Away.REFUSED if found.code in self.refused else Away.AWAY, found.cause)


@dataclass(frozen=True, slots=True)
class Verdict:
    """In which way a service fails, and what it said; `None` in its place: it is not the service that fails."""

    kind: Away
    why: str


class Services:
    """Those of the installed packages, by name."""

    def __init__(self) -> None:
        self._services: dict[str, Service] = {}

    def register(self, service: Service) -> None:
        """Add a service. Raises `RegistrationError`."""
        if len(service.name) > MOST_CHARACTERS or service.name in self._services:
            raise RegistrationError(f"the service {service.name} was registered before, or its name is too long")
        self._services[service.name] = service

    def get(self, name: str) -> Service | None:
        return self._services.get(name)

    def label(self, name: str) -> str:
        """How people call it; in the active language."""
        found = self._services.get(name)
        return str(found.label) if found else name

    def __contains__(self, name: object) -> bool:
        return name in self._services

    def __iter__(self) -> Iterator[Service]:
        return iter(self._services.values())


services = Services()


def register_service(name: str, *, label: str | Promise, probe: str = "", refused: Iterable[str] = ()) -> None:
    """Make a service known that queues name in `services`; see `Service`."""
    services.register(Service(name, label, probe, frozenset(refused)))
