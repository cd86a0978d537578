"""What Celery's worker does when its broker goes away while it holds tasks: go on, and not end.

kombu 5.7 closes a lost connection twice. The first time stops at the first channel that complains and forgets the
address; the second time the other channels want to give the tasks that they hold back to a broker without an address,
and their AttributeError ends the worker. Nothing need be given back: a task is a hint, and its message comes again.
"""

from typing import Any

from kombu.transport import redis


class QoS(redis.QoS):
    """What a channel has taken and not yet acknowledged."""

    def restore_unacked(self, client: Any = None) -> None:
        if self.channel.connection.client is not None:
            super().restore_unacked(client)
        elif self._delivered is not None:
            self._delivered.clear()


def survive_lost_broker() -> None:
    """Let every channel that this process opens from now on be closed without its broker. Safe to repeat."""
    redis.Channel.QoS = QoS
