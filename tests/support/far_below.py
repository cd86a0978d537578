"""Two ways that something may go, told apart by the clock: one waits for what hangs, and the other does not.

How fast anything is says `./dev bench`. A test passes on any machine, however slow and busy, so its clock has one use:
the way that is not taken lasts for so long that half of it is more than a busy machine needs for the other.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# What hangs in a test hangs for as long as the test likes, and who passes does not wait for it.
SHORTEST = 20.0


@contextmanager
def far_below(seconds: float, clock: Callable[[], float] = time.monotonic) -> Iterator[None]:
    """The block must end in less than half of `seconds`, the least that it takes without what the test is about."""
    if seconds < SHORTEST:
        raise ValueError(f"let it hang for {SHORTEST:g} s or more, {seconds:g} s are soon over on a busy machine")
    began = clock()
    yield
    took = clock() - began
    assert took < seconds / 2, f"took {took:.1f} s, as if it had waited for what takes {seconds:g} s"
