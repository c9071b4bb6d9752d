"""The forms of a person's own account."""

from functools import cache
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from salesflow.accounts.backoff import LoginAttempt
from salesflow.accounts.models import User


class LoginForm(AuthenticationForm):
    """Django's, which also says how long to wait after too many failures."""

    def get_invalid_login_error(self) -> ValidationError:
        """Why the log-in failed; never whether the account exists."""
        if self.request is None:
            return super().get_invalid_login_error()
        attempt = LoginAttempt.of(self.request, self.cleaned_data.get("username") or "")
        seconds = attempt.seconds_to_wait()
        if not seconds:
            return super().get_invalid_login_error()
        return ValidationError(
            ngettext(
                "That was wrong too often. Try again in %(seconds)s second.",
                "That was wrong too often. Try again in %(seconds)s seconds.",
                seconds,
            ),
            code="backoff",
            params={"seconds": seconds},
        )


class ProfileForm(forms.ModelForm[User]):
    """A person's own name, language and time zone, and what mails they get."""

    class Meta:
        model = User
        fields = ["name", "language", "time_zone", "mention_mails"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["language"].choices = [  # type: ignore[attr-defined]
            ("", _("Language of the browser")),
            *User._meta.get_field("language").flatchoices,
        ]
        self.fields["language"].help_text = self.fields["time_zone"].help_text = ""
        self.fields["time_zone"] = forms.ChoiceField(
            label=_("Time zone"),
            required=False,
            choices=[("", _("Time zone of the team")), *_time_zones()],
        )


@cache
def _time_zones() -> list[tuple[str, str]]:
    """The zones that people live in: "Europe/Berlin", and not "EST5EDT" or "Etc/GMT+4"."""
    regions = {"Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe"}
    regions |= {"Indian", "Pacific", "UTC"}
    names = sorted(name for name in available_timezones() if name.split("/")[0] in regions)
    return [(name, name.replace("_", " ")) for name in names]
