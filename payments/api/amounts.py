"""Money as it stands in a request: a JSON number or a decimal string, never a float."""

import re
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

CENT = Decimal("0.01")
# The whole text: no sign, no exponent, no digits of other scripts.
_TEXT = re.compile(r"[0-9]{1,10}(\.[0-9]{1,2})?", re.ASCII)


@extend_schema_field(
    {
        "oneOf": [
            {"type": "number", "exclusiveMinimum": 0, "maximum": 1_000_000},
            {"type": "string", "pattern": r"^[0-9]{1,10}(\.[0-9]{1,2})?$"},
        ],
        "description": "In rubles, with two decimals at most.",
        "examples": [5000, "4500.00"],
    }
)
class AmountField(serializers.Field[Decimal, Any, str, Any]):
    """Gives a `Decimal` with two decimals between `least` and `most`; needs a parser that makes no floats."""

    default_error_messages = {
        "invalid": "Must be a number or a decimal string like 4500.00.",
        "out_of_range": "Must be between {least} and {most}.",
        "too_many_decimals": "Must have two decimals at most.",
    }

    def __init__(self, *, least: Decimal = Decimal(1), most: Decimal = Decimal(1_000_000), **options: Any) -> None:
        self._least, self._most = least, most
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> Decimal:
        match data:
            case bool():
                amount = None
            case int() | Decimal():
                amount = Decimal(data)
            case str() if _TEXT.fullmatch(data):
                amount = Decimal(data)
            case _:
                amount = None
        if amount is None:
            self.fail("invalid")
        # Before anything is rounded: 1e400 is a number as well.
        if not self._least <= amount <= self._most:
            self.fail("out_of_range", least=self._least, most=self._most)
        rounded = amount.quantize(CENT)
        if rounded != amount:
            self.fail("too_many_decimals")
        return rounded

    def to_representation(self, value: Decimal) -> str:
        return f"{value:.2f}"
