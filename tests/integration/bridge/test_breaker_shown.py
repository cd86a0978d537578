"""Where an outage is shown: on the command line and by the doctor."""

import json
import re
from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import translation
from django.utils.timezone import localtime

from bridge.doctor.services import look_at_services
from bridge.errors import Away
from bridge.models import OutsideService
from bridge.pgmq import PgmqQueue
from sandbox.probe.apps import QUEUE
from tests.integration.bridge.test_breaker import open_it
from tests.support.outages import NAME, Lab, laboratory

pytestmark = pytest.mark.usefixtures("broker_url")


@pytest.fixture(autouse=True)
def lab(probe: PgmqQueue) -> Iterator[Lab]:
    with laboratory() as made:
        yield made


def test_the_status_says_which_since_when_why_how_many_wait_and_what_to_do(
    probe: PgmqQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    probe.send({})
    open_it(Away.REFUSED)
    call_command("queue", "status")
    lines = [line for line in capsys.readouterr().out.splitlines() if "The lab (lab)" in line]
    since = OutsideService.objects.get(pk=NAME).since
    assert since is not None
    told = (
        f"The lab (lab) does not do its part since {localtime(since):%Y-%m-%d %H:%M:%S} MSK: no connection."
        f" 1 messages wait in {QUEUE}. Somebody has to mend this: check the credentials and the account with the"
        " provider, and restart the processes if a setting was changed. Nothing is lost; it is tried once a minute."
    )
    assert lines == [told]


def test_programs_read_it_as_json(probe: PgmqQueue, capsys: pytest.CaptureFixture[str]) -> None:
    open_it()
    call_command("queue", "status", "--json")
    (state,) = json.loads(capsys.readouterr().out)["away"]
    assert (state["name"], state["kind"], state["waiting"], state["queues"]) == (NAME, "away", 0, [QUEUE])


def test_an_outage_of_somebody_else_is_no_fault_for_the_check_of_the_bridge(
    probe: PgmqQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    open_it()
    with pytest.raises(Exception, match="No bridge process reported"):
        call_command("queue", "status", "--check")
    assert "The lab (lab)" in capsys.readouterr().out


def test_the_doctor_says_it_in_the_language_of_who_asks(probe: PgmqQueue) -> None:
    assert list(look_at_services()) == []
    open_it()
    (finding,) = look_at_services()
    assert finding.code == "services.away"
    assert "The lab" in finding.cause
    assert "0" in finding.cause
    assert finding.remedy.startswith("Ничего не потеряно")


def test_a_service_is_called_in_one_language_with_the_sentence_about_it(probe: PgmqQueue) -> None:
    open_it()
    OutsideService.objects.filter(name=NAME).update(name="smtp")
    (finding,) = look_at_services()
    assert re.match(r"Почтовый сервер: не работает с \d\d\.\d\d\.\d{4} \d\d:\d\d", finding.cause)
    with translation.override("en"):
        assert re.match(r"Mail server does not do its part since \w+\.? \d+, \d{4}, ", finding.cause)


def test_before_migrate_the_status_is_as_before(probe: PgmqQueue, capsys: pytest.CaptureFixture[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE bridge_outsideservice")
    call_command("queue", "status", "--json")
    assert json.loads(capsys.readouterr().out)["away"] == []
