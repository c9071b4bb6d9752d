"""Whoever fails to log in too often waits, longer each time: one account from one address, and one
address whatever the account. Nobody can lock a colleague out from another address."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from salesflow.accounts.models import LoginBackoff

FIRST_WAIT = timedelta(seconds=2)
LONGEST_WAIT = timedelta(minutes=15)
FORGOTTEN_AFTER = timedelta(days=1)
FREE_TRIES_PER_ACCOUNT = 5
FREE_TRIES_PER_ADDRESS = 50


@dataclass(frozen=True)
class LoginAttempt:
    """Somebody at a network address tries to be the user with an e-mail address."""

    email: str
    address: str

    @classmethod
    def of(cls, request: HttpRequest, email: str) -> "LoginAttempt":
        """The attempt that a request makes."""
        return cls(email.strip().lower(), client_address(request))

    @property
    def keys(self) -> dict[str, int]:
        """Key of a `LoginBackoff` → tries without waiting."""
        return {
            _hashed(self.email, self.address): FREE_TRIES_PER_ACCOUNT,
            _hashed(self.address): FREE_TRIES_PER_ADDRESS,
        }

    def seconds_to_wait(self) -> int:
        """Whole seconds until the next try counts; 0 when it counts now."""
        now = timezone.now()
        blocked = LoginBackoff.objects.filter(key__in=self.keys, blocked_until__gt=now)
        until = max(blocked.values_list("blocked_until", flat=True), default=now)
        return -(-(until - now) // timedelta(seconds=1))

    @transaction.atomic
    def count_failure(self) -> None:
        """Remember that it failed, and forget what is older than a day."""
        now = timezone.now()
        LoginBackoff.objects.filter(last_failed_at__lt=now - FORGOTTEN_AFTER).delete()
        for key, free_tries in sorted(self.keys.items()):
            first = {"last_failed_at": now, "blocked_until": now}
            row, _created = LoginBackoff.objects.select_for_update().get_or_create(
                key=key, defaults=first
            )
            row.failures += 1
            row.last_failed_at = now
            row.blocked_until = now + wait_after(row.failures, free_tries)
            row.save()

    def forgive(self) -> None:
        """Forget the failures at this account from this address: it was its owner."""
        LoginBackoff.objects.filter(key=_hashed(self.email, self.address)).delete()


def wait_after(failures: int, free_tries: int) -> timedelta:
    """How long to wait after that many failures: nothing, then doubling up to a quarter hour."""
    if failures < free_tries:
        return timedelta(0)
    doublings = min(failures - free_tries, 20)
    return min(FIRST_WAIT * (1 << doublings), LONGEST_WAIT)


def client_address(request: HttpRequest) -> str:
    """The network address a request came from; the proxy's word counts only when we have one."""
    forwarded: str = request.META.get("HTTP_X_FORWARDED_FOR", "")
    if settings.BEHIND_PROXY and forwarded:
        return forwarded.rpartition(",")[2].strip()
    return str(request.META.get("REMOTE_ADDR", ""))


def _hashed(*parts: str) -> str:
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()
