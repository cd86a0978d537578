"""`manage.py doctor`: a line for each finding, English whoever reads it, and exit codes for scripts."""

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils.translation import gettext_lazy

from balansity.doctor.examination import Examination
from balansity.management.commands import doctor
from bridge.diagnosis import Finding, error, info, warning

ERROR = error("broker.full", gettext_lazy("Redis does not answer"), gettext_lazy("Raise its maxmemory"))
WARNING = warning("queues.no_wakeup", gettext_lazy("Redis starts up"))
INFO = info("queues.open_functions", gettext_lazy("Redis starts up"))


def run(monkeypatch: pytest.MonkeyPatch, *looks: list[Finding], arguments: tuple[str, ...] = ()) -> tuple[int, str]:
    """The exit code and what was printed, where one look after another finds this; the last finds it for ever."""
    coming = iter([*looks, *[looks[-1]] * 100])
    monkeypatch.setattr(doctor, "examine", lambda: Examination(list(next(coming)), 23, 1.2))
    monkeypatch.setattr(doctor, "PAUSE_SECONDS", 0)
    out = StringIO()
    try:
        call_command("doctor", *arguments, stdout=out, no_color=True)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue()
    return 0, out.getvalue()


def test_a_line_each_and_a_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, [ERROR, WARNING, INFO]) == (
        1,
        (
            "error  broker.full: Redis does not answer. Raise its maxmemory\n"
            "warning  queues.no_wakeup: Redis starts up\n"
            "info  queues.open_functions: Redis starts up\n"
            "1 error, 1 warning (23 looks in 1.2 s).\n"
        ),
    )


def test_nothing_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, []) == (0, "Nothing is wrong (23 looks in 1.2 s).\n")


@pytest.mark.parametrize(
    ("found", "level", "code"),
    [
        ([ERROR], "error", 1),
        ([ERROR], "warning", 1),
        ([WARNING], "error", 0),
        ([WARNING], "warning", 1),
        ([INFO], "warning", 0),
    ],
)
def test_who_minds_no_warning_says_so(
    monkeypatch: pytest.MonkeyPatch, found: list[Finding], level: str, code: int
) -> None:
    assert run(monkeypatch, found, arguments=("--fail-level", level))[0] == code


def test_it_looks_again_until_nothing_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, [ERROR], [WARNING], [], arguments=("--wait", "60"))[0] == 0
    assert run(monkeypatch, [ERROR], [])[0] == 1, "unless nobody asked it to"


def test_programs_get_one_object(monkeypatch: pytest.MonkeyPatch) -> None:
    code, printed = run(monkeypatch, [ERROR], arguments=("--json",))
    assert code == 1
    told = json.loads(printed)
    assert (told["ok"], told["errors"], told["warnings"]) == (False, 1, 0)
    assert told["findings"] == [
        {
            "level": "error",
            "code": "broker.full",
            "cause": "Redis does not answer",
            "remedy": "Raise its maxmemory",
            "values": {},
        }
    ]
