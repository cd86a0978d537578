import logging
import time

import pytest

from balansity.logs import RedactingFormatter, TraceFilter, redact
from bridge.trace import traced


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("to maria.ivanova@example.ru done", "to m***@example.ru done"),
        ("redis://:geheim@127.0.0.1:6379/0", "redis://:***@127.0.0.1:6379/0"),
        ("postgres://app:p%40ss@db.example:5432/x", "postgres://app:***@db.example:5432/x"),
        ("Authorization: Bearer abcdefgh12345678", "Authorization: *** ***"),
        ('{"password": "letmein", "user": "a"}', '{"password": "***", "user": "a"}'),
        ("SECRET_KEY=abcdef123", "SECRET_KEY=***"),
        ('to "maria ivanova"@example.ru', "to ***@example.ru"),
        ("to maria.ivanova!@example.ru", "to m***@example.ru"),
        ("to o'hara@example.ru", "to o***@example.ru"),
        ("SMTP_PASS=hunter22", "SMTP_PASS=***"),
        ("YUKASSA_SECRET_KEY=test_abc", "YUKASSA_SECRET_KEY=***"),
        ("key live_Fh8hUAVVBGUGbjmlzba6TB0iyUbos was refused", "key live_*** was refused"),
        ("key test_Fh8hUAVVBGUGbjmlzba6TB0iyUbos_lueTHE-axOwM0", "key test_***"),
        ("opens ct-287e0c37-000f-5000-8000-16961d35b0fd now", "opens ct-*** now"),
        ("apikey sb_secret_N7UND0UgjKTVK-Uodkm0Hg_xSvEMPvz", "apikey sb_secret_***"),
        ("header Basic MTIzNDU2OnRlc3Rfa2V5", "header Basic ***"),
        ("in test_the_worker_was_killed_and_came_back", "in test_the_worker_was_killed_and_came_back"),
        ("nothing to hide: 42 messages", "nothing to hide: 42 messages"),
    ],
)
def test_addresses_and_secrets_are_masked(line: str, expected: str) -> None:
    assert redact(line) == expected


def test_a_long_line_is_masked_in_no_time() -> None:
    started = time.process_time()
    assert redact("a" * 100_000 + " anna@example.ru").endswith(" a***@example.ru")
    assert time.process_time() - started < 2


def test_a_token_is_masked_wherever_it_stands() -> None:
    token = "eyJ" + "hbGciOiJIUzI1NiJ9" + "." + "eyJzdWIiOiIxIn0" + "." + "c2ln"
    assert token not in redact(f"got {token} from a client")


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
