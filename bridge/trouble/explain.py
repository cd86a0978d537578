"""`explain(error)`: what a person can do about an error that somebody expected; `None` for one that nobody did."""

from collections.abc import Callable

from django.utils.module_loading import import_string

from bridge.errors import BridgeError
from bridge.queues import creation
from bridge.trouble import postgres, redis
from bridge.trouble.explanation import Explanation, Kind, chain, one_line

Explainer = Callable[[BaseException], Explanation | None]

# Errors of ours whose text says already what is wrong and what mends it.
_OUR_OWN = frozenset(("queue_missing", "rows_hidden"))
_explainers: list[Explainer | str] = [redis.explain, postgres.explain]


def register_explainer(path: str) -> None:
    """Ask the function at this dotted path as well, about a service that its package alone knows. Safe to repeat.

    By path, as processes that never fail like that need not load what it takes.
    """
    if path not in _explainers:
        _explainers.append(path)


def explain(error: BaseException) -> Explanation | None:
    """Pure: asks nobody. Whoever gets `None` has a mistake of ours in hand, and wants its traceback."""
    for link in chain(error):
        if isinstance(link, BridgeError) and link.code in _OUR_OWN:
            return Explanation(
                link.code, Kind.MISTAKE, one_line(str(link)), creation(str(link.values.get("queue", "")))
            )
    asked = (import_string(each) if isinstance(each, str) else each for each in _explainers)
    return next(filter(None, (ask(error) for ask in asked)), None)


def is_mistake(error: BaseException) -> bool:
    """Whether waiting does not help, as a person has to change something."""
    found = explain(error)
    return found is not None and found.is_mistake
