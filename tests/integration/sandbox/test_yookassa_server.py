import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from freezegun import freeze_time

from sandbox.services.yookassa import YooKassaService
from sandbox.yookassa import ApiError, FaultKind, YooKassaServer
from tests.acceptance.waiting import wait_until
from tests.support.yookassa_shop import SECRET_KEY, SHOP_ID, amount, call, client_of, payment_body, refund_body


@pytest.fixture
def server() -> Iterator[YooKassaServer]:
    with YooKassaServer(shop_id=SHOP_ID, secret_key=SECRET_KEY) as running:
        yield running


def pay_for(server: YooKassaServer, body: dict[str, Any] | None = None, *, key: str = "order") -> dict[str, Any]:
    status, created = call(f"{server.api_url}/payments", body or payment_body(), key=key)
    assert status == 200
    return server.succeed(created["id"])


def test_the_account_is_told(server: YooKassaServer) -> None:
    status, account = call(f"{server.api_url}/me")
    assert (status, account["account_id"], account["test"]) == (200, SHOP_ID, True)


def test_the_first_answer_comes_again_for_a_day_and_not_longer(server: YooKassaServer) -> None:
    with freeze_time("2026-11-23T10:00:00Z") as clock:
        first = call(f"{server.api_url}/payments", payment_body())[1]
        server.succeed(first["id"])
        clock.tick(24 * 3600 - 1)
        assert call(f"{server.api_url}/payments", payment_body())[1] == first
        clock.tick(1)
        assert call(f"{server.api_url}/payments", payment_body())[1]["id"] != first["id"]


def test_a_key_belongs_to_one_request(server: YooKassaServer) -> None:
    paid = pay_for(server, key="1")
    status, error = call(f"{server.api_url}/refunds", refund_body(paid["id"], "1.00"), key="1")
    assert (status, error["parameter"]) == (400, "Idempotence-Key")
    assert client_of(server).list_refunds().items == ()


def test_a_refused_request_may_be_corrected_under_its_key(server: YooKassaServer) -> None:
    assert call(f"{server.api_url}/payments", payment_body("0"))[0] == 400
    assert call(f"{server.api_url}/payments", payment_body())[0] == 200


def test_reserved_money_is_captured_in_part_or_given_free(server: YooKassaServer) -> None:
    ids = [
        call(f"{server.api_url}/payments", payment_body("10.00", capture=False), key=f"{number}")[1]["id"]
        for number in range(2)
    ]
    assert call(f"{server.api_url}/payments/{ids[0]}/capture", {}, key="early")[0] == 400
    for payment_id in ids:
        waiting = server.shop.pay(payment_id)
        assert (waiting["status"], waiting["paid"], waiting["refundable"]) == ("waiting_for_capture", True, False)
    assert call(f"{server.api_url}/payments/{ids[0]}/capture", amount("10.01"), key="more")[0] == 400
    captured = call(f"{server.api_url}/payments/{ids[0]}/capture", amount("9.00"), key="capture")[1]
    assert (captured["status"], captured["amount"]["value"]) == ("succeeded", "9.00")
    canceled = call(f"{server.api_url}/payments/{ids[1]}/cancel", {}, key="cancel")[1]
    assert canceled["cancellation_details"] == {"party": "merchant", "reason": "canceled_by_merchant"}


def test_what_ended_stays_as_it_is(server: YooKassaServer) -> None:
    paid = pay_for(server)
    for change in (server.succeed, server.decline, server.expire, server.wait_for_capture, server.shop.cancel):
        with pytest.raises(ApiError):
            change(paid["id"])
    assert client_of(server).get_payment(paid["id"]).status == "succeeded"


def test_no_more_is_refunded_than_was_paid(server: YooKassaServer) -> None:
    paid = pay_for(server, payment_body("10.00"))
    assert call(f"{server.api_url}/refunds", refund_body(paid["id"], "10.01"), key="a")[0] == 400
    assert call(f"{server.api_url}/refunds", refund_body(paid["id"], "6.00"), key="b")[0] == 200
    assert call(f"{server.api_url}/refunds", refund_body(paid["id"], "4.01"), key="c")[0] == 400
    assert call(f"{server.api_url}/refunds", refund_body(paid["id"], "4.00"), key="d")[0] == 200
    status, error = call(f"{server.api_url}/refunds", refund_body(paid["id"], "0.01"), key="e")
    assert (status, error["parameter"]) == (400, "amount")
    shown = server.shop.payment(paid["id"])
    assert (shown["refunded_amount"]["value"], shown["refundable"]) == ("10.00", False)


def test_only_what_was_paid_is_refunded(server: YooKassaServer) -> None:
    unpaid = call(f"{server.api_url}/payments", payment_body())[1]["id"]
    assert call(f"{server.api_url}/refunds", refund_body(unpaid, "1.00"), key="2")[0] == 400
    unknown = "23d93cac-000f-5000-8000-126628f15141"
    assert call(f"{server.api_url}/refunds", refund_body(unknown, "1.00"), key="3")[0] == 400


def test_a_failed_refund_gives_its_amount_free(server: YooKassaServer) -> None:
    paid = pay_for(server, payment_body("10.00"))
    assert call(f"{server.page_url}sandbox/refunds", {"status": "pending"})[0] == 200
    refund = call(f"{server.api_url}/refunds", refund_body(paid["id"], "10.00"), key="a")[1]
    assert refund["status"] == "pending"
    assert call(f"{server.api_url}/refunds", refund_body(paid["id"], "1.00"), key="b")[0] == 400
    canceled = call(f"{server.page_url}sandbox/refunds/{refund['id']}/cancel", {"reason": "general_decline"})[1]
    assert canceled["cancellation_details"] == {"party": "yoo_money", "reason": "general_decline"}
    assert call(f"{server.api_url}/refunds", refund_body(paid["id"], "1.00"), key="b")[0] == 200


def test_an_unpaid_payment_expires_by_itself() -> None:
    with YooKassaServer(shop_id=SHOP_ID, secret_key=SECRET_KEY, expire_after=0.1) as server:
        created = call(f"{server.api_url}/payments", payment_body())[1]
        shown = wait_until(
            lambda: server.shop.payment(created["id"]).get("cancellation_details"), "the payment expires"
        )
        assert shown == {"party": "yoo_money", "reason": "expired_on_confirmation"}


def test_the_control_api_plays_payer_and_bank(server: YooKassaServer) -> None:
    def act(number: int, action: str, options: dict[str, Any]) -> dict[str, Any]:
        created = call(f"{server.api_url}/payments", payment_body(), key=f"{number}")[1]
        status, shown = call(f"{server.page_url}sandbox/payments/{created['id']}/{action}", options)
        assert status == 200
        return dict(shown)

    paid = act(1, "succeed", {"method": "sbp", "at": "2026-11-23T10:00:00+03:00"})
    assert (paid["payment_method"]["type"], paid["captured_at"]) == ("sbp", "2026-11-23T07:00:00.000Z")
    assert act(2, "decline", {"reason": "new_one"})["cancellation_details"]["reason"] == "new_one"
    assert act(3, "expire", {})["cancellation_details"]["reason"] == "expired_on_confirmation"
    assert act(4, "wait_for_capture", {})["status"] == "waiting_for_capture"


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("payments/x/succeed", {}),
        ("payments/x/explode", {}),
        ("faults", {"kind": "fire"}),
        ("faults", {"kind": "silent", "colour": "red"}),
        ("notifications", {"colour": "red"}),
        ("refunds", {"status": "lost"}),
        ("nothing", {}),
    ],
)
def test_the_control_api_refuses_what_it_does_not_know(
    server: YooKassaServer, path: str, options: dict[str, Any]
) -> None:
    status, error = call(f"{server.page_url}sandbox/{path}", options)
    assert status in (400, 404)
    assert error["type"] == "error"


def test_a_page_of_another_site_cannot_use_the_control_api(server: YooKassaServer) -> None:
    created = call(f"{server.api_url}/payments", payment_body())[1]
    request = urllib.request.Request(f"{server.page_url}sandbox/payments/{created['id']}/succeed", b"{}")
    request.add_header("Origin", "https://evil.example")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    with refused.value:
        assert refused.value.code == 403
    assert server.shop.payment(created["id"])["status"] == "pending"


def test_faults_are_used_up_one_by_one_and_only_where_they_belong(server: YooKassaServer) -> None:
    control = f"{server.page_url}sandbox/faults"
    assert call(control, {"kind": "500", "times": 2, "method": "POST", "path": "/payments"})[0] == 200
    assert call(f"{server.api_url}/payments")[0] == 200
    statuses = [call(f"{server.api_url}/payments", payment_body(), key="k")[0] for _ in range(3)]
    assert statuses == [500, 500, 200]
    server.fail(FaultKind.ERROR_500, times=100)
    assert call(control, method="DELETE")[0] == 200
    assert call(f"{server.api_url}/me")[0] == 200


def test_the_journal_tells_calls_and_no_secrets(server: YooKassaServer) -> None:
    server.fail("500", path="/me")
    call(f"{server.api_url}/me", key=None)
    call(f"{server.api_url}/payments", payment_body(), key="order-7")
    status, listed = call(f"{server.page_url}sandbox/requests")
    assert status == 200
    assert [(one["method"], one["path"], one["key"], one["status"], one["fault"]) for one in listed] == [
        ("GET", "/me", "", 500, "500"),
        ("POST", "/payments", "order-7", 200, ""),
    ]
    assert SECRET_KEY not in json.dumps(listed)
    assert "Basic" not in json.dumps(listed)


def test_a_server_goes_on_where_it_stopped(server: YooKassaServer) -> None:
    created = call(f"{server.api_url}/payments", payment_body())[1]
    server.stop()
    with pytest.raises(urllib.error.URLError):
        call(f"{server.api_url}/me")
    server.start()
    assert call(f"{server.api_url}/payments/{created['id']}")[1] == created


def test_it_runs_as_a_process_of_its_own(tmp_path: Path) -> None:
    service = YooKassaService(tmp_path)
    service.start()
    try:
        login = f"{service.shop_id}:{service.secret_key}"
        assert call(f"{service.api_url}/me", login=login)[1]["account_id"] == service.shop_id
        with urllib.request.urlopen(service.widget_url, timeout=10) as script:
            assert b"YooMoneyCheckoutWidget" in script.read()
    finally:
        service.stop()
    with pytest.raises(urllib.error.URLError):
        call(f"{service.api_url}/me")
