"""What the home page of staff says of queues, of what they need, and of the processes that empty them."""

from django.utils.translation import gettext_lazy

from bridge.dashboard.processes import read_processes
from bridge.dashboard.queues import read_queues
from bridge.dashboard.services import read_services
from bridge.dashboard.watching import (
    look_at_broker,
    look_at_failures,
    look_at_kept,
    look_at_pauses,
    look_at_processes,
    look_at_queues,
    look_at_services,
)
from staff.attention import Watch
from staff.sections import Section

_QUEUES, _PROCESSES = "bridge.view_queueoverview", "bridge.view_bridgeprocess"
_FOLDER = "admin/bridge/dashboard"

WATCHES = (
    Watch(gettext_lazy("services"), _QUEUES, look_at_services),
    Watch(gettext_lazy("the broker"), _QUEUES, look_at_broker),
    Watch(gettext_lazy("processes"), _PROCESSES, look_at_processes),
    Watch(gettext_lazy("queues"), _QUEUES, look_at_queues),
    Watch(gettext_lazy("outcomes that wait"), _QUEUES, look_at_kept),
    Watch(gettext_lazy("failed messages"), _QUEUES, look_at_failures),
    Watch(gettext_lazy("pauses"), _QUEUES, look_at_pauses),
)
SECTIONS = (
    Section("queues", gettext_lazy("Queues"), _QUEUES, f"{_FOLDER}/queues.html", read_queues, place=10),
    Section(
        "services", gettext_lazy("Services"), _QUEUES, f"{_FOLDER}/services.html", read_services, place=20, narrow=True
    ),
    Section(
        "processes",
        gettext_lazy("Processes"),
        _PROCESSES,
        f"{_FOLDER}/processes.html",
        read_processes,
        place=30,
        narrow=True,
    ),
)
