"""Looks are taken side by side within one time: what hangs, fails or repeats secrets keeps no other from being told."""

import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.core import checks
from django.db import OperationalError
from django.utils import translation
from django.utils.translation import gettext, gettext_lazy
from redis.exceptions import AuthenticationError

from balansity import redaction
from balansity.doctor.examination import all_probes, examine
from bridge.diagnosis import Finding, Probe, clock_findings, error, info, warning
from bridge.doctor.troubles import explained
from bridge.errors import AddressRefused
from bridge.trouble import postgres, redis
from bridge.trouble.explanation import Rule
from reports.doctor import role_of
from tests.support.far_below import far_below

FOUND = warning(
    "mail.sender_domain", gettext_lazy("No administrator can log in: without a password, or not a member of the staff.")
)


def codes(*probes: Probe, seconds: float = 5.0) -> list[str]:
    return [finding.code for finding in examine(probes, seconds=seconds).findings]


def test_what_hangs_is_named_and_the_others_are_told() -> None:
    ended = threading.Event()

    def hang() -> Iterator[Finding]:
        yield error("a.first", "said before")
        ended.wait(60)

    try:
        with far_below(60):
            found = examine([Probe("that hangs", hang), Probe("quick", lambda: [FOUND])], seconds=2)
    finally:
        ended.set()
    assert [finding.code for finding in found.findings] == ["a.first", "doctor.no_answer", "mail.sender_domain"]
    assert "that hangs" in found.findings[1].cause


def test_what_fails_is_told_with_its_error_and_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_known", ["not-To-Be-Told-0123456789"])

    def fail() -> Iterator[Finding]:
        raise ValueError("an answer that repeats not-To-Be-Told-0123456789 to anna@example.org")

    (told,) = examine([Probe("that fails", fail)]).findings
    assert (told.code, told.level) == ("doctor.failed", checks.ERROR)
    assert "ValueError: an answer that repeats *** to a***@example.org" in told.cause


def test_the_gravest_come_first_and_are_counted() -> None:
    found = examine([Probe("all", lambda: [info("c", "c"), warning("b", "b"), error("a", "a")])])
    assert [finding.code for finding in found.findings] == ["a", "b", "c"]
    assert (found.errors, found.warnings, found.looks) == (1, 1, 1)


def test_a_finding_is_one_line_in_the_language_of_who_reads_it() -> None:
    finding = error(
        "x.y", gettext_lazy("Redis does not answer: %(said)s"), gettext_lazy("Wait for it."), said="a\n  100 % b"
    )
    with translation.override("en"):
        assert str(finding) == "x.y: Redis does not answer: a 100 % b. Wait for it."
    with translation.override("ru"):
        assert finding.cause == "Redis не отвечает: a 100 % b"


def test_every_package_brings_its_own() -> None:
    modules = {probe.look.__module__.split(".")[0] for probe in all_probes()}
    assert modules == {"balansity", "bridge", "notifications", "payments", "reports"}


@pytest.mark.parametrize(
    ("trouble", "code", "words"),
    [
        (
            OperationalError('FATAL:  password authentication failed for user "app"'),
            "postgres.password_refused",
            "пароль",
        ),
        (OperationalError("timeout expired"), "postgres.away", "не отвечает"),
        (AuthenticationError("WRONGPASS invalid username-password pair"), "broker.password_refused", "%2F %3A"),
        (AddressRefused("x"), "postgres.pooler_mode", "пулер"),
    ],
)
def test_an_expected_trouble_is_told_in_the_language_of_who_reads_it(trouble: Exception, code: str, words: str) -> None:
    found = explained(trouble)
    assert found is not None
    assert found.code == code
    with translation.override("ru"):
        assert words in f"{found.cause} {found.remedy}"
        assert re.search("[а-я]", found.cause)
        assert re.search("[а-я]", found.remedy)
    with translation.override("en"):
        assert not re.search("[а-я]", str(found))


def test_an_error_that_nobody_expected_is_none() -> None:
    assert explained(ValueError("x")) is None


@pytest.mark.parametrize(
    "known", [*postgres._RULES, postgres._AWAY, *redis._RULES, redis._AWAY], ids=lambda rule: rule.code
)
def test_every_expected_trouble_has_its_russian(known: Rule) -> None:
    with translation.override("ru"):
        assert re.search("[а-я]", gettext(known.cause))
        assert re.search("[а-я]", gettext(known.remedy))


@pytest.mark.parametrize(
    ("key", "role"),
    [
        ("sb_publishable_0123456789", "publishable"),
        ("sb_secret_0123456789", "service_role"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYW5vbiJ9.x", "anon"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.x", "service_role"),
        ("eyJhbGciOiJIUzI1NiJ9.WzFd.x", "service_role"),
        ("a.b", "service_role"),
        ("", "service_role"),
    ],
)
def test_the_role_of_a_key_is_read_from_it(key: str, role: str) -> None:
    assert role_of(key) == role


@pytest.mark.parametrize(
    ("header", "told"),
    [("Thu, 26 Nov 2026 10:00:05 GMT", 0), ("Thu, 26 Nov 2026 10:01:00 GMT", 1), ("never", 0), (None, 0)],
)
def test_a_clock_that_is_off_by_more_than_some_seconds_is_told(header: str | None, told: int) -> None:
    at = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)
    assert len(clock_findings("X", header, at)) == told
