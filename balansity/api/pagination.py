"""Pages of what a customer has, newest first, that stay the same while new rows come in."""

from datetime import timedelta

from django.utils.dateparse import parse_datetime
from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

FURTHEST_ZONE = timedelta(hours=15)


class NewestFirst(CursorPagination):
    """For rows with `created_at` and `id`. `limit` asks for up to 100 of them."""

    ordering = ("-created_at", "-id")
    page_size = 20
    page_size_query_param = "limit"
    max_page_size = 100

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
