"""A broker that is reached by a socket: what is sent arrives."""

from sandbox.services.broker import Broker
from tests.acceptance.ledger import Ledger
from tests.acceptance.processes import Fleet


def test_messages_pass(fleet: Fleet, probe: Ledger, own_broker: Broker) -> None:
    fleet.variables["REDIS_URL"] = f"unix://:{own_broker.password}@{own_broker.socket}?db=5"
    worker = fleet.worker(concurrency=1)
    bridge = fleet.bridge("--queue", "probe_queue")
    assert probe.await_ending(probe.send({})).outcome == "succeeded"
    # Celery names its broker when it starts, and hides the password.
    assert str(own_broker.socket) in worker.text
    assert own_broker.password not in worker.text + bridge.text
