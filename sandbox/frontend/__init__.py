"""The front end that production has, as an actor for tests and the demo: a tab, step by step, in any order."""

from sandbox.frontend.answer import TIMEOUT, Answer, Api, HttpApi
from sandbox.frontend.order import Order, as_the_clock_has_it
from sandbox.frontend.tab import Tab
from sandbox.frontend.visit import Step, Visit, every_order

__all__ = ["TIMEOUT", "Answer", "Api", "HttpApi", "Order", "Step", "Tab", "Visit", "as_the_clock_has_it", "every_order"]
