"""`/metrics`: for whoever shows its token, complete, quick, and with whatever can still be read."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from balansity.metrics import collector
from balansity.metrics.collector import EverythingCollector, all_parts
from balansity.tasks import count_rows
from bridge import holds
from bridge.message import Reason
from bridge.metrics import MOST_QUEUES
from bridge.models import BridgeProcess, RolledQueue
from bridge.pgmq import pgmq_queue
from bridge.queues import registry
from bridge.rollup.passing import roll_up_all
from bridge.scraping import Part, gauge
from notifications.models import EmailMessage
from tests.support.archives import failed, put
from tests.support.databases import ClonedDatabase
from tests.support.far_below import far_below

pytestmark = pytest.mark.usefixtures("database")

TOKEN = "b1946ac92492d2347c6235b4d2611184-of-this-test"
QUEUE = "email_queue"


@pytest.fixture(autouse=True)
def token(settings: Settings) -> None:
    settings.METRICS_TOKEN = TOKEN


def scrape(**headers: str) -> dict[str, Metric]:
    answer = Client(headers={"Authorization": f"Bearer {TOKEN}", **headers}).get("/metrics")
    assert answer.status_code == 200
    return {family.name: family for family in text_string_to_metric_families(answer.content.decode())}


def values(family: Metric, *labels: str) -> dict[Any, float]:
    """By the values of these labels; of histograms and counters the samples that carry the family's own meaning."""
    return {
        tuple(sample.labels[label] for label in labels): sample.value
        for sample in family.samples
        if sample.name in (family.name, f"{family.name}_total")
    }


@pytest.mark.parametrize(
    "given", ["", "Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}", f"Bearer {TOKEN} {TOKEN}", TOKEN, "Bearer ключ"]
)
def test_without_the_token_nothing_is_told(given: str) -> None:
    answer = Client(headers={"Authorization": given} if given else {}).get("/metrics")
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert b"balansity" not in answer.content


def test_where_no_token_is_set_there_is_no_such_page(settings: Settings) -> None:
    settings.METRICS_TOKEN = ""
    for header in ("Bearer ", "Bearer", f"Bearer {TOKEN}"):
        assert Client(headers={"Authorization": header}).get("/metrics").status_code == 404
    assert Client().get("/metrics").status_code == Client().get("/no-such-page").status_code == 404


def test_prometheus_may_ask_by_any_name_and_for_either_format(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["api.example.ru"]
    assert "balansity_queue_messages" in scrape(Host="web:3001")
    asked = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/openmetrics-text; version=1.0.0"}
    answer = Client(headers=asked).get("/metrics")
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert answer.content.endswith(b"# EOF\n")
    assert Client(headers=asked).post("/metrics").status_code == 405


def test_queues_and_what_ended_are_told_and_counters_never_fall() -> None:
    queue = pgmq_queue(QUEUE)
    queue.send({})
    queue.send({}, delay=60)
    put(
        QUEUE,
        1001,
        {
            "outcome": "succeeded",
            "attempts": 2,
            "last_attempt_at": "2026-11-26T10:00:00+00:00",
            "finished_at": "2026-11-26T10:00:02+00:00",
        },
    )
    put(QUEUE, 1002, failed(Reason.RETRIES_EXHAUSTED))
    put(QUEUE, 1003, failed(Reason.REFUSED))
    before = scrape()
    assert values(before["balansity_queue_messages"], "queue", "state")[QUEUE, "ready"] == 1
    assert values(before["balansity_queue_messages"], "queue", "state")[QUEUE, "delayed"] == 1
    roll_up_all()
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE pgmq.a_{QUEUE}")
    after = scrape()
    for families in (before, after):
        assert values(families["balansity_messages"], "queue", "outcome", "reason") == {
            (QUEUE, "succeeded", ""): 1,
            (QUEUE, "failed", "retries_exhausted"): 1,
            (QUEUE, "failed", "refused"): 1,
        }
        assert values(families["balansity_attempts"], "queue", "outcome", "reason")[QUEUE, "succeeded", ""] == 2
        running = {
            (sample.name, sample.labels.get("le")): sample.value
            for sample in families["balansity_message_running_seconds"].samples
            if sample.labels["queue"] == QUEUE
        }
        assert running["balansity_message_running_seconds_bucket", "1.6"] == 0
        assert running["balansity_message_running_seconds_bucket", "2.5"] == 1
        assert running["balansity_message_running_seconds_bucket", "+Inf"] == 1
        assert running["balansity_message_running_seconds_sum", None] == 2
        assert values(families["balansity_open_failures"], "queue")[(QUEUE,)] == 1
    assert (QUEUE,) in values(after["balansity_rollup_lag_seconds"], "queue")


def test_a_queue_of_ours_that_is_missing_is_told() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.drop_queue(%s)", [QUEUE])
    missing = values(scrape()["balansity_queue_missing"], "queue")
    assert {queue for (queue,), value in missing.items() if value} == {QUEUE}


def test_holds_processes_and_services_are_told() -> None:
    now = timezone.now()
    BridgeProcess.objects.create(name="x", started_at=now, seen_at=now)
    BridgeProcess.objects.create(name="y", started_at=now, seen_at=now - timedelta(minutes=5))
    holds.place(QUEUE, holds.PAUSE, by="anna", why="the server moves")
    families = scrape()
    assert values(families["balansity_queue_held"], "queue", "cause") == {(QUEUE, "pause"): 1}
    assert values(families["balansity_processes"], "kind")[("bridge",)] == 1
    assert values(families["balansity_service_away"], "service")[("yookassa",)] == 0
    (build,) = families["balansity_build_info"].samples
    assert build.labels["version"]


def test_rows_by_status_are_those_that_beat_counted_last_and_their_age_is_told() -> None:
    EmailMessage.objects.create(queue=QUEUE, msg_id=1, enqueued_at=timezone.now())
    count_rows()
    EmailMessage.objects.create(queue=QUEUE, msg_id=2, enqueued_at=timezone.now())
    families = scrape()
    assert values(families["balansity_mails"], "status") == {("sending",): 1}
    ages = values(families["balansity_counted_age_seconds"], "what")
    assert ages[("mails",)] < 60
    EmailMessage.objects.all().delete()
    count_rows()
    assert values(scrape()["balansity_mails"], "status") == {("sending",): 0}


def test_a_part_that_fails_is_named_and_leaves_the_others() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE bridge_countedrows; DROP TABLE bridge_rolledtotal")
    families = scrape()
    errors = {part for (part,), value in values(families["balansity_scrape_error"], "part").items() if value}
    assert errors >= {"mails", "payments", "refunds", "reports", "ended"}
    assert not errors & {"queues", "holds", "services", "processes", "attention"}
    assert "balansity_queue_messages" in families


def test_a_part_that_hangs_is_stopped_and_the_whole_has_an_end() -> None:
    def hang() -> Iterator[Metric]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(60)")
        yield GaugeMetricFamily("x", "x")

    def answer() -> Iterator[Metric]:
        yield gauge("y", "y")

    parts = [
        Part("slow", hang),
        Part("quick", answer),
        Part("slower", hang),
        Part("slowest", hang),
        Part("late", answer),
    ]
    with far_below(60):
        families = {metric.name: metric for metric in EverythingCollector(parts, seconds=3.0).collect()}
    errors = values(families["balansity_scrape_error"], "part")
    assert errors == {("slow",): 1, ("quick",): 0, ("slower",): 1, ("slowest",): 1, ("late",): 1}


def test_postgres_that_is_away_is_asked_once(monkeypatch: pytest.MonkeyPatch, database: ClonedDatabase) -> None:
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "PORT", "1")
    asked: list[str] = []
    real = collector._collect

    def note(part: Part, seconds: float) -> list[Metric] | None:
        asked.append(part.name)
        return real(part, seconds)

    monkeypatch.setattr(collector, "_collect", note)
    families = scrape()
    assert len(asked) == 1
    assert set(values(families["balansity_scrape_error"], "part").values()) == {1}
    assert "balansity_build_info" in families


def test_labels_tell_of_no_person() -> None:
    put(QUEUE, 1, {"outcome": "anna@mail.example", "reason": "anna@mail.example"})
    put(QUEUE, 2, failed(reason=Reason.WORKER_LOST) | {"reason": "anna@mail.example"})
    roll_up_all()
    answer = Client(headers={"Authorization": f"Bearer {TOKEN}"}).get("/metrics")
    assert "anna" not in answer.content.decode()


def test_every_package_has_its_part_and_each_name_is_one_of_ours() -> None:
    names = [part.name for part in all_parts()]
    assert len(names) == len(set(names))
    assert {"queues", "ended", "mails", "payments", "reports"} <= set(names)
    for family in scrape().values():
        assert family.name.startswith("balansity_")
        assert family.documentation


def test_however_many_queues_others_have_the_roll_ups_of_ours_are_told() -> None:
    now = timezone.now()
    others = [RolledQueue(queue=f"a_{number}", made_at=now, complete_at=now) for number in range(60)]
    RolledQueue.objects.bulk_create(others)
    roll_up_all()
    lag = values(scrape()["balansity_rollup_lag_seconds"], "queue")
    assert {(queue.name,) for queue in registry} <= lag.keys()
    assert len(lag) <= MOST_QUEUES
