import json
import pickle
from typing import Any

import pytest

from payments.yookassa.answers import Answer, read_answer
from payments.yookassa.errors import Rejected, Unavailable


def read(status: int, content: bytes | dict[str, Any], *, changes: bool = True, **headers: str) -> dict[str, Any]:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return read_answer(
        Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body), changes=changes
    )


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b'{"id": "2d', b"[]", b"null", b"\xff", b"[" * 100_000, b'{"a":NaN}']
)
def test_a_200_that_is_no_json_object_leaves_the_outcome_unknown(content: bytes) -> None:
    with pytest.raises(Unavailable) as unavailable:
        read(200, content)
    assert unavailable.value.outcome_unknown


@pytest.mark.parametrize("status", [201, 204, 302, 500, 502, 503, 504])
def test_whatever_is_neither_200_nor_a_refusal_is_asked_again(status: int) -> None:
    with pytest.raises(Unavailable) as unavailable:
        read(status, {"type": "error", "code": "internal_server_error"})
    assert unavailable.value.outcome_unknown
    with pytest.raises(Unavailable) as looked:
        read(status, {}, changes=False)
    assert not looked.value.outcome_unknown


def test_too_many_requests_had_no_effect() -> None:
    with pytest.raises(Unavailable) as unavailable:
        read(429, {"type": "error", "code": "too_many_requests"}, Retry_After="7")
    assert (unavailable.value.outcome_unknown, unavailable.value.retry_after) == (False, 7.0)


@pytest.mark.parametrize(
    ("named", "seconds"),
    [
        ("", None),
        ("soon", None),
        ("-5", None),
        ("0", 0.0),
        ("120", 120.0),
        ("9" * 400, 3600.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2900 07:28:00 GMT", 3600.0),
    ],
)
def test_a_pause_is_read_from_seconds_or_a_date_and_kept_within_reason(named: str, seconds: float | None) -> None:
    with pytest.raises(Unavailable) as unavailable:
        read(503, b"", Retry_After=named)
    assert unavailable.value.retry_after == seconds


@pytest.mark.parametrize(
    ("body", "seconds"),
    [({"retry_after": 500}, 0.5), ({}, 1.8), ({"retry_after": "1"}, 1.8), ({"retry_after": 10**400}, 3600.0)],
)
def test_a_202_names_its_pause_in_milliseconds(body: dict[str, Any], seconds: float) -> None:
    with pytest.raises(Unavailable) as unavailable:
        read(202, body)
    assert (unavailable.value.outcome_unknown, unavailable.value.retry_after) == (True, seconds)


def test_a_refusal_carries_code_parameter_and_description() -> None:
    with pytest.raises(Rejected) as rejected:
        read(
            400,
            {"type": "error", "code": "invalid_request", "parameter": "amount.value", "description": "No anna@x.ru"},
        )
    error = rejected.value
    assert (error.http_status, error.code, error.parameter) == (400, "invalid_request", "amount.value")
    assert error.description == "No anna@x.ru"
    assert str(error) == "YooKassa refused: 400 invalid_request, parameter amount.value"


def test_a_4xx_in_somebody_elses_words_is_no_refusal() -> None:
    with pytest.raises(Unavailable):
        read(404, b"<html>Not Found</html>", changes=False)


def test_foreign_words_cannot_forge_log_lines_or_fill_them() -> None:
    text = str(Rejected(400, "bad\nERROR all is lost", "x" * 10_000))
    assert "\n" not in text
    assert len(text) < 200


@pytest.mark.parametrize("error", [Unavailable("500", True, 2.0), Rejected(400, "invalid_request", "amount", "No")])
def test_errors_survive_the_way_from_a_worker_process(error: Exception) -> None:
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(copy), copy.args, str(copy)) == (type(error), error.args, str(error))
