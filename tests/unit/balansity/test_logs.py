import logging

from balansity.logs import RedactingFormatter, TraceFilter
from bridge.trace import traced


def test_a_traceback_is_masked_too() -> None:
    try:
        raise ValueError("cannot reach anna@example.ru")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "failed", None, info)
    line = RedactingFormatter("%(message)s").format(record)
    assert "anna@" not in line
    assert "a***@example.ru" in line


def test_a_line_carries_the_trace_id_of_its_delivery() -> None:
    record = logging.LogRecord("x", logging.INFO, "f", 1, "hello", None, None)
    with traced("abc123"):
        TraceFilter().filter(record)
    assert record.__dict__["trace_id"] == "abc123"
    TraceFilter().filter(record)
    assert record.__dict__["trace_id"] == "-"
