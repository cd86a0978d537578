"""Redis over TLS with a private authority that wants certificates of its clients: everybody of ours works with it."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
import requests

from sandbox.services.authority import Authority
from sandbox.services.process import free_port
from sandbox.services.wire import Wire
from tests.acceptance.ledger import Ledger
from tests.acceptance.processes import Fleet
from tests.acceptance.waiting import wait_until
from tests.support.databases import ClonedDatabase

TOKEN = "0f8b1c6d5e2a49738d16c0b7e9fa4321"
NOTED = {"note": True}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def encrypted(fleet: Fleet, broker_url: str, authority: Authority, tmp_path: Path) -> Iterator[Wire]:
    """The only way to the broker that the fleet knows."""
    parts = urlsplit(broker_url)
    wire = Wire(tmp_path, "tls", to=int(parts.port or 0), shows=authority.issue("redis"), believes=authority.file)
    wire.start()
    ours = authority.issue("balansity")
    files = f"ssl_ca_certs={authority.file}&ssl_certfile={ours.certificate}&ssl_keyfile={ours.key}"
    fleet.variables["REDIS_URL"] = f"rediss://:{parts.password}@127.0.0.1:{wire.port}{parts.path}?{files}"
    yield wire
    # Before their broker goes, or they would complain about it in the logs of a test that failed.
    fleet.close()
    wire.stop()


def test_everybody_works_over_tls_comes_back_after_a_restart_and_names_a_wrong_certificate(
    fleet: Fleet, probe: Ledger, database: ClonedDatabase, encrypted: Wire, authority: Authority, tmp_path: Path
) -> None:
    port = free_port()
    web = fleet.web(port, METRICS_TOKEN=TOKEN)
    bridge, worker, beat = fleet.bridge(), fleet.worker(), fleet.beat(tmp_path / "schedule")
    first = probe.send(NOTED)
    assert probe.await_ending(first).outcome == "succeeded"
    address = f"http://127.0.0.1:{port}"
    web.await_text("Booting worker")
    # Redis, and a worker by its note there.
    wait_until(lambda: _is_ready(address), "all of it is ready")
    wait_until(lambda: _hearts(database.url) >= {"bridge", "worker", "beat", "web"}, "every heart is heard")
    metrics = requests.get(f"{address}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20)
    assert metrics.status_code == requests.codes.ok
    assert 'kind="worker"' in metrics.text
    doctor = fleet.command("doctor", "--json")
    doctor.await_end(seconds=60)
    codes = {finding["code"] for finding in json.loads(doctor.text)["findings"]}
    # It has looked inside: the broker of the tests is no more than that.
    assert {code for code in codes if code.startswith("broker.")} == {"broker.not_persistent"}

    encrypted.stop()
    bridge.await_text("The broker (REDIS_URL) does not answer")
    encrypted.start()
    assert probe.await_ending(probe.send(NOTED), seconds=60).outcome == "succeeded"

    encrypted.stop()
    encrypted.shows = Authority(tmp_path, "stranger").issue("of-a-stranger")
    encrypted.start()
    bridge.await_text("The certificate of Redis is not one that REDIS_URL believes")
    worker.await_text("certificate verify failed")
    for each in (bridge, worker, beat, web):
        assert each.exit_code is None, each.tail()


def _is_ready(address: str) -> bool:
    try:
        return bool(requests.get(f"{address}/health/ready", timeout=10).status_code == requests.codes.ok)
    except requests.ConnectionError:
        return False


def _hearts(url: str) -> set[str]:
    with closing(psycopg2.connect(url)) as opened, opened.cursor() as cursor:
        cursor.execute("SELECT kind FROM balansity.bridge_bridgeprocess")
        return {kind for (kind,) in cursor.fetchall()}
