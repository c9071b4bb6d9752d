"""POSTs that are safe to repeat."""

import hashlib
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions, status
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils import json
from rest_framework.views import APIView

from salesflow.accounts.models import IdempotentResponse
from salesflow.accounts.rest.errors import AnsweredBefore

KEPT = timedelta(days=1)


class IdempotencyKeyReused(exceptions.APIException):
    """One `Idempotency-Key` came with two different requests."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "idempotency_key_reused"
    default_detail = _("This Idempotency-Key was used for another request.")


class IdempotentPostMixin(APIView):
    """Makes a POST with an `Idempotency-Key` safe to repeat for 24 hours.

    The key's row is written in the transaction of the change itself: a repetition that comes
    while the first is under way waits for the unique index, and a crash takes both back. An error
    is not kept: the key is free for the corrected request.
    """

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Run a keyed POST in one transaction, every other request as it is."""
        self.idempotent: IdempotentResponse | None = None
        if request.method != "POST" or not request.headers.get("Idempotency-Key"):
            return super().dispatch(request, *args, **kwargs)
        with transaction.atomic():
            return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Authenticate, then look the key up."""
        super().initial(request, *args, **kwargs)
        key = request.headers.get("Idempotency-Key", "")
        if request.method == "POST" and key:
            self.idempotent = _claim_idempotency_key(key, _fingerprint(request))

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        """Keep a successful answer with its key; take everything back after an error."""
        response = super().finalize_response(request, response, *args, **kwargs)
        if self.idempotent and response.status_code < 400:
            self.idempotent.status = response.status_code
            self.idempotent.body = _plain(response.data)
            self.idempotent.save()
        elif self.idempotent:
            transaction.set_rollback(True)
        return response  # type: ignore[no-any-return]


def _claim_idempotency_key(key: str, fingerprint: str) -> IdempotentResponse:
    """Write the key's row, or raise what its earlier use has to say."""
    if len(key) > 255:
        raise exceptions.ValidationError({"Idempotency-Key": _("At most 255 characters.")})
    too_old = timezone.now() - KEPT
    IdempotentResponse.objects.filter(key=key, created_at__lt=too_old).delete()
    row, created = IdempotentResponse.objects.get_or_create(
        key=key, defaults={"fingerprint": fingerprint}
    )
    if created:
        return row  # type: ignore[no-any-return]
    if row.fingerprint != fingerprint:
        raise IdempotencyKeyReused
    raise AnsweredBefore(row)


def forget_old_responses() -> int:
    """Delete the answers that nobody may ask for any more; returns how many."""
    deleted, _models = IdempotentResponse.unscoped.filter(
        created_at__lt=timezone.now() - KEPT
    ).delete()
    return deleted


def _fingerprint(request: Request) -> str:
    """A digest of method, address and body."""
    parts = f"{request.method} {request.get_full_path()}\n".encode()
    return hashlib.sha256(parts + repr(request.data).encode()).hexdigest()


def _plain(data: Any) -> Any:
    return json.loads((JSONRenderer().render(data) or b"null").decode())
