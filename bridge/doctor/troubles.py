"""An error of Postgres or Redis as a finding: what `bridge.trouble` says of it, in the language of whoever reads it."""

from django.utils.functional import lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from bridge.diagnosis import Finding, error
from bridge.errors import AddressRefused
from bridge.trouble.explain import explain
from bridge.trouble.explanation import Explanation, chain

# As findings are called after the variable, or the part of the set-up, that is to be changed.
_NAMES = {"redis": "broker"}


def explained(trouble: BaseException) -> Finding | None:
    """`None` for an error that nobody expected."""
    if any(isinstance(link, AddressRefused) for link in chain(trouble)):
        cause = _("DATABASE_URL leads to a pooler in transaction mode, where no session is ours.")
        remedy = _("Use the direct address or the session pooler, both on port 5432.")
        return error("postgres.pooler_mode", cause, remedy)
    found = explain(trouble)
    return None if found is None else _as_finding(found)


def _as_finding(found: Explanation) -> Finding:
    service, _separator, rest = found.code.partition("_")
    cause = _plain(found.cause)
    pattern = "%s (%%(said)s)" if found.said else "%s"
    return error(
        f"{_NAMES.get(service, service)}.{rest}", _filled(pattern, cause), _plain(found.remedy), said=found.said
    )


def _translated(text: str) -> str:
    """Its percent signs are none of a pattern."""
    return gettext(text).replace("%", "%%") if text else ""


def _fill(pattern: str, text: str) -> str:
    return pattern % text


_plain, _filled = lazy(_translated, str), lazy(_fill, str)
