"""Writes of a row what was changed, and nothing else.

Postgres writes every column that a statement names: a text that is kept elsewhere is compressed and stored anew,
although it is the same. So no package saves a row whole that is there already, which a test holds them to.
"""

from copy import deepcopy
from typing import Any

from django.db.models import Model


class Changes:
    """What of `row` is changed from now on; one that is not saved yet is written whole."""

    def __init__(self, row: Model) -> None:
        self._row = row
        self._before = None if row._state.adding else _values(row)

    @property
    def names(self) -> list[str]:
        """The columns that differ."""
        if self._before is None:
            return [*_values(self._row)]
        before = self._before
        # One that was not loaded at first may have been set since.
        return [name for name, value in _values(self._row).items() if name not in before or before[name] != value]

    def save(self) -> bool:
        """Write them, and with them when that was; returns whether there was anything to write."""
        if self._before is None:
            self._row.save(force_insert=True)
            self._before = _values(self._row)
            return True
        names = self.names
        if not names:
            return False
        # Django sets a time of the last change only where it is named.
        touched = [field.attname for field in self._row._meta.concrete_fields if getattr(field, "auto_now", False)]
        self._row.save(update_fields=[*names, *(name for name in touched if name not in names)])
        self._before = _values(self._row)
        return True


def _values(row: Model) -> dict[str, Any]:
    deferred = row.get_deferred_fields()
    fields = (field for field in row._meta.concrete_fields if field.attname not in deferred and not field.primary_key)
    return {field.attname: _kept(getattr(row, field.attname)) for field in fields}


def _kept(value: Any) -> Any:
    # What may be changed in place.
    return deepcopy(value) if isinstance(value, list | dict) else value
