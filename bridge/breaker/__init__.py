"""Whether the services outside are there that our queues need: while one is not, nothing is attempted that needs it."""

from bridge.breaker.attempt import asking
from bridge.breaker.services import Verdict, register_service, services
from bridge.breaker.states import ServiceState, states

__all__ = ["ServiceState", "Verdict", "asking", "register_service", "services", "states"]
