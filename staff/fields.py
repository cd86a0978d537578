"""Fields of forms in the admin, read as people type them and no other way."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from wording.typed import read_amount, read_whole


class AmountField(forms.DecimalField):
    """An amount of money: «4 500,00», «4500.5», «4 500 ₽»."""

    def to_python(self, value: Any) -> Any:
        if value in self.empty_values:
            return None
        amount = read_amount(str(value))
        if amount is None:
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return amount


class IdField(forms.IntegerField):
    """The number of a row."""

    def to_python(self, value: Any) -> Any:
        if value not in self.empty_values and read_whole(str(value)) is None:
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(value)
