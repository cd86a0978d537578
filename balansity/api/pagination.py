"""Pages of what a customer has, newest first, that stay the same while new rows come in."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Value
from django.db.models.functions import Coalesce, Greatest, Least
from django.utils.dateparse import parse_datetime
from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.views import APIView

from balansity.postgres.connections import EARLIEST, LATEST

FURTHEST_ZONE = timedelta(hours=15)


class NewestFirst(CursorPagination):
    """For rows with `created_at` and `id`. `limit` asks for up to 100 of them.

    Customers may write NULL and `infinity` into their rows' times. A page begins behind the last row of the one before,
    so rows are put in order by a time that every row has, and that is the same here and in the database.
    """

    ordering = ("-listed_at", "-id")
    page_size = 20
    page_size_query_param = "limit"
    max_page_size = 100

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> list[Any] | None:
        known = Coalesce("created_at", Value(EARLIEST))
        within = Greatest(Least(known, Value(LATEST)), Value(EARLIEST))
        page: list[Any] | None = super().paginate_queryset(queryset.annotate(listed_at=within), request, view)
        # Links to other pages lead here, whatever the caller, or a proxy, wrote into `Host`.
        self.base_url = settings.API_BASE_URL.rstrip("/") + request.get_full_path_info()
        return page

    def decode_cursor(self, request: Request) -> Cursor | None:
        """DRF leaves the position in a cursor to the database, and a cursor may be anybody's text."""
        cursor = super().decode_cursor(request)
        if cursor is not None and cursor.position is not None and not _is_moment(str(cursor.position)):
            raise NotFound(self.invalid_cursor_message)
        return cursor


def _is_moment(text: str) -> bool:
    try:
        moment = parse_datetime(text)
    except ValueError:
        return False
    offset = None if moment is None else moment.utcoffset()
    # Python also knows zones of seconds and parts of them, and of up to a day; Postgres refuses those.
    return offset is not None and abs(offset) < FURTHEST_ZONE and not offset % timedelta(minutes=1)
