"""What a message of the payment queue may ask for: anybody can send one, so each of its keys is read or refused."""

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import InvalidMessage
from payments.queue import ACTIONS, MOST_ID, ProcessingRequest

PAYMENT_ID = uuid.UUID("0b6d5a9e-1f0c-4c0e-9a50-6f1f6f3a2d11")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def body(**changes: Any) -> dict[str, Any]:
    return {"payment_id": str(PAYMENT_ID), "action": "verify", "created_at": "2026-11-23T11:30:00+00:00"} | changes


@pytest.mark.parametrize("action", ["verify", "update_status", "refund"])
def test_each_action_of_supabases_function_is_read(action: str) -> None:
    assert ProcessingRequest.parse(body(action=action)) == ProcessingRequest(PAYMENT_ID, action)


@pytest.mark.parametrize("number", [1, MOST_ID])
def test_the_number_of_a_notification_is_read(number: int) -> None:
    assert ProcessingRequest.parse(body(notification_id=number)).notification_id == number


def test_what_nobody_asks_for_is_ignored() -> None:
    more = {"status": "succeeded", "amount": "0.01", "user_id": str(uuid.UUID(int=7)), "refund": True, "priority": -1}
    assert ProcessingRequest.parse(body(**more)) == ProcessingRequest.parse(body())


@pytest.mark.parametrize("value", [None, "text", 42, True, [], [body()], [["payment_id", str(PAYMENT_ID)]]])
def test_what_is_no_object_is_invalid(value: object) -> None:
    with pytest.raises(InvalidMessage, match="the message must be a JSON object"):
        ProcessingRequest.parse(value)


@pytest.mark.parametrize(
    "value", [None, "", " ", "1 OR 1=1", "../me", 1, PAYMENT_ID.int, 1.5, True, [str(PAYMENT_ID)], {"id": "x"}]
)
def test_a_payment_is_named_by_a_uuid_in_text(value: object) -> None:
    with pytest.raises(InvalidMessage, match='the key "payment_id" must be a UUID'):
        ProcessingRequest.parse(body(payment_id=value))


@pytest.mark.parametrize("value", [None, "", "capture", "Refund", "verify ", "give", 1, ["verify"], {"verify": True}])
def test_there_are_no_other_actions(value: object) -> None:
    with pytest.raises(InvalidMessage, match='the key "action" must be one of verify, update_status, refund'):
        ProcessingRequest.parse(body(action=value))


@pytest.mark.parametrize("value", [0, -1, MOST_ID + 1, 10**40, 1.0, True, False, "1", "", [1], {"id": 1}])
def test_a_notification_is_named_by_a_positive_whole_number(value: object) -> None:
    with pytest.raises(InvalidMessage, match='the key "notification_id" must be a positive whole number'):
        ProcessingRequest.parse(body(notification_id=value))


@pytest.mark.parametrize("key", ["payment_id", "action"])
def test_a_missing_key_is_named(key: str) -> None:
    message = body()
    del message[key]
    with pytest.raises(InvalidMessage, match=f'the key "{key}" must be'):
        ProcessingRequest.parse(message)


@pytest.mark.parametrize("value", [None, False, 1, 1.0, "true", "yes", [True], {"give": True}])
def test_only_true_asks_to_give(value: object) -> None:
    assert ProcessingRequest.parse(body(give=value)).give is False
    assert ProcessingRequest.parse(body(give=True)).give is True


@given(JSON)
def test_whatever_the_body_is_it_is_refused_readably(value: object) -> None:
    with pytest.raises(InvalidMessage) as refused:
        ProcessingRequest.parse(value)
    assert str(refused.value)


@given(action=st.sampled_from(ACTIONS) | JSON, notification_id=JSON, give=JSON)
def test_whatever_the_keys_hold_it_is_read_or_refused_readably(
    action: object, notification_id: object, give: object
) -> None:
    message = body(action=action, notification_id=notification_id, give=give)
    try:
        request = ProcessingRequest.parse(message)
    except InvalidMessage as refused:
        problem = str(refused)
    else:
        assert request.payment_id == PAYMENT_ID
        assert request.action in ACTIONS
        assert request.notification_id is None or 0 < request.notification_id <= MOST_ID
        return
    assert problem.isprintable()
