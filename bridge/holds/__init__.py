"""Why a queue is not worked on: a person paused it, or a service that it needs is away."""

from bridge.holds.rows import PAUSE, SERVICE, Hold, change, end_of, forget_ended, in_force, let_through, lift, place

__all__ = ["PAUSE", "SERVICE", "Hold", "change", "end_of", "forget_ended", "in_force", "let_through", "lift", "place"]
