"""How a person proves who they are: by e-mail address and password, not too fast."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from salesflow.accounts.backoff import LoginAttempt
from salesflow.accounts.models import User


class BackoffBackend(ModelBackend):
    """Django's, for every page that logs in: after a few failures the next try has to wait."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """The user, or None.

        Raises:
            PermissionDenied: too many failures; the password was not looked at.
        """
        if request is None or username is None:
            return self._look_up(request, username, password, **kwargs)
        attempt = LoginAttempt.of(request, username)
        if attempt.seconds_to_wait():
            raise PermissionDenied
        user = self._look_up(request, username, password, **kwargs)
        if user is None:
            attempt.count_failure()
        else:
            attempt.forgive()
        return user

    def _look_up(
        self, request: HttpRequest | None, *credentials: Any, **kwargs: Any
    ) -> User | None:
        user = super().authenticate(request, *credentials, **kwargs)
        return user if isinstance(user, User) else None
