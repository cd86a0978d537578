"""What becomes of files that somebody sends: nothing. No form here takes one, and Django would keep any in `/tmp`.

It looks for a form's token before it asks who sends the form, so whoever reaches the login could fill the disk.
"""

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler, SkipFile


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
