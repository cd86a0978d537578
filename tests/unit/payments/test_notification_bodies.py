"""What counts as a notification, and what is taken from it."""

import json
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.webhook.notice import InvalidNotice, Notice

OURS = uuid.UUID("0b6d5a9e-1f0c-4c0e-9a50-6f1f6f3a2d11")


def body(event: object = "payment.succeeded", **found: Any) -> str:
    return json.dumps({"type": "notification", "event": event, "object": {"id": "2f01-a"} | found})


def test_a_payment_names_itself_and_our_id_in_its_metadata() -> None:
    notice = Notice.parse(body(metadata={"payment_id": str(OURS), "user_id": "x"}, amount={"value": "1.00"}))
    assert notice == Notice("payment.succeeded", "2f01-a", "2f01-a", OURS)


def test_a_refund_names_its_payment() -> None:
    assert Notice.parse(body("refund.succeeded", payment_id="2f02")) == Notice("refund.succeeded", "2f01-a", "2f02")


@pytest.mark.parametrize("metadata", [None, [], "x", {"payment_id": 5}, {"payment_id": "x"}, {"payment_id": None}])
def test_metadata_of_any_shape_is_no_error(metadata: object) -> None:
    assert Notice.parse(body(metadata=metadata)).payment_id is None


@pytest.mark.parametrize("payment_id", [None, 5, "", "../me", "x" * 65, "a b"])
def test_a_refund_whose_payment_cannot_be_an_id_names_none(payment_id: object) -> None:
    assert Notice.parse(body("refund.succeeded", payment_id=payment_id)).external_payment_id == ""


def test_events_that_are_new_to_us_pass_and_name_no_payment() -> None:
    assert Notice.parse(body("payout.succeeded")).external_payment_id == ""
    assert Notice.parse(body("payment.some_day.new")).external_payment_id == "2f01-a"


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "[]", "5", '"notification"', "{", "not json", "{}", "NaN", "\x00", '{"type": "notification"}'),
        json.dumps({"type": "notice", "event": "payment.succeeded", "object": {"id": "2f01"}}),
        *(
            body(event)
            for event in (None, 5, "", "payment", "payment.succeeded\n", "Payment.X", "a." + "b" * 70, "a.б")
        ),
        *(body(id=value) for value in (None, "", 5, "../me", "x" * 65, "2f\x00", "\ud800", ["2f01"])),
        '{"type": "notification", "event": "payment.succeeded", "object": {"id": "2f01", "amount": Infinity}}',
        '{"type": "notification", "event": "payment.succeeded", "object": "2f01"}',
        '{"a":' * 30_000,
        "[" * 60_000,
        "9" * 60_000,
    ],
)
def test_what_is_no_notification_is_refused_in_words(text: str) -> None:
    with pytest.raises(InvalidNotice) as refused:
        Notice.parse(text)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 100


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["id", "metadata", "payment_id", "x"]), inner),
    max_leaves=8,
)


@given(event=st.sampled_from(["payment.succeeded", "refund.succeeded", "x"]) | ANYTHING, found=ANYTHING)
def test_any_json_is_either_a_notification_of_plain_ids_or_refused(event: object, found: object) -> None:
    try:
        notice = Notice.parse(json.dumps({"type": "notification", "event": event, "object": found}))
    except InvalidNotice:
        return
    assert notice.event == event
    for word in (notice.object_id, notice.external_payment_id):
        assert word.isascii()
        assert word.replace("-", "").replace("_", "").isalnum() or word == ""
        assert len(word) <= 64


@given(text=st.text())
def test_any_text_is_parsed_or_refused(text: str) -> None:
    with pytest.raises(InvalidNotice):
        Notice.parse(text)
