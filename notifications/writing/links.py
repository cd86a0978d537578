"""Links to reports. They open a child's report for whoever holds them, so they are made while the mail is.

A message carries the id of a report. Messages of an earlier kind carry a whole link in `report_url`: when it leads to
our own route, only the id in it counts.
"""

import re
from collections.abc import Callable
from datetime import datetime
from urllib.parse import SplitResult, parse_qs, urlsplit
from uuid import UUID

from django.conf import settings
from django.urls import Resolver404, resolve

from bridge.errors import Refused
from wording.web_address import same_host

# `(report_id, recipient, at)` → the link, signed as of `at`. Raises `Refused` where the report is not the recipient's.
LinkMaker = Callable[[UUID, str, datetime], str]

REPORT_ROUTE = "report-file"
_PORTS = {"https": 443, "http": 80}
# An object that Supabase Storage signed. No dots alone between slashes and no escapes: a browser would follow those
# to another place of the same host.
_SIGNED_OBJECT = re.compile(r"/storage/v1/object/sign/([^/]+)(?:/(?!\.+(?:/|$))[A-Za-z0-9._~!$'()+,;=@-]+)+")

_makers: list[LinkMaker] = []


def register_report_links(maker: LinkMaker) -> None:
    """Say who makes links to reports: the package of the reports does, which this one does not know."""
    _makers[:] = [maker]


def make_report_link(report_id: UUID, *, recipient: str, at: datetime) -> str:
    """The address of the report's file for this recipient; the same for every `at` that is the same."""
    if not _makers:
        raise RuntimeError("nobody registered to make links to reports")
    return _makers[0](report_id, recipient, at)


def read_report_link(link: str) -> UUID | str:
    """The id of the report that our own link leads to, or the link itself to a signed object of the storage.

    Raises `Refused` for everything else: our name must not stand above a stranger's link.
    """
    link = link.strip()
    try:
        parts = urlsplit(link)
        origin = _origin(parts)
    except ValueError:
        raise Refused("is not an address") from None
    if not link.isprintable() or " " in link or "\\" in link or parts.username is not None:
        raise Refused("is not a plain https address")
    if origin == _origin(urlsplit(settings.API_BASE_URL)):
        return _report_of(parts.path)
    if parts.scheme != "https" or not _is_allowed(parts.hostname or ""):
        raise Refused("leads neither to our own service nor to a host of EMAIL_LINK_HOSTS")
    signed = _SIGNED_OBJECT.fullmatch(parts.path)
    # Other buckets may be open to whoever has an account.
    is_ours = signed is not None and signed[1] == settings.REPORTS_BUCKET
    if not link.isascii() or not is_ours or "token" not in parse_qs(parts.query):
        raise Refused("is not the address of a signed object in REPORTS_BUCKET: /storage/v1/object/sign/…?token=…")
    return link


def _report_of(path: str) -> UUID:
    prefix = urlsplit(settings.API_BASE_URL).path.rstrip("/")
    try:
        match = resolve(path.removeprefix(prefix))
    except Resolver404:
        match = None
    if match is None or match.url_name != REPORT_ROUTE or not path.startswith(f"{prefix}/"):
        raise Refused("is not the address of a report")
    report_id: UUID = match.kwargs["report_id"]
    return report_id


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    return parts.scheme, same_host(parts.hostname or ""), parts.port or _PORTS.get(parts.scheme)


def _is_allowed(host: str) -> bool:
    allowed = {same_host(each) for each in settings.EMAIL_LINK_HOSTS}
    return bool(host) and ("*" in allowed or same_host(host) in allowed)
