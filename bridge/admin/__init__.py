"""What staff see of the queues, of what failed in them, and of the processes that drain them."""

from bridge.admin.processes import BridgeProcessAdmin
from bridge.admin.queues import QueueOverviewAdmin

__all__ = ["BridgeProcessAdmin", "QueueOverviewAdmin"]
