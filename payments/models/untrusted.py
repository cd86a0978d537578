"""Columns of Supabase that hold what makes no sense, read as something that does. Nothing is written by that."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models.expressions import Col


class _OrDefault(Col):
    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[str | int, ...]]:
        column, values = super().as_sql(compiler, connection)
        return f"COALESCE({column}, %s)", (*values, str(self.target.get_default()))


if TYPE_CHECKING:
    _Text = models.TextField[str, str]
else:
    _Text = models.TextField


class DefaultedTextField(_Text):
    """A text for which NULL means its default.

    Customers write these rows, and NULL is what they may write: then `status = 'pending'` finds nothing, `status <> …`
    neither, and Python meets `None`. So the default takes the place of NULL wherever Django reads the column, in what
    it selects as well as in what it compares.
    """

    def get_col(self, alias: str, output_field: Any = None) -> Col:
        return _OrDefault(alias, self, output_field)

    @property
    def cached_col(self) -> Col:
        return _OrDefault(self.model._meta.db_table, self)


if TYPE_CHECKING:
    _Decimal = models.DecimalField[Decimal | int, Decimal]
else:
    _Decimal = models.DecimalField


class MoneyField(_Decimal):
    """An amount for which NaN, which passes every `CHECK (… > 0)`, is nothing."""

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return Decimal(0) if isinstance(value, Decimal) and not value.is_finite() else value
