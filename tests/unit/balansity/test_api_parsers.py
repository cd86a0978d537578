"""Request bodies: what money and a jsonb column can live with."""

import io
from decimal import Decimal

import pytest
from django.http import UnreadablePostError
from pytest_django import Settings
from rest_framework.exceptions import ParseError

from balansity.api.exceptions import PayloadTooLarge
from balansity.api.parsers import DecimalJSONParser


@pytest.mark.parametrize("number", ["19.99", "4.35", "0.29", "1e-2", "0.1", "5000.00"])
def test_a_number_arrives_as_it_was_written(number: str) -> None:
    parsed = DecimalJSONParser().parse(io.BytesIO(f'{{"amount": {number}}}'.encode()))
    assert parsed == {"amount": Decimal(number)}
    assert isinstance(parsed["amount"], Decimal)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b"[" * 100_000,
        b"1" * 5000,
        b'{"a": "\\u0000"}',
        b'{"a": [{"\\ud800": 1}]}',
        '{"a": "é"}'.encode("utf-16"),
    ],
)
def test_what_nobody_can_store_is_refused(body: bytes) -> None:
    with pytest.raises(ParseError):
        DecimalJSONParser().parse(io.BytesIO(body))


def test_text_of_any_language_passes() -> None:
    parsed = DecimalJSONParser().parse(io.BytesIO('{"имя": "Аня 👩\\ud83d\\ude00"}'.encode()))
    assert parsed == {"имя": "Аня 👩😀"}


def test_a_body_above_the_limit_is_not_read_to_its_end(settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    body = io.BytesIO(b'"' + b"a" * 10_000 + b'"')
    with pytest.raises(PayloadTooLarge):
        DecimalJSONParser().parse(body)
    assert body.tell() == 101
    assert DecimalJSONParser().parse(io.BytesIO(b'"' + b"a" * 98 + b'"')) == "a" * 98


def test_a_client_that_hangs_up_is_told_so() -> None:
    class HungUp(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise UnreadablePostError

    with pytest.raises(ParseError, match="ended early"):
        DecimalJSONParser().parse(HungUp())
