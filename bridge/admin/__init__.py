"""What staff see of the queues, of their messages, of the processes that drain them, and of who did what."""

from bridge.admin.actions import OperatorActionAdmin
from bridge.admin.processes import BridgeProcessAdmin
from bridge.admin.queues import QueueOverviewAdmin

__all__ = ["BridgeProcessAdmin", "OperatorActionAdmin", "QueueOverviewAdmin"]
