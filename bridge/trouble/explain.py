"""`explain(error)`: what a person can do about an error that somebody expected; `None` for one that nobody did."""

from collections.abc import Callable

from bridge.errors import BridgeError
from bridge.trouble import postgres, redis
from bridge.trouble.explanation import Explanation, Kind, chain, one_line

Explainer = Callable[[BaseException], Explanation | None]

# Packages add those of the services that they alone know.
_explainers: list[Explainer] = [redis.explain, postgres.explain]
# Errors of ours whose text says already what is wrong and what mends it.
_OUR_OWN = frozenset(("queue_missing", "rows_hidden"))


def register_explainer(explainer: Explainer) -> None:
    """Ask this one as well from now on. Safe to repeat."""
    if explainer not in _explainers:
        _explainers.append(explainer)


def explain(error: BaseException) -> Explanation | None:
    """Pure: asks nobody. Whoever gets `None` has a mistake of ours in hand, and wants its traceback."""
    for link in chain(error):
        if isinstance(link, BridgeError) and link.code in _OUR_OWN:
            return Explanation(link.code, Kind.MISTAKE, one_line(str(link)), "")
    return next(filter(None, (ask(error) for ask in _explainers)), None)


def is_mistake(error: BaseException) -> bool:
    """Whether waiting does not help, as a person has to change something."""
    found = explain(error)
    return found is not None and found.is_mistake
