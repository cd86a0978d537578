"""Errors of one cause have one pattern, and errors of different causes have not."""

import pytest
from django.db import connection

pytestmark = pytest.mark.usefixtures("database")


def pattern(error: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT bridge_pattern(%s)", [error])
        return str(cursor.fetchone()[0])


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (
            "550 5.1.1 <anna@mail.example>: user unknown",
            "550 5.1.1 <олег.п@почта.рф>: user unknown",
            "<n> <n> <address>: user unknown",
        ),
        (
            "(421, b'4.7.0 mx12 try again at 2026-11-26T08:00:01+03:00')",
            "(421, b'4.7.0 mx12 try again at 2026-11-27 09:30:00 UTC')",
            "(<n>, b'<n> mx<n> try again at <time>')",
        ),
        (
            "no payment 0192f1c0-7a3e-7c11-9b0d-2f1a000f4e11 of user 17",
            "no payment 5D2C91E4-1111-4222-8333-ABCDEFABCDEF of user 180",
            "no payment <id> of user <n>",
        ),
        (
            "YooKassa has no 2f1a000f-000f-5000-8000-1d5e2c3b4a59",
            "YooKassa has no 2e9b000f-000f-5000-9000-1d5e2c3b4a00",
            "YooKassa has no <id>",
        ),
        (
            "name: \"Анна\" isn't one of 'a', 'b'",
            "name: \"Пётр\" isn't one of 'c', 'd'",
            "name: <text> isn't one of <text>, <text>",
        ),
        ("город «Орёл» не найден", "город «Тула» не найден", "город <text> не найден"),
        (
            'connection to server at "10.0.0.7", port 5432 failed: 10.0.0.7:5432 refused',
            'connection to server at "db.example", port 6543 failed: 10.0.0.19:6543 refused',
            "connection to server at <text>, port <n> failed: <host> refused",
        ),
        ("no route to fe80::1ff:fe23:4567:890a", "no route to 2001:db8::2:1", "no route to <host>"),
        (
            "GET https://api.yookassa.ru/v3/payments/2f1a took 10.02 s",
            "GET https://api.yookassa.ru/v3/me took 9 s",
            "GET <url> took <n> s",
        ),
        (
            "<Task object at 0x7fccd77adc90> of 3 MB",
            "<Task object at 0x7fc0d77ad000> of 41 MB",
            "<Task object at <id>> of <n> MB",
        ),
        ("request req_8fK2mQ91xZ01 failed", "request req_77aPq0Lm1234 failed", "request <id> failed"),
        ("line one\n  line 2\ttab", "line one line 71 tab", "line one line <n> tab"),
        ("до 26.11.2026 в 08:15:01", "до 1.2.2027 в 10:00:59.5", "до <time> в <time>"),
        ("sha 9f86d081884c7d65", "sha 2c26b46b68ffc68f", "sha <id>"),
    ],
)
def test_what_differs_from_case_to_case_is_taken_out(one: str, other: str, expected: str) -> None:
    assert pattern(one) == expected
    assert pattern(other) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("connection refused", "connection timed out"),
        ("550 mailbox full", "550 user unknown"),
        ("user's account isn't active", "user's account isn't known"),
        ("certificate has expired", "certificate is not yet valid"),
    ],
)
def test_different_causes_stay_apart(one: str, other: str) -> None:
    assert pattern(one) != pattern(other)


def test_a_word_without_a_digit_is_kept_however_long_or_hexadecimal() -> None:
    assert pattern("unrecoverable deadbeefcafe in Selbstbedienungsladen") == (
        "unrecoverable deadbeefcafe in Selbstbedienungsladen"
    )


@pytest.mark.parametrize("error", ["", " \n ", "x" * 100_000, "'" * 5000, "1:" * 5000, "a@" * 5000, "«" * 900])
def test_any_text_has_a_short_pattern_soon(error: str) -> None:
    assert len(pattern(error)) <= 250


def test_nothing_has_none() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT bridge_pattern(NULL)")
        assert cursor.fetchone()[0] is None
