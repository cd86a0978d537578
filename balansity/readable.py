"""Requests with text that nothing of ours could keep or look for: refused before anybody meets it as an error."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.core.exceptions import BadRequest
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpRequest, HttpResponseBase, QueryDict, UnreadablePostError
from django.utils.http import parse_header_parameters

# NUL, which no text of Postgres may hold, and halves of surrogate pairs, which are no characters.
_UNREADABLE = re.compile("[\0\ud800-\udfff]")


class Utf8Request(WSGIRequest):
    """Reads everything as UTF-8, as it is written, whatever `charset` the caller names.

    That may be any codec of Python's. Some make anything of anything, and others raise while Django still makes the
    request, where no middleware is.
    """

    def _set_content_type_params(self, meta: Any) -> None:
        try:
            self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))
        except ValueError:
            # The middleware says so.
            self.content_type, self.content_params = "", {}
        self.content_params.pop("charset", None)


class Utf8Handler(WSGIHandler):
    request_class = Utf8Request


class ReadableRequestMiddleware:
    """Answers 400 to such text in an address, in a cookie (that of a session is looked up) or in a form."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        _refuse_unreadable_headers(request)
        _refuse_unreadable([request.path_info, *request.COOKIES.values(), *_texts(request.GET)])
        return self._get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        """Look at a form. The views that need no token of a form read their bodies themselves."""
        if request.method != "POST" or getattr(view, "csrf_exempt", False):
            return
        try:
            form = request.POST
        except UnreadablePostError as error:
            raise BadRequest("the form ended early") from error
        _refuse_unreadable(_texts(form))


def _texts(values: QueryDict) -> Iterator[str]:
    for name, given in values.lists():
        yield name
        yield from (value for value in given if isinstance(value, str))


def _refuse_unreadable_headers(request: HttpRequest) -> None:
    """Refuse what is neither Django nor DRF prepared for: parameters in an encoding that there is not."""
    for name in ("CONTENT_TYPE", "HTTP_ACCEPT"):
        value = request.META.get(name, "")
        # Only those of RFC 2231 name an encoding, and no client of ours sends any.
        if "*=" not in value:
            continue
        try:
            for part in value.split(","):
                parse_header_parameters(part)
        except ValueError as error:
            raise BadRequest("a header in an encoding that there is not") from error


def _refuse_unreadable(texts: Iterable[str]) -> None:
    if any(_UNREADABLE.search(text) for text in texts):
        raise BadRequest("a character that no text can hold")
