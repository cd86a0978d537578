"""The section about processes: how many of each kind live, and which one is silent without having said goodbye."""

from typing import Any

from django.utils import timezone

from bridge.daemon.heartbeat import DEAD_AFTER
from bridge.dashboard import addresses
from bridge.models import BridgeProcess
from staff.formats import age, moment
from staff.sections import once


@once
def processes_now() -> list[BridgeProcess]:
    """Those that did not end in order, the newest first."""
    return list(BridgeProcess.objects.filter(stopped_at=None).order_by("-seen_at")[:100])


def lives(process: BridgeProcess) -> bool:
    return process.seen_at > timezone.now() - DEAD_AFTER


def lost() -> list[BridgeProcess]:
    """Those that fell silent, and in whose place none was started since."""
    begun = max((process.started_at for process in processes_now() if lives(process)), default=None)
    silent = [process for process in processes_now() if not lives(process)]
    return [process for process in silent if begun is None or begun < process.seen_at]


def read_processes() -> dict[str, Any]:
    living = [process for process in processes_now() if lives(process)]
    now = timezone.now()
    return {
        "living": [(process.name, moment(process.started_at)) for process in living],
        "dead": [(process.name, age((now - process.seen_at).total_seconds())) for process in lost()[:5]],
        "address": addresses.processes(),
    }
