"""What becomes of forms that are too large, and of files: nothing. No form takes one; Django would keep any in `/tmp`.

It looks for a form's token before it asks who sends the form, so whoever reaches the login could fill the disk.
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http import HttpRequest, HttpResponseBase


class TooLargeIs413:
    """Gives a page that says no to a form for its size the status that says so: Django's own is 400, for anything."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        if response.status_code == 400 and _is_too_large(request):
            response.status_code = 413
        return response


def _is_too_large(request: HttpRequest) -> bool:
    length = str(request.META.get("CONTENT_LENGTH", ""))
    return length.isdecimal() and int(length) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE


class NoFiles(FileUploadHandler):
    """Refuses a form that is larger than one without files may be, and drops the files of smaller ones."""

    def handle_raw_input(self, input_data: Any, META: Any, content_length: int, *_: Any, **__: Any) -> None:  # noqa: N803
        if content_length > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise RequestDataTooBig("a form with files is larger than DATA_UPLOAD_MAX_MEMORY_SIZE")

    def new_file(self, *_: Any, **__: Any) -> None:
        raise SkipFile

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Nothing comes here: the file was skipped."""

    def file_complete(self, file_size: int) -> None:
        """Nor is there one."""
