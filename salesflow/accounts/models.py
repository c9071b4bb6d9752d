"""Tenants, the people who work for them, and the keys of their programs."""

from typing import Any, ClassVar, Self
from zoneinfo import available_timezones

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.db import models
from django.utils.translation import gettext_lazy as _
from rest_framework_api_key.models import AbstractAPIKey, BaseAPIKeyManager

from salesflow.accounts.ids import uuid7
from salesflow.accounts.scoping import TenantManager, TenantQuerySet, TenantScoped

__all__ = [
    "ApiKey",
    "IdempotentResponse",
    "LoginBackoff",
    "Membership",
    "Tenant",
    "TenantManager",
    "TenantQuerySet",
    "TenantScoped",
    "User",
]

LANGUAGES = [("en", _("English")), ("de", _("German"))]


def validate_time_zone(value: str) -> None:
    """Raise ValidationError unless `value` is an IANA time zone name."""
    if value not in available_timezones():
        raise ValidationError(_("“%(value)s” is no time zone."), params={"value": value})


class Tenant(models.Model):
    """A company that works with SalesFlow; every row but users belongs to one."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.CharField(_("slug"), max_length=50, unique=True, validators=[validate_slug])
    name = models.CharField(_("name"), max_length=200)
    time_zone = models.CharField(
        _("time zone"), max_length=64, default="UTC", validators=[validate_time_zone]
    )
    language = models.CharField(_("language"), max_length=5, choices=LANGUAGES, default="en")
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("tenant")
        verbose_name_plural = _("tenants")
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name


class UserManager(BaseUserManager["User"]):
    """Makes users that log in by e-mail; the address is kept in lower case."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create a user; without a password the account cannot log in."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create a user who may do everything in the admin."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        """The user whose e-mail address is `username`, in any case."""
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A person who logs in by e-mail address."""

    email = models.EmailField(_("e-mail address"), unique=True)
    name = models.CharField(_("name"), max_length=200)
    language = models.CharField(
        _("language"),
        max_length=5,
        choices=LANGUAGES,
        blank=True,
        help_text=_("Empty: the language of the browser."),
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        validators=[validate_time_zone],
        help_text=_("Empty: the time zone of the team."),
    )
    mention_mails = models.BooleanField(
        _("mail me when a colleague mentions me"),
        default=True,
        # For programs of the version before, which know no such field.
        db_default=True,
        help_text=_("In a note, with an “@”. None comes if you have seen it by then."),
    )
    is_active = models.BooleanField(_("active"), default=True)
    is_staff = models.BooleanField(_("may enter the admin"), default=False)
    date_joined = models.DateTimeField(_("joined"), auto_now_add=True)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        ordering = ["name", "email"]

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        """The name as shown, else the address."""
        return str(self)

    def get_short_name(self) -> str:
        """The first word of the name."""
        return str(self).split()[0]

    @property
    def initials(self) -> str:
        """One or two letters for an avatar."""
        words = str(self).split()
        return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper()


class Membership(TenantScoped):
    """What a user may do within a tenant."""

    class Role(models.TextChoices):
        REP = "rep", _("Sales rep")
        MANAGER = "manager", _("Manager")
        ADMIN = "admin", _("Admin")

    user = models.ForeignKey(
        User, on_delete=models.CASCADE, related_name="memberships", verbose_name=_("user")
    )
    role = models.CharField(_("role"), max_length=10, choices=Role.choices, default=Role.REP)
    created_at = models.DateTimeField(_("since"), auto_now_add=True)

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [
            # Its index answers "the memberships of this user" at every request.
            models.UniqueConstraint(fields=["user", "tenant"], name="membership_once_per_tenant"),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.get_role_display()})"


class ApiKeyManager(BaseAPIKeyManager):
    """Finds keys across tenants: the key is what tells the tenant."""

    def get_usable_keys(self) -> models.QuerySet["ApiKey"]:
        """Keys that were not revoked, with their tenant."""
        usable: models.QuerySet[ApiKey] = super().get_usable_keys().select_related("tenant")
        return usable


class ApiKey(AbstractAPIKey):
    """A program's credential for one tenant; only its SHA-512 is stored."""

    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="api_keys", verbose_name=_("tenant")
    )
    created_by = models.ForeignKey(
        User,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        editable=False,
        verbose_name=_("issued by"),
    )
    # The library's fields again, with texts that are translated.
    prefix = models.CharField(_("prefix"), max_length=8, unique=True, editable=False)
    created = models.DateTimeField(_("issued"), auto_now_add=True, db_index=True)
    name = models.CharField(
        _("name"), max_length=50, default=None, help_text=_("What the key is for.")
    )
    revoked = models.BooleanField(
        _("revoked"),
        blank=True,
        default=False,
        help_text=_("A revoked key opens nothing any more. This cannot be undone."),
    )
    expiry_date = models.DateTimeField(
        _("expires"), blank=True, null=True, help_text=_("Empty: it does not expire.")
    )

    objects: ClassVar[ApiKeyManager] = ApiKeyManager()  # type: ignore[assignment]

    class Meta(AbstractAPIKey.Meta):
        verbose_name = _("API key")  # type: ignore[assignment]
        verbose_name_plural = _("API keys")  # type: ignore[assignment]

    is_authenticated = True

    @classmethod
    def issue(cls, **fields: Any) -> tuple[Self, str]:
        """Create a key.

        Returns:
            The row, and the key itself, which cannot be shown again.
        """
        row, secret = cls.objects.create_key(**fields)
        return row, secret  # type: ignore[return-value]


class IdempotentResponse(TenantScoped):
    """The answer given to a POST with an `Idempotency-Key`, to be given again for 24 hours."""

    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.JSONField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            # Its index answers "was this key used by this tenant" at every such POST.
            models.UniqueConstraint(fields=["tenant", "key"], name="idempotency_key_once"),
        ]
        indexes = [
            # Pruning: rows older than a day.
            models.Index(fields=["created_at"], name="idempotent_response_age"),
        ]

    def __str__(self) -> str:
        return self.key


class LoginBackoff(models.Model):
    """How often somebody failed to log in, and how long they have to wait before the next try.

    `key` is a hash of who tried: people type passwords into the wrong field.
    """

    key = models.CharField(max_length=64, primary_key=True)
    failures = models.PositiveIntegerField(default=0)
    last_failed_at = models.DateTimeField()
    blocked_until = models.DateTimeField()

    class Meta:
        indexes = [
            # Pruning: rows that nobody has failed at for a day.
            models.Index(fields=["last_failed_at"], name="login_backoff_age"),
        ]

    def __str__(self) -> str:
        return f"{self.failures} until {self.blocked_until}"
