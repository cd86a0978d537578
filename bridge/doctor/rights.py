"""What keeps our role from tables that we need: said with the statement that mends it, for the owner."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from bridge.diagnosis import Finding, Text, error
from bridge.rights import Fault, find_troubles

_CAUSES: dict[Fault, Text] = {
    Fault.OURS_MISSING: _("Tables of ours are missing in the schema %(place)s."),
    Fault.TABLE_MISSING: _("There is no table %(place)s in this database."),
    Fault.SCHEMA_CLOSED: _("The role of DATABASE_URL may not use the %(place)s (USAGE)."),
    Fault.RIGHT_LACKING: _("The role of DATABASE_URL lacks a right on %(place)s."),
    Fault.ROWS_HIDDEN: _("Row security may hide rows of %(place)s from the role of DATABASE_URL."),
    Fault.FUNCTION_CLOSED: _("The role of DATABASE_URL may not call %(place)s (EXECUTE)."),
}
_REMEDY = _("Let its owner (in Supabase: postgres) run: %(statement)s")
_OWN_REMEDY = _("Mended by: %(statement)s.")
_OURS_TO_MEND = frozenset({Fault.OURS_MISSING, Fault.TABLE_MISSING})


def look_at_rights() -> Iterator[Finding]:
    for trouble in find_troubles():
        remedy = _OWN_REMEDY if trouble.fault in _OURS_TO_MEND else _REMEDY
        yield error(
            f"rights.{trouble.fault}",
            _CAUSES[trouble.fault],
            remedy,
            place=trouble.table,
            statement=trouble.remedy,
        )
