"""All looks of all packages, side by side and within one time: what hangs is named, and keeps nobody else."""

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from django.core.checks import ERROR, WARNING
from django.db import DatabaseError, InterfaceError, ProgrammingError, connection, connections
from django.utils.translation import gettext_lazy as _

from balansity.packages import modules_called
from balansity.redaction import redact
from bridge.diagnosis import Finding, Probe, error
from bridge.doctor.troubles import explained
from bridge.errors import is_closed

# Together with the start of a command less than ten.
SECONDS = 6.0
# For one connection and one statement, so that the looks after it are taken as well.
POSTGRES_SECONDS = 4
POSTGRES = "Postgres"


@dataclass(slots=True)
class Examination:
    """The findings, the gravest first."""

    findings: list[Finding] = field(default_factory=list)
    looks: int = 0
    seconds: float = 0.0

    @property
    def errors(self) -> int:
        return sum(finding.level >= ERROR for finding in self.findings)

    @property
    def warnings(self) -> int:
        return sum(WARNING <= finding.level < ERROR for finding in self.findings)


def examine(probes: Iterable[Probe] | None = None, *, seconds: float = SECONDS) -> Examination:
    """Take every look; returns after `seconds` at the latest, whatever hangs."""
    began = time.monotonic()
    chosen = list(all_probes() if probes is None else probes)
    looks = [_Look(probe.name, [probe]) for probe in chosen if not probe.asks_postgres]
    if asking := [probe for probe in chosen if probe.asks_postgres]:
        looks.append(_Look(POSTGRES, asking))
    for look in looks:
        look.start()
    for look in looks:
        look.join(max(0.0, began + seconds - time.monotonic()))
    found = [_without_secrets(finding) for look in looks for finding in look.told(seconds)]
    found.sort(key=lambda finding: -finding.level)
    return Examination(found, len(chosen), time.monotonic() - began)


def all_probes() -> Iterator[Probe]:
    """Those of each installed package that has a module `doctor`."""
    for module in modules_called("doctor"):
        yield from module.PROBES


class _Look(threading.Thread):
    """A daemon: a process must be able to end while one hangs in the network."""

    def __init__(self, name: str, probes: list[Probe]) -> None:
        super().__init__(name=f"look at {name}", daemon=True)
        self._about, self._probes = name, probes
        self._found: list[Finding] = []
        self._ended = False

    def told(self, seconds: float) -> list[Finding]:
        """What is known by now, and that it is not all, if so."""
        found = list(self._found)
        if not self._ended:
            cause = _("The look at %(name)s took more than %(seconds)s s and was given up.")
            remedy = _(
                "Something there accepts connections and does not answer, DNS does not, or this machine is busy."
            )
            found.append(error("doctor.no_answer", cause, remedy, name=self._about, seconds=round(seconds)))
        return found

    def run(self) -> None:
        try:
            if self._about != POSTGRES or self._reaches_postgres():
                for probe in self._probes:
                    self._take(probe)
            self._ended = True
        finally:
            connections.close_all()

    def _reaches_postgres(self) -> bool:
        # A copy: the settings of this connection are those of all threads.
        options = {**connection.settings_dict.get("OPTIONS", {}), "connect_timeout": POSTGRES_SECONDS}
        connection.settings_dict = {**connection.settings_dict, "OPTIONS": options}
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"SET statement_timeout TO {POSTGRES_SECONDS * 1000 // 2}")
        except (DatabaseError, InterfaceError) as trouble:
            self._fail(POSTGRES, trouble)
            return False
        return True

    def _take(self, probe: Probe) -> None:
        try:
            self._found.extend(probe.look())
        except ProgrammingError as trouble:
            # A right or a table that is missing, which the looks at rights and migrations name.
            if not (is_closed(trouble) or _lacks_table(trouble)):
                self._fail(probe.name, trouble)
        except Exception as trouble:  # noqa: BLE001 - whatever one look runs into, the others are told.
            self._fail(probe.name, trouble)

    def _fail(self, name: str, trouble: Exception) -> None:
        cause, said = _("The look at %(name)s failed: %(said)s"), f"{type(trouble).__name__}: {trouble}"
        unexpected = error("doctor.failed", cause, _("Show this to the developers."), name=name, said=said)
        self._found.append(explained(trouble) or unexpected)


def _lacks_table(trouble: ProgrammingError) -> bool:
    return getattr(trouble.__cause__, "pgcode", None) in ("42P01", "3F000")


def _without_secrets(finding: Finding) -> Finding:
    """Foreign words come in as values alone, and an answer may quote what it was asked with."""
    finding.values = {name: redact(value) for name, value in finding.values.items()}
    return finding
