"""JSON as money and Postgres need it: no float, no text that a jsonb column refuses, no body without a limit."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import IO, Any, NoReturn

from django.conf import settings
from django.http import UnreadablePostError
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from balansity.api.exceptions import PayloadTooLarge

# NUL, which no text in Postgres may hold, and halves of surrogate pairs, which are no characters.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class DecimalJSONParser(BaseParser):
    """Reads UTF-8 JSON; a number with a point or an exponent is a `Decimal`, exactly as it was written.

    Raises `ParseError` (400) for anything else, also for NaN and for text with NUL or half a surrogate pair, and
    `PayloadTooLarge` (413) above `DATA_UPLOAD_MAX_MEMORY_SIZE`, which DRF's own parser does not look at.
    """

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        try:
            body = stream.read(limit + 1)
        except UnreadablePostError as error:
            raise ParseError("The request body ended early") from error
        if len(body) > limit:
            raise PayloadTooLarge
        try:
            parsed = json.loads(body.decode(), parse_float=Decimal, parse_constant=_refuse_constant)
        # An exponent that is too large even for Decimal is an ArithmeticError.
        except (ValueError, ArithmeticError, RecursionError) as error:
            raise ParseError("The request body is not valid JSON") from error
        if not _is_storable(parsed):
            raise ParseError("The request body contains characters that cannot be stored")
        return parsed


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _is_storable(parsed: Any) -> bool:
    """Tell whether Postgres can hold each text in `parsed`."""
    waiting = [parsed]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if _UNSTORABLE.search(item):
                return False
        elif isinstance(item, dict):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            waiting += item
    return True
