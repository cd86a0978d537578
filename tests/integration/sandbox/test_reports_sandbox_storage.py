"""The stand-in of Supabase Storage: that it says what the real one says, and that it runs as a process."""

import json
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from storage3 import SyncStorageClient
from storage3.exceptions import StorageApiError

from sandbox.services.storage import StorageService
from sandbox.storage import StorageServer

KEY = "somebody/report.pdf"


def client(server: StorageServer | StorageService, http: httpx.Client) -> Any:
    headers = {"apikey": server.service_key, "Authorization": f"Bearer {server.service_key}"}
    return SyncStorageClient(f"{server.url}/storage/v1/", headers, http_client=http).from_("reports")


def test_supabases_own_client_can_do_what_it_does_with_the_real_one(storage_server: StorageServer) -> None:
    with httpx.Client() as http:
        bucket = client(storage_server, http)
        bucket.upload(KEY, b"one", {"content-type": "application/pdf"})
        with pytest.raises(StorageApiError) as taken:
            bucket.upload(KEY, b"two", {"content-type": "application/pdf"})
        assert (str(taken.value.status), taken.value.code) == ("409", "Duplicate")
        bucket.upload(KEY, b"three", {"content-type": "application/pdf", "upsert": "true"})
        assert bucket.download(KEY) == b"three"
        info = bucket.info(KEY)
        assert (info["name"], info["size"], info["content_type"]) == (KEY, 5, "application/pdf")
        assert bucket.list("somebody") == [{"name": "report.pdf"}]
        assert [removed["name"] for removed in bucket.remove([KEY, "nothing.pdf"])] == [KEY]
        assert bucket.exists(KEY) is False


def test_a_signed_address_opens_one_object_for_a_while(storage_server: StorageServer) -> None:
    with httpx.Client() as http:
        bucket = client(storage_server, http)
        bucket.upload(KEY, b"content", {"content-type": "application/pdf"})
        bucket.upload("somebody/other.pdf", b"other", {"content-type": "application/pdf"})
        signed = bucket.create_signed_url(KEY, 60)["signedURL"]
        assert http.get(signed).content == b"content"
        assert http.get(signed.replace("report.pdf", "other.pdf")).status_code == 400
        assert http.get(bucket.create_signed_url(KEY, 0)["signedURL"]).status_code == 400


def test_a_bucket_says_whether_it_is_public(storage_server: StorageServer) -> None:
    with httpx.Client() as http:
        headers = {"Authorization": f"Bearer {storage_server.service_key}"}
        asked = SyncStorageClient(f"{storage_server.url}/storage/v1/", headers, http_client=http)
        assert asked.get_bucket("reports").public is False
        storage_server.store.opened.add("reports")
        assert asked.get_bucket("reports").public is True
        with pytest.raises(StorageApiError) as missing:
            asked.get_bucket("others")
        assert str(missing.value.status) == "404"


@pytest.mark.parametrize(
    "path", ["object/public/reports/somebody/report.pdf", "object/reports/somebody/report.pdf", "object/list/reports"]
)
def test_nothing_is_public(storage_server: StorageServer, path: str) -> None:
    storage_server.store.put("reports", KEY, b"x", content_type="text/plain", cache_control="", upsert=False)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{storage_server.url}/storage/v1/{path}", timeout=5)
    with closing(refused.value) as answer:
        assert answer.code == 400
        assert json.loads(answer.read())["statusCode"] in {"403", "404"}


@pytest.mark.parametrize("key", ["..%2f..%2fetc%2fpasswd", "a//b", "a/../b"])
def test_keys_that_leave_the_bucket_are_refused(storage_server: StorageServer, tmp_path: Path, key: str) -> None:
    headers = {"Authorization": f"Bearer {storage_server.service_key}"}
    request = urllib.request.Request(
        f"{storage_server.url}/storage/v1/object/reports/{key}", b"x", headers, method="POST"
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=5)
    with closing(refused.value) as answer:
        assert json.loads(answer.read())["error"] == "InvalidKey"
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_it_runs_as_a_process_that_keeps_objects_and_takes_orders(tmp_path: Path) -> None:
    service = StorageService(tmp_path)
    service.start()
    try:
        with httpx.Client() as http:
            client(service, http).upload(KEY, b"content", {"content-type": "application/pdf"})
            ordered = http.post(f"{service.url}/sandbox/faults", json={"kind": "status", "status": 503})
            assert ordered.status_code == 201
            with pytest.raises(StorageApiError):
                client(service, http).download(KEY)
            assert http.post(f"{service.url}/sandbox/faults", json={"kind": "rude"}).status_code == 400
            calls = http.get(f"{service.url}/sandbox/requests").json()
            assert [(method, status) for method, _, status in calls] == [("POST", 200), ("GET", 503)]
    finally:
        service.stop()
    service.start()
    try:
        with httpx.Client() as http:
            assert client(service, http).download(KEY) == b"content"
    finally:
        service.stop()
