"""Why somebody does what a button of the console does: kept in the audit, shown to others."""

from django import forms
from django.http import HttpRequest

LONGEST_REASON = 500
REASON = forms.CharField(max_length=LONGEST_REASON, required=False)


def given_reason(request: HttpRequest) -> str:
    """The reason that came with a button; empty where none did.

    Raises:
        ValidationError: it is too long, or nothing that can be stored.
    """
    reason: str = REASON.clean(request.POST.get("reason", ""))
    return reason
