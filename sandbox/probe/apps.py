from django.apps import AppConfig
from django.conf import settings

from bridge.queues import NoJournal, Queue, registry

QUEUE = "probe_queue"


class ProbeConfig(AppConfig):
    name = "sandbox.probe"
    label = "probe"

    def ready(self) -> None:
        registry.register(
            Queue(
                name=QUEUE,
                task="probe.run",
                celery_queue="probe",
                max_retries=settings.PROBE_MAX_RETRIES,
                time_limit=settings.PROBE_TIME_LIMIT,
                journal=NoJournal(),
            )
        )
