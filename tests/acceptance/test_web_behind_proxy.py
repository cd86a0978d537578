"""Gunicorn behind a proxy that takes a path away and passes on bodies without a length, on a Cyrillic domain."""

import json
import re
import socket
import uuid
from collections.abc import Iterator

import requests
from django.contrib.auth.models import User

from payments.models import ProviderNotification
from sandbox.services.process import free_port
from sandbox.tokens import access_token
from tests.acceptance.path_proxy import Browser, PathProxy
from tests.acceptance.processes import Fleet
from tests.acceptance.waiting import wait_until

PREFIX = "/services/worker"
HOST = "xn--80aqu.xn--80aab4aapp6ak.xn--p1ai"
PUBLIC = f"https://{HOST}{PREFIX}"
FRONT_END = "https://xn--80aab4aapp6ak.xn--p1ai"
PASSWORD = "a-good-password"
LIMIT = 1024 * 1024


def test_all_of_it_works_under_a_path_and_with_bodies_of_no_length(fleet: Fleet) -> None:
    port = free_port()
    fleet.web(
        port,
        API_BASE_URL=f"https://Апи.балансити.рф:443{PREFIX}/",
        FRONTEND_URL="https://балансити.рф/, https://www.балансити.рф",
        TRUSTED_PROXIES="127.0.0.1",
    )
    wait_until(lambda: is_healthy(port), "the web process answers")
    User.objects.create_superuser("olga", password=PASSWORD)
    with PathProxy(port, PREFIX) as proxy:
        browser = Browser(proxy, HOST)
        assert_staff_get_in(browser)
        assert_pages_lead_nowhere_else(browser)
        assert_the_api_is_described(browser)
        assert_both_front_ends_may_call(browser)
        assert_yookassa_is_told_from_others(browser)
        assert_bodies_arrive(browser)
    assert_a_direct_caller_needs_no_length_either(port)
    assert_a_body_has_an_end(port)


def is_healthy(port: int) -> bool:
    try:
        # As a load balancer asks: whatever the host.
        answer = requests.get(f"http://127.0.0.1:{port}/health", headers={"Host": "10.1.2.3:3001"}, timeout=5)
    except requests.RequestException:
        return False
    return answer.status_code == 200


def assert_staff_get_in(browser: Browser) -> None:
    first = browser.call("GET", f"{PREFIX}/admin/")
    login = first.headers["Location"]
    assert (first.status_code, login) == (302, f"{PREFIX}/admin/login/?next={PREFIX}/admin/")
    page = browser.call("GET", login).text
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token
    form = {"username": "olga", "password": PASSWORD, "next": f"{PREFIX}/admin/", "csrfmiddlewaretoken": token[1]}
    inside = browser.call("POST", f"{PREFIX}/admin/login/", form)
    assert (inside.status_code, inside.headers["Location"]) == (302, f"{PREFIX}/admin/"), inside.text
    # Nobody else on that host gets them.
    assert {path for _, path in browser.cookies.values()} == {f"{PREFIX}/", f"{PREFIX}/admin/"}
    assert browser.call("GET", f"{PREFIX}/admin").headers["Location"] == f"{PREFIX}/admin/"


def assert_pages_lead_nowhere_else(browser: Browser) -> None:
    seen = {"index": browser.call("GET", f"{PREFIX}/admin/").text}
    for path in sorted(links(seen["index"])):
        if re.fullmatch(rf"{PREFIX}/admin/\w+/(\w+/)?", path):
            seen[path] = browser.call("GET", path).text
    assert len(seen) > 10
    leading = {path for page in seen.values() for path in links(page) if path.startswith("/")}
    assert {path for path in leading if not path.startswith(f"{PREFIX}/")} == set()
    files = [path for path in leading if path.startswith(f"{PREFIX}/static/")]
    assert len(files) > 3
    for path in files:
        assert browser.call("GET", path).status_code == 200, path


def links(page: str) -> set[str]:
    return set(re.findall(r'\b(?:href|src|action)="([^"]+)"', page))


def assert_the_api_is_described(browser: Browser) -> None:
    scripts = [path for path in links(browser.call("GET", f"{PREFIX}/api/docs").text) if "script" in path]
    assert scripts
    assert f"{PREFIX}/api/schema" in "".join(browser.call("GET", path).text for path in scripts)
    schema = browser.call("GET", f"{PREFIX}/api/schema", Accept="application/vnd.oai.openapi+json").json()
    assert schema["servers"] == [{"url": PREFIX}]
    assert "/api/payments/create" in schema["paths"]


def assert_both_front_ends_may_call(browser: Browser) -> None:
    for origin in (FRONT_END, FRONT_END.replace("://", "://www.")):
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        answer = browser.call("OPTIONS", f"{PREFIX}/api/payments/create", None, **asked)
        assert answer.headers["Access-Control-Allow-Origin"] == origin


def assert_yookassa_is_told_from_others(browser: Browser) -> None:
    """The proxy wrote whom it saw, 127.0.0.1 and a port, which is trusted; so it is the hop before that counts."""
    path = f"{PREFIX}/api/webhook/yookassa"
    for sender, status in (("203.0.113.9:5120", 403), ("185.71.76.1:51234", 200), ("[2a02:5180::1]:443", 200)):
        assert post(browser, path, notice(str(uuid.uuid4())), **{"X-Forwarded-For": sender}).status_code == status


def notice(object_id: str) -> str:
    found = {"id": object_id, "status": "succeeded", "metadata": {}}
    return json.dumps({"type": "notification", "event": "payment.succeeded", "object": found})


def post(browser: Browser, path: str, body: str, **headers: str) -> requests.Response:
    # What `requests` is given as a form may be any text.
    return browser.call("POST", path, body, **{"Content-Type": "application/json", **headers})  # type: ignore[arg-type]


def assert_bodies_arrive(browser: Browser) -> None:
    user = uuid.uuid4()
    bearer = {"Authorization": f"Bearer {access_token(user)}"}
    create = post(browser, f"{PREFIX}/api/payments/create", '{"amount": 0.5, "currency": "RUB"}', **bearer)
    assert {error["field"] for error in create.json()["errors"]} == {"amount", "metadata"}
    assert "required" not in {error["code"] for error in create.json()["errors"] if error["field"] == "amount"}
    unknown = json.dumps({"payment_id": str(uuid.uuid4())})
    assert post(browser, f"{PREFIX}/api/payments/verify", unknown, **bearer).json()["error"] == "Payment not found"
    refund = post(browser, f"{PREFIX}/api/payments/{uuid.uuid4()}/refund", "{", **bearer)
    assert refund.status_code in {400, 403, 404}
    large = json.dumps({"payment_id": "x" * LIMIT})
    assert post(browser, f"{PREFIX}/api/payments/verify", large, **bearer).status_code == 413
    assert post(browser, f"{PREFIX}/api/webhook/yookassa", large).status_code == 413
    form = {"username": "x" * LIMIT, "csrfmiddlewaretoken": "c" * 32}
    assert browser.call("POST", f"{PREFIX}/admin/login/", form).status_code == 413


def assert_a_direct_caller_needs_no_length_either(port: int) -> None:
    def pieces() -> Iterator[bytes]:
        text = notice("2f-direct").encode()
        yield text[:20]
        yield text[20:]

    url = f"http://127.0.0.1:{port}/api/webhook/yookassa"
    assert requests.post(url, data=pieces(), timeout=60).status_code == 200
    assert ProviderNotification.objects.filter(object_id="2f-direct").exists()


def assert_a_body_has_an_end(port: int) -> None:
    """One that goes on for ever is answered after what is too much of it, and the connection ends."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        head = "POST /api/webhook/yookassa HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head.encode() + (b"10000\r\n" + b"x" * 0x10000 + b"\r\n") * 17)
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")
