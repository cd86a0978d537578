"""A scene: what is played, and what must come of it."""

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.demo.payments.expectation import ExpectedPayment
from sandbox.demo.payments.stage import Stage


@dataclass(frozen=True, slots=True)
class Scene:
    """What people do and what goes wrong; the payments that come of it."""

    title: str
    play: Callable[[Stage], None]
    expects: tuple[ExpectedPayment, ...]
