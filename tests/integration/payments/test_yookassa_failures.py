import logging
import socket
from collections.abc import Iterator

import pytest

from bridge.errors import Away
from payments.provider import judge_outage
from payments.yookassa.client import YooKassaClient
from payments.yookassa.errors import Rejected, Unavailable
from sandbox.yookassa import FaultKind, YooKassaServer
from tests.support.far_below import far_below
from tests.support.yookassa_shop import IMPATIENT, SECRET_KEY, SHOP_ID, client_of, payment_body, receipt

# How long one takes to answer, or to take a connection, that nobody waits for.
HANGS_SECONDS = 60.0


@pytest.fixture
def server() -> Iterator[YooKassaServer]:
    with YooKassaServer(shop_id=SHOP_ID, secret_key=SECRET_KEY) as running:
        yield running


@pytest.fixture
def client(server: YooKassaServer) -> Iterator[YooKassaClient]:
    made = client_of(server)
    yield made
    made.close()


@pytest.fixture
def caller(server: YooKassaServer, client: YooKassaClient, kind: FaultKind) -> Iterator[YooKassaClient]:
    """Who meets the fault: waits for long only for what is answered."""
    made = client_of(server, read_timeout=IMPATIENT)
    yield made if kind in {FaultKind.SLOW, FaultKind.SILENT} else client
    made.close()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("kind", "unknown"),
    [
        (FaultKind.SLOW, True),
        (FaultKind.SILENT, True),
        (FaultKind.ERROR_500, True),
        (FaultKind.TOO_MANY_REQUESTS, False),
        (FaultKind.PROCESSING, True),
        (FaultKind.BROKEN_JSON, True),
        (FaultKind.HTML_502, True),
        (FaultKind.RESET, True),
    ],
)
def test_a_payment_that_nobody_answered_for_is_made_once_by_asking_again(
    server: YooKassaServer, client: YooKassaClient, caller: YooKassaClient, kind: FaultKind, unknown: bool, after: bool
) -> None:
    hangs = HANGS_SECONDS if kind in {FaultKind.SLOW, FaultKind.SILENT} else 0
    server.fail(kind, after=after, seconds=hangs, path="/payments")
    with far_below(HANGS_SECONDS), pytest.raises(Unavailable) as unavailable:
        caller.create_payment(payment_body(), key="1")
    assert unavailable.value.outcome_unknown is unknown
    made = client.create_payment(payment_body(), key="1")
    assert [one.id for one in client.list_payments().items] == [made.id]


@pytest.mark.parametrize("kind", list(FaultKind))
def test_looking_never_leaves_an_outcome_unknown(
    server: YooKassaServer, client: YooKassaClient, caller: YooKassaClient, kind: FaultKind
) -> None:
    payment_id = client.create_payment(payment_body(), key="1").id
    server.fail(kind, seconds=HANGS_SECONDS, method="GET")
    with pytest.raises(Unavailable) as unavailable:
        caller.get_payment(payment_id)
    assert not unavailable.value.outcome_unknown
    assert client.get_payment(payment_id).id == payment_id


def test_a_failed_request_is_not_repeated_behind_our_back(server: YooKassaServer, client: YooKassaClient) -> None:
    server.fail(FaultKind.PROCESSING)
    with pytest.raises(Unavailable):
        client.create_payment(payment_body(), key="1")
    assert [(call.method, call.path, call.key, call.status) for call in server.requests] == [
        ("POST", "/payments", "1", 202)
    ]


def test_the_pause_that_yookassa_asks_for_is_passed_on(server: YooKassaServer, client: YooKassaClient) -> None:
    for kind in (FaultKind.TOO_MANY_REQUESTS, FaultKind.ERROR_500, FaultKind.PROCESSING):
        server.fail(kind, seconds=3)
        with pytest.raises(Unavailable) as unavailable:
            client.create_payment(payment_body(), key="1")
        assert unavailable.value.retry_after == 3


def test_a_refused_connection_is_known_to_have_done_nothing(server: YooKassaServer, client: YooKassaClient) -> None:
    server.stop()
    with pytest.raises(Unavailable) as unavailable:
        client.create_payment(payment_body(), key="1")
    assert not unavailable.value.outcome_unknown


def test_an_address_that_does_not_answer_is_given_up_in_time() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        address = deaf.getsockname()
        # Its queue is full now: the next connection waits until its timeout.
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        lost = YooKassaClient(
            shop_id="1",
            secret_key="2",
            api_url=f"http://127.0.0.1:{address[1]}/v3",
            connect_timeout=0.3,
            read_timeout=HANGS_SECONDS,
        )
        with far_below(HANGS_SECONDS), pytest.raises(Unavailable) as unavailable:
            lost.create_payment(payment_body(), key="1")
        assert not unavailable.value.outcome_unknown
        for one in waiting:
            one.close()


def test_a_dropped_connection_does_not_spoil_the_next_call(server: YooKassaServer, client: YooKassaClient) -> None:
    made = client.create_payment(payment_body(), key="1")
    server.stop()
    server.start()
    assert client.get_payment(made.id) == made


def test_a_call_is_one_line_in_the_log_and_no_secret_is_in_any(
    server: YooKassaServer, client: YooKassaClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made = client.create_payment(payment_body(receipt=receipt("19.99")), key="secret-of-ours")
    with pytest.raises(Rejected):
        client.create_payment(payment_body("0.00"), key="2")
    server.fail(FaultKind.RESET)
    with pytest.raises(Unavailable):
        client.get_payment(made.id)
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("payments.")]
    assert [line.partition(" in ")[0] for line in ours] == [
        "POST /payments: 200",
        "POST /payments: YooKassa refused: 400 invalid_request, parameter amount.value",
        f"GET /payments/{made.id}: YooKassa is unavailable: the connection failed (ConnectionError)",
    ]
    everything = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    for secret in (
        "Authorization",
        "Basic ",
        SECRET_KEY,
        "anna@example.org",
        "secret-of-ours",
        str(made.confirmation_token),
    ):
        assert secret not in everything


@pytest.mark.parametrize(
    ("kind", "away"),
    [
        (FaultKind.SLOW, Away.AWAY),
        (FaultKind.SILENT, Away.AWAY),
        (FaultKind.RESET, Away.AWAY),
        (FaultKind.ERROR_500, Away.SERVER_ERROR),
        (FaultKind.HTML_502, Away.SERVER_ERROR),
        (FaultKind.BROKEN_JSON, Away.SERVER_ERROR),
        (FaultKind.TOO_MANY_REQUESTS, Away.QUOTA),
        # It works on this very request.
        (FaultKind.PROCESSING, None),
    ],
)
def test_what_every_payment_would_meet_is_an_outage(
    server: YooKassaServer, client: YooKassaClient, caller: YooKassaClient, kind: FaultKind, away: Away | None
) -> None:
    payment_id = client.create_payment(payment_body(), key="1").id
    server.fail(kind, seconds=HANGS_SECONDS if kind is FaultKind.SLOW else 0, method="GET")
    with pytest.raises(Unavailable) as unavailable:
        caller.get_payment(payment_id)
    verdict = judge_outage(unavailable.value)
    assert (verdict.kind if verdict else None) is away


def test_a_key_that_yookassa_refuses_concerns_every_payment_and_an_unknown_id_one(server: YooKassaServer) -> None:
    stranger = YooKassaClient(shop_id=SHOP_ID, secret_key="test_another", api_url=server.api_url)
    with pytest.raises(Rejected) as refused:
        stranger.get_payment("2d0f0000-000f-5000-8000-000000000000")
    stranger.close()
    verdict = judge_outage(refused.value)
    assert verdict is not None
    assert verdict.kind is Away.REFUSED
    own = client_of(server)
    with pytest.raises(Rejected) as unknown:
        own.get_payment("2d0f0000-000f-5000-8000-000000000000")
    own.close()
    assert judge_outage(unknown.value) is None


def test_a_yookassa_that_is_not_there_is_away(server: YooKassaServer, client: YooKassaClient) -> None:
    server.stop()
    with pytest.raises(Unavailable) as unavailable:
        client.get_account()
    verdict = judge_outage(unavailable.value)
    assert verdict is not None
    assert verdict.kind is Away.AWAY


def test_an_answer_about_another_payment_is_no_outage() -> None:
    assert judge_outage(Unavailable("an answer about another object", False)) is None
