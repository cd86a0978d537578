"""Each line that the payments write into the log of errors, and what somebody has to do then: no other is one."""

import ast
from pathlib import Path

import payments

ROOT = Path(payments.__file__).parent
# By the beginning of the line, so that wording may change.
WHO_MUST_ACT = {
    "the booking %s could not be compared": "developers: the traceback is a mistake of ours",
    "payment %s is not what YooKassa has": "support, once: the payment is marked",
    "YooKassa's list has more than": "operators: the shop is larger than a comparison takes",
    "%s paid payments at YooKassa are for an order": "support, once: each is marked",
    "payment %s (%s %s) is paid and its row is gone": "support, once: the payment is marked",
    "payment %s: %s": "support, once: paid and nothing given, the payment is marked",
    "payment %s: no mail tells of the refund": "operators: the mail queue is missing, or a trigger refuses the mail",
    "%s items of YooKassa's list": "developers, once for each item: YooKassa shows something in a new form",
    "payments could not be compared; look at": "operators: the shop's key is refused",
    "no payment can be started, the database refuses": "operators: nobody can pay",
    "no payment can be started, a trigger": "operators: nobody can pay",
    "a notification (%s, %s) could not be stored": "operators: the queue is missing (an outage is a warning)",
}


def test_every_line_in_the_log_of_errors_is_for_somebody() -> None:
    lines = [line for path in sorted(ROOT.rglob("*.py")) for line in _error_lines(path.read_text("utf-8"))]
    unknown = [line for line in lines if not any(line.startswith(known) for known in WHO_MUST_ACT)]
    assert unknown == [], "who must act then? An outage that ends by itself is a warning, what others do is no line"
    gone = [known for known in WHO_MUST_ACT if not any(line.startswith(known) for line in lines)]
    assert gone == []


def _error_lines(source: str) -> list[str]:
    levels = {"error", "exception", "critical", *(["log"] if "logging.ERROR" in source else [])}
    calls = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]
    return [
        str(argument.value)
        for call in calls
        if _is_error(call, levels)
        for argument in call.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    ]


def _is_error(call: ast.Call, levels: set[str]) -> bool:
    """`logger.error`, `logger.exception`, or `logger.log` with a level that may be one."""
    assert isinstance(call.func, ast.Attribute)
    of_logger = isinstance(call.func.value, ast.Name) and call.func.value.id == "logger"
    return of_logger and call.func.attr in levels
