"""Admin pages of tenants, the people who work for them, and the keys of their programs."""

from typing import Any

import rest_framework_api_key.admin  # noqa: F401 (it registers what is taken away below)
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as BaseGroupAdmin
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.contrib.auth.models import Group
from django.db import models
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from rest_framework_api_key.models import APIKey
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from salesflow.accounts import services
from salesflow.accounts.admin_scope import (
    ChosenFilter,
    ReadOnly,
    SuperuserOnly,
    TenantFilter,
    TenantScopedAdmin,
    TenantScopedInline,
)
from salesflow.accounts.models import ApiKey, Membership, Tenant, User
from salesflow.accounts.queries import visible_rows, visible_tenant_ids

__all__ = ["ReadOnly", "SuperuserOnly", "TenantFilter", "TenantScopedAdmin", "TenantScopedInline"]

# The library's own keys belong to no tenant; ours take their place.
admin.site.unregister(APIKey)
admin.site.unregister(Group)


@admin.register(Tenant)
class TenantAdmin(TenantScopedAdmin):
    """Tenants; deleting one would take its whole history along, so nobody can."""

    list_display = ["name", "slug", "language", "time_zone", "created_at"]
    search_fields = ["name", "slug"]
    ordering = ["name"]
    fields = ["name", "slug", "language", "time_zone"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """The slug stands in scripts and links."""
        return ["slug"] if obj else []

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Superusers may: others would not see what they made."""
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False


class MembershipInline(TenantScopedInline):
    """The tenants that a person works for."""

    model = Membership
    fields = ["tenant", "role", "created_at"]
    readonly_fields = ["created_at"]
    ordering = ["tenant__name"]

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """Whoever may add people to their own tenants alone has to name one."""
        if obj is None and not request.user.is_superuser:
            kwargs |= {"min_num": 1, "validate_min": True}
        return super().get_formset(request, obj, **kwargs)


class EmailLoginForm(forms.ModelForm[User]):
    """Keeps addresses in lower case, as the login looks for them."""

    def clean_email(self) -> str:
        """The address as it is kept."""
        return str(self.cleaned_data["email"]).lower()


class NewUserForm(EmailLoginForm, UserCreationForm):
    """A person and their first password."""

    class Meta:
        model = User
        fields = ("email", "name")


class KnownUserForm(EmailLoginForm, UserChangeForm):
    """A person; the password has a form of its own."""


class MemberOf(TenantFilter):
    """People of a tenant."""

    title = _("member of")

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Those with a membership there."""
        chosen = super().queryset(request, Membership.unscoped.all())
        return queryset.filter(pk__in=chosen.values("user")) if self.value() else queryset


class StaffFilter(ChosenFilter):
    """Who may enter the admin."""

    title = _("access")
    parameter_name = "is_staff"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """With and without access to the admin."""
        return [("True", _("Staff")), ("False", _("No access to the admin"))]


@admin.register(User)
class UserAdmin(BaseUserAdmin, TenantScopedAdmin):  # type: ignore[misc, type-arg]
    """People who log in by e-mail address."""

    form = KnownUserForm
    add_form = NewUserForm
    change_password_form = AdminPasswordChangeForm
    inlines = [MembershipInline]
    ordering = ["name", "email"]
    search_fields = ["name", "email"]
    list_display = ["name", "email", "works_for", "is_staff", "is_active", "last_login"]
    list_filter = [MemberOf, StaffFilter]
    readonly_fields = ["last_login", "date_joined"]
    filter_horizontal = ["groups", "user_permissions"]
    add_fieldsets = [(None, {"fields": ["email", "name", "password1", "password2"]})]
    fieldsets = [
        (
            None,
            {"fields": ["email", "name", "language", "time_zone", "mention_mails", "password"]},
        ),
        (_("Access"), {"fields": ["is_active", "is_staff", "is_superuser"]}),
        (_("Permissions"), {"fields": ["groups", "user_permissions"], "classes": ["collapse"]}),
        (_("Dates"), {"fields": ["last_login", "date_joined"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[User]:
        """With the memberships that the user may see."""
        memberships = visible_rows(request.user, Membership).select_related("tenant")
        seen = models.Prefetch("memberships", memberships.order_by("tenant__name"))
        return super().get_queryset(request).prefetch_related(seen)

    @display(description=_("works for"))
    def works_for(self, user: User) -> str:
        """Tenants and roles in a line."""
        return ", ".join(f"{m.tenant} ({m.get_role_display()})" for m in user.memberships.all())

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Only a superuser gives access to the admin and permissions."""
        granted = ["is_staff", "is_superuser", "groups", "user_permissions"]
        fixed = [] if request.user.is_superuser else granted
        return [*self.readonly_fields, *fixed]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes a person, or their password, through whom they would come to see more."""
        permitted = super().has_change_permission(request, obj)
        if obj is None or request.user.is_superuser or not permitted:
            return permitted
        elsewhere = Membership.unscoped.filter(user=obj).exclude(
            tenant__in=visible_tenant_ids(request.user)
        )
        return not (obj.is_staff or obj.is_superuser or elsewhere.exists())

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Superusers may; others take away the membership, or set the person inactive."""
        return bool(request.user.is_superuser)


@admin.register(Group)
class GroupAdmin(SuperuserOnly, BaseGroupAdmin, ModelAdmin):
    """Groups of permissions, the same for all tenants."""


class KeyState(ChosenFilter):
    """Which keys still open."""

    title = _("state")
    parameter_name = "revoked"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """In use and revoked."""
        return [("False", _("In use")), ("True", _("Revoked"))]


@admin.register(ApiKey)
class ApiKeyAdmin(TenantScopedAdmin):
    """API keys: shown once when they are issued, revoked for ever, never deleted."""

    list_display = ["name", "prefix", "tenant", "state", "created_by", "created", "expiry_date"]
    list_filter = [KeyState, TenantFilter]
    list_select_related = ["tenant", "created_by"]
    search_fields = ["name", "=prefix"]
    ordering = ["-created"]
    actions = ["revoke"]

    @display(description=_("state"), label={"in use": "success", "revoked": "danger"})
    def state(self, key: ApiKey) -> tuple[str, Any]:
        """Whether the key still opens."""
        if key.revoked:
            return "revoked", _("Revoked")
        return ("expired", _("Expired")) if key.has_expired else ("in use", _("In use"))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """What a new key needs, and what is known about an old one."""
        issued = ["prefix", "created", "created_by", "revoked"] if obj else []
        return ["tenant", "name", "expiry_date", *issued]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """A revoked key stays as it is."""
        fixed = ["prefix", "created", "created_by", *super().get_readonly_fields(request, obj)]
        return [*fixed, "name", "expiry_date", "revoked"] if obj and obj.revoked else fixed

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may: the list tells who could read what, and until when."""
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Issue a new key and show it, this once; save an old one."""
        if change:
            super().save_model(request, obj, form, change)
            return
        obj.created_by = request.user
        key = ApiKey.objects.assign_key(obj)
        obj.save(force_insert=True)
        text = _("This is the key “{}”. Copy it now, it will never be shown again: {}")
        shown = format_html('<code class="api-key">{}</code>', key)
        messages.warning(request, format_html(str(text), obj.name, shown))

    @admin.action(description=_("Revoke"), permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: models.QuerySet[ApiKey]) -> None:
        """Make the selected keys useless at once."""
        keys = list(queryset.filter(revoked=False))
        for key in keys:
            services.revoke_api_key(key)
            self.log_change(request, key, gettext("revoked"))
        text = ngettext("%d key was revoked.", "%d keys were revoked.", len(keys))
        messages.success(request, text % len(keys))
