"""What we lean on inside of libraries, beyond what they promise: an upgrade that changes it fails here, by its name.

Each test names the attributes and signatures; what ours does with them stands in the module that its message names.
"""

import ast
import contextlib
import importlib
import inspect
import shelve
from pathlib import Path
from typing import Any

import pytest
import storage3
import urllib3
from celery import Task
from celery.app.autoretry import add_autoretry_behaviour
from celery.apps.beat import Beat
from celery.beat import PersistentScheduler, ScheduleEntry
from django.utils import timezone
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice
from gunicorn.glogging import Logger
from kombu import Connection, Producer
from kombu.transport import redis, virtual
from sentry_sdk.transport import HttpTransport
from storage3._sync.file_api import SyncBucketProxy
from yookassa.client import ApiClient
from yookassa.domain.common import UserAgent

from balansity.celery.lost_broker import QoS
from balansity.celery.schedule_file import SturdyScheduler
from balansity.error_tracker import Tracker
from balansity.gunicorn_lines import Lines
from bridge.worker.task import QueueTask
from payments.yookassa.transport import Transport
from reports.document import typesetting
from sandbox.packages import CHECKOUT
from tests.support.leaning import has, parameters, reads, replaces, takes, takes_among_others, uses, writes


def test_our_page_has_every_attribute_that_weasyprints_own_has() -> None:
    weasyprint = typesetting.weasyprint()
    page = typesetting._page_class(weasyprint)("<html><body/></html>", typesetting._closed_fetcher(weasyprint))
    theirs = vars(weasyprint.HTML(string="<p>"))
    names = {"base_url", "url_fetcher", "media_type", "wrapper_element", "etree_element"}
    assert names == {*vars(page)}
    assert names == {*theirs}, "weasyprint.HTML sets other attributes by now, and `Page` leaves out its initialiser"
    assert {name: type(theirs[name]) for name in names - {"url_fetcher"}} | {"base_url": str} == {
        name: type(value) for name, value in vars(page).items() if name != "url_fetcher"
    }


def test_weasyprint_has_what_the_press_is_made_of() -> None:
    weasyprint, place = typesetting.weasyprint(), "reports.document.typesetting"
    has(weasyprint.text.fonts, "FontConfiguration", for_=place)
    takes(weasyprint.cssselect2.ElementWrapper.from_html_root, "root", "content_language", for_=place)
    takes_among_others(weasyprint.CSS.__init__, "url", "font_config", "url_fetcher", for_=place)
    takes_among_others(weasyprint.HTML.render, "font_config", "options", for_=place)
    assert {"stylesheets", "pdf_variant"} <= {*weasyprint.DEFAULT_OPTIONS}, "`_Press` passes them to `render`"
    takes_among_others(weasyprint.Document.write_pdf, "options", for_=place)
    # An `HTML` is asked for nothing else while it is rendered.
    assert reads(weasyprint.HTML.render) == set()


def test_weasyprint_fetches_through_the_method_that_our_fetcher_replaces() -> None:
    urls = typesetting.weasyprint().urls
    ours = type(typesetting._closed_fetcher(typesetting.weasyprint()))
    replaces(ours, urls.URLFetcher, "fetch", for_="reports.document.typesetting.AssetFetcher")
    assert parameters(urls.URLFetcherResponse.__init__)[:4] == ["self", "url", "body", "headers"]


def test_the_sdk_makes_its_headers_of_what_our_transport_sets() -> None:
    ours = Transport(shop_id="1", secret_key="x", api_url="https://a.example", connect_timeout=1, read_timeout=1)
    read = reads(ApiClient.prepare_request_headers)
    assert read == {"auth_token", "basic_auth", "shop_id", "shop_password", "user_agent"}, (
        "ApiClient.prepare_request_headers looks at other attributes by now, and `Transport` leaves out its initialiser"
    )
    has(ours, *read, for_="ApiClient.prepare_request_headers")
    set_by_theirs = {"configuration", "endpoint", "timeout", "max_attempts", "user_agent", *read - {"basic_auth"}}
    assert writes(ApiClient.__init__) == set_by_theirs, "ApiClient is made of other attributes by now"
    takes(ApiClient.basic_auth, "username", "password", for_="Transport")
    has(UserAgent(), "get_header_string", for_="ApiClient.prepare_request_headers")
    headers = ours.prepare_request_headers({"Idempotence-Key": "k"})
    assert {*headers} == {"Content-type", "Authorization", "YM-User-Agent", "Idempotence-Key"}
    assert headers["Authorization"] == "Basic MTp4"


def test_our_transport_replaces_the_sdks_own_ways_to_the_network() -> None:
    replaces(Transport, ApiClient, "request", "execute", "get_session", for_="payments.yookassa.transport")
    # Whatever else of it could send something or write a log is never reached from what remains.
    remaining = {name for name in vars(ApiClient) if not name.startswith("_")} - {*vars(Transport)}
    assert remaining == {"prepare_request_headers", "basic_auth", "get_response_info", "log_request", "log_response"}


def test_a_body_can_be_read_as_it_arrives() -> None:
    takes(urllib3.HTTPResponse.read1, "self", "amt", "decode_content", for_="Transport and balansity.api.supabase_http")


def test_kombu_restores_tasks_through_the_method_that_ours_replaces() -> None:
    place = "balansity.celery.lost_broker"
    replaces(QoS, redis.QoS, "restore_unacked", for_=place)
    assert reads(redis.QoS.restore_unacked) == {"channel", "_delivered", "restore_by_tag"}, f"see {place}"
    assert "restore_unacked" in reads(virtual.QoS.restore_unacked_once), f"nobody calls what {place} replaces"
    has(redis.Channel, "QoS", for_=place)
    uses(virtual.Channel.qos.fget, ["QoS"], for_=place)  # type: ignore[attr-defined]


def test_a_channel_of_a_lost_connection_knows_no_address_any_more() -> None:
    with Connection("memory://") as connection:
        channel: Any = connection.channel()
        taken: Any = virtual.QoS(channel)._delivered
        assert (hasattr(taken, "clear"), len(taken)) == (True, 0)
        assert channel.connection.client is connection
        connection._do_close_transport()
        assert channel.connection.client is None, "what `lost_broker.QoS` takes for a lost broker"


def test_kombu_publishes_in_batches_and_counts_a_line_as_it_declares_it() -> None:
    has(Producer, "batch", for_="bridge.daemon.publisher.Publisher.publish")
    with Connection("memory://") as connection:
        channel: Any = connection.channel()
        assert channel.queue_declare(queue="line", durable=True).message_count == 0
        assert {*connection.connection_errors, *connection.channel_errors}


def test_beats_scheduler_is_made_of_what_ours_replaces() -> None:
    place = "balansity.celery.schedule_file"
    replaces(SturdyScheduler, PersistentScheduler, "setup_schedule", "_destroy_open_corrupted_schedule", for_=place)
    has(PersistentScheduler, "_store", "_remove_db", "_open_schedule", "schedule", "known_suffixes", for_=place)
    uses(PersistentScheduler._remove_db, ["known_suffixes", "schedule_filename"], for_=place)  # type: ignore[attr-defined]
    assert {*PersistentScheduler.known_suffixes} <= {*SturdyScheduler.known_suffixes}
    uses(PersistentScheduler.setup_schedule, ["_open_schedule", "_destroy_open_corrupted_schedule"], for_=place)
    assert "_store" in writes(PersistentScheduler.setup_schedule)
    has(ScheduleEntry, "default_now", "is_due", "last_run_at", for_=place)


def test_a_shelf_keeps_what_it_would_write_where_ours_empties_it(tmp_path: Path) -> None:
    shelf: Any = shelve.open(str(tmp_path / "shelf"), writeback=True)  # noqa: S301, SIM115 - our own file.
    has(shelf, "cache", "dict", for_="SturdyScheduler._give_up_store")
    shelf["entries"] = {}
    with contextlib.closing(shelf.dict) as file:
        shelf.cache.clear()
        shelf.dict = {}
        shelf.close()
        assert b"entries" in file


def test_celery_repeats_a_task_through_the_method_that_ours_replaces() -> None:
    place = "bridge.worker.task.QueueTask"
    replaces(QueueTask, Task, "retry", for_=place)
    source = inspect.getsource(add_autoretry_behaviour)
    settings = ("autoretry_for", "dont_autoretry_for", "retry_backoff", "retry_backoff_max", "retry_jitter")
    asked = [name for name in settings if f"getattr(task, '{name}'" not in source]
    assert not asked, f"Celery does not look at {asked} any more, which {place} sets"
    assert "task.retry(exc=exc, **" in source, f"Celery calls {place}.retry in another way"
    assert "task._orig_run, task.run = task.run, run" in source, f"Celery keeps the run of {place} elsewhere"
    has(Task, "push_request", "pop_request", "typing", "throws", "abstract", for_=place)
    has(QueueTask, *settings, for_="celery.app.autoretry")


def test_supabases_client_takes_our_http_client_and_gives_a_bucket() -> None:
    place = "reports.storage.supabase"
    takes_among_others(storage3.SyncStorageClient.__init__, "url", "headers", "http_client", for_=place)
    has(SyncBucketProxy, "upload", "download", "info", "remove", for_=place)
    assert parameters(SyncBucketProxy.upload)[:4] == ["self", "path", "file", "file_options"]


@pytest.mark.parametrize(
    "name",
    [
        node.targets[0].id if isinstance(node, ast.Assign) else node.name  # type: ignore[attr-defined]
        for node in ast.parse((CHECKOUT / "gunicorn.conf.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign | ast.FunctionDef)
    ],
)
def test_gunicorn_knows_each_setting_that_its_file_sets(name: str) -> None:
    settings = importlib.import_module("gunicorn.config").KNOWN_SETTINGS
    known = {setting.name for setting in settings} | {"REFUSED"}
    assert name in known, f"gunicorn.conf.py sets {name}, which gunicorn does not read any more"


def test_gunicorn_stops_on_the_code_that_our_workers_end_with() -> None:
    source = (CHECKOUT / "gunicorn.conf.py").read_text(encoding="utf-8")
    arbiter = importlib.import_module("gunicorn.arbiter").Arbiter
    assert f"\nREFUSED = {arbiter.WORKER_BOOT_ERROR}\n" in source
    has(importlib.import_module("gunicorn.workers.gthread"), "ThreadWorker", for_="gunicorn.conf.py")


def test_django_otp_lets_a_code_wait_and_count_once() -> None:
    place = "balansity.second_factor.devices"
    has(TOTPDevice(), "verify_is_allowed", "throttle_increment", "throttling_failure_count", "last_t", for_=place)
    uses(
        TOTPDevice.verify_token, ("verify_is_allowed", "throttle_increment", "last_t", "tolerance", "save"), for_=place
    )
    takes(TOTP.verify, "self", "token", "tolerance", "min_t", for_=place)
    device = TOTPDevice(throttling_failure_count=3, throttling_failure_timestamp=timezone.now())
    is_allowed, why = device.verify_is_allowed()
    assert not is_allowed
    assert why["locked_until"] > timezone.now()


def test_the_sdk_of_the_error_tracker_asks_what_ours_replaces() -> None:
    place = "balansity.error_tracker.Tracker"
    replaces(Tracker, HttpTransport, "_get_pool_options", "on_dropped_event", for_=place)
    assert "self.TIMEOUT" in inspect.getsource(HttpTransport._get_pool_options)
    uses(HttpTransport._make_pool, ("_get_pool_options",), for_=place)


def test_gunicorn_and_beat_write_through_what_ours_replaces() -> None:
    replaces(Lines, Logger, "setup", for_="balansity.gunicorn_lines")
    has(Logger, "error_fmt", "datefmt", for_="balansity.gunicorn_lines")
    takes_among_others(Beat.__init__, "quiet", for_="balansity.celery.banner")
    uses(Beat.run, ("quiet",), for_="balansity.celery.banner")
