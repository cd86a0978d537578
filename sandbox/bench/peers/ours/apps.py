from django.apps import AppConfig

from bridge.queues import NoJournal, Queue, registry

QUEUE, ROWS_QUEUE = "peers_queue", "peers_rows_queue"


class PeersConfig(AppConfig):
    name = "sandbox.bench.peers.ours"
    label = "peers"

    def ready(self) -> None:
        for name, task, line in ((QUEUE, "peers.run", "peers"), (ROWS_QUEUE, "peers.rows", "peers_rows")):
            registry.register(
                # Shorter than any attempt of a mail: it bounds what a killed worker delays.
                Queue(name=name, task=task, celery_queue=line, max_retries=20, time_limit=5, journal=NoJournal())
            )
