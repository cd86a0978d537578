"""What the start says of the variables, the doctor says in the same words, and of several web processes one says it."""

import logging
import os
import runpy
from types import SimpleNamespace

import pytest
from django.utils import translation
from pytest_django import Settings

from balansity import start
from balansity.doctor.variables import look_at_variables
from bridge.errors import AddressRefused
from sandbox.packages import CHECKOUT

LINE = "SUPPORT_CONTACT is not set, so mails name nobody: put a mail address there"


@pytest.fixture(autouse=True)
def quiet_surroundings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.START_WARNINGS = [LINE]
    monkeypatch.setattr(start, "find_troubles", list)
    monkeypatch.setattr(start, "_look_at_redis", lambda: None)


def test_the_doctor_says_it_once_and_in_the_words_of_the_start() -> None:
    with translation.override("en"):
        assert [str(found) for found in look_at_variables()] == [f"variables.support_contact: {LINE}"]
    with translation.override("ru"):
        assert [found.cause for found in look_at_variables()] == [f"Об этом сказано при запуске: {LINE}"]


@pytest.mark.parametrize(("repeats", "said"), [(False, [LINE]), (True, [])])
def test_who_reads_the_same_variables_as_another_does_not_repeat_it(
    caplog: pytest.LogCaptureFixture, repeats: bool, said: list[str]
) -> None:
    with caplog.at_level(logging.WARNING, "balansity.start"):
        start.look_around(repeats=repeats)
    assert [record.getMessage() for record in caplog.records] == said


def test_the_first_web_process_speaks_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    told = []

    def refuse(*, repeats: bool) -> None:
        told.append(repeats)
        # Ends what gunicorn calls before it does more to this process.
        raise AddressRefused("that will do")

    monkeypatch.setattr(start, "look_around", refuse)
    mask = os.umask(0)
    try:
        begin = runpy.run_path(str(CHECKOUT / "gunicorn.conf.py"))["post_worker_init"]
    finally:
        os.umask(mask)
    for age in (1, 2, 3):
        with pytest.raises(SystemExit):
            begin(SimpleNamespace(age=age, log=logging.getLogger("gunicorn of a test")))
    assert told == [False, True, True]
