"""What can be wrong with the queues, with our rights to them, and with the processes that empty them."""

from bridge.diagnosis import Probe
from bridge.doctor.processes import look_at_bridges, look_at_workers
from bridge.doctor.queues import look_at_open_functions, look_at_pgmq, look_at_queues
from bridge.doctor.rights import look_at_rights
from bridge.doctor.services import look_at_services

PROBES = (
    Probe("rights", look_at_rights, asks_postgres=True),
    Probe("pgmq", look_at_pgmq, asks_postgres=True),
    Probe("queues", look_at_queues, asks_postgres=True),
    Probe("open functions", look_at_open_functions, asks_postgres=True),
    Probe("services outside", look_at_services, asks_postgres=True),
    Probe("bridge", look_at_bridges, asks_postgres=True),
    Probe("workers", look_at_workers),
)
