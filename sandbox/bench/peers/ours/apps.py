from django.apps import AppConfig

from bridge.queues import NoJournal, Queue, registry

QUEUE = "peers_queue"


class PeersConfig(AppConfig):
    name = "sandbox.bench.peers.ours"
    label = "peers"

    def ready(self) -> None:
        registry.register(
            # Shorter than any attempt of a mail: it bounds what a killed worker delays.
            Queue(name=QUEUE, task="peers.run", celery_queue="peers", max_retries=20, time_limit=5, journal=NoJournal())
        )
