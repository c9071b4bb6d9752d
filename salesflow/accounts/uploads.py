"""How much one request may upload, whoever sends it: what is too large is refused unread."""

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler


class QuotaHandler(FileUploadHandler):
    """Stands before the handlers that keep what is uploaded.

    Django bounds the fields of a form and not its files, and reads them before it knows who asks.
    """

    def handle_raw_input(
        self,
        input_data: Any,
        META: dict[str, Any],  # noqa: N803 (Django's name)
        content_length: int,
        boundary: Any,
        encoding: str | None = None,
    ) -> None:
        """Refuse a body beyond the quota.

        Raises:
            RequestDataTooBig: answered with 400.
        """
        if content_length > settings.UPLOAD_BYTES:
            raise RequestDataTooBig(f"More than {settings.UPLOAD_BYTES} bytes.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        """Pass it on."""
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """Leave it to the others."""
