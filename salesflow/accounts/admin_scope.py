"""What every admin page of a tenant's rows builds on: who sees which rows, and how lists count.

In the admin no tenant is current, since a list shows the rows of several. A row is saved under the
tenant that it names; services are called within `tenant_context(row.tenant)`.
"""

from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db import models
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.contrib.filters.admin import DropdownFilter
from unfold.forms import PaginationInlineFormSet
from unfold.views import ChangeList

from salesflow.accounts.admin_pagination import CappedPaginator
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from salesflow.accounts.queries import visible_rows, visible_tenant_ids


class TenantScope:
    """Lists, forms and choices with the rows of the tenants that the user may see."""

    model: type[models.Model]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        """The visible rows, in the admin's order."""
        return visible_rows(request.user, self.model).order_by(*self.get_ordering(request))  # type: ignore[attr-defined]

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """A choice among visible rows: anything else is refused as if it were not there."""
        kwargs.setdefault("queryset", visible_rows(request.user, db_field.related_model))
        # Django asks for all rows before it takes ours: let it have those of a tenant without any.
        with tenant_context(Tenant()):
            return super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]


class ChosenFilter(DropdownFilter):
    """A dropdown whose value is one of its choices: others are no lookup at all."""

    lookup = ""

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """The rows that have the chosen value.

        Raises:
            IncorrectLookupParameters: the address names a value that is not offered.
        """
        value = self.value()
        if not value:
            return queryset
        if value not in {str(choice) for choice, _label in self.lookup_choices}:
            raise IncorrectLookupParameters(f"{self.parameter_name}={value}")
        return queryset.filter(**{self.lookup or self.parameter_name: value})


class TenantFilter(ChosenFilter):
    """By tenant; not offered to who sees only one."""

    title = _("tenant")
    parameter_name = "tenant"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The visible tenants by name."""
        tenants = visible_rows(request.user, Tenant).order_by("name").values_list("id", "name")
        return [(str(id_), name) for id_, name in tenants]

    def has_output(self) -> bool:
        """Whether there is something to choose."""
        return len(self.lookup_choices) > 1


class CappedChangeList(ChangeList):
    """A list whose page says at its foot how many rows there are, as far as they were counted."""

    def get_results(self, request: HttpRequest) -> None:
        """As the theme's; the total that was never counted is not offered for comparison."""
        super().get_results(request)
        self.full_result_count = self.result_count


class TenantScopedAdmin(TenantScope, ModelAdmin):
    """Base of the admin pages of all models that belong to a tenant."""

    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    list_max_show_all = 0
    list_fullwidth = True
    list_filter_submit = True

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """A row never moves to another tenant."""
        readonly = list(super().get_readonly_fields(request, obj))
        return [*readonly, "tenant"] if obj else readonly

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The list's class."""
        return CappedChangeList

    def get_list_display(self, request: HttpRequest) -> list[str]:
        """The columns, without the tenant for who sees only one."""
        columns = list(super().get_list_display(request))
        return columns if sees_many_tenants(request) else [c for c in columns if c != "tenant"]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Only what the filters offer: no address may probe other columns."""
        names = [_parameter_of(chosen) for chosen in self.get_list_filter(request)]
        return any(lookup == name or lookup.startswith(f"{name}_") for name in names)


def _parameter_of(list_filter: Any) -> str:
    """The name in the address of an entry of `list_filter`."""
    if isinstance(list_filter, str):
        return list_filter
    if isinstance(list_filter, tuple):
        return str(list_filter[0])
    return str(list_filter.parameter_name)


def sees_many_tenants(request: HttpRequest) -> bool:
    """Whether the user sees the rows of more than one tenant."""
    return request.user.is_superuser or len(visible_tenant_ids(request.user)) > 1


class TenantRowFormSet(PaginationInlineFormSet):
    """Rows in an inline: new ones belong to the tenant of the row that they hang on."""

    def add_fields(self, form: ModelForm[Any], index: int | None) -> None:
        """Add the hidden id; it is looked for among the rows of the row's own tenant."""
        row = form.instance
        with tenant_context(row.tenant if row.tenant_id else Tenant()):
            super().add_fields(form, index)

    def full_clean(self) -> None:
        """Check the rows; a new parent knows its tenant only now that its own form was read."""
        for form in self.forms:
            if form.instance.tenant_id is None and getattr(self.instance, "tenant_id", None):
                form.instance.tenant = self.instance.tenant
        super().full_clean()


class TenantScopedInline(TenantScope, TabularInline):
    """Base of all inlines whose rows belong to a tenant."""

    formset = TenantRowFormSet
    extra = 0
    tab = False

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        """The visible rows, none without the permission to see them."""
        rows = super().get_queryset(request).select_related("tenant")
        return rows if self.has_view_or_change_permission(request) else rows.none()


class ReadOnly:
    """Admin pages on which nothing can be added, changed or deleted."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False


class SuperuserOnly:
    """Admin pages of what belongs to no tenant."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Superusers may."""
        return bool(request.user.is_superuser)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Superusers may."""
        return bool(request.user.is_superuser)

    has_add_permission = has_view_permission
    has_change_permission = has_view_permission
    has_delete_permission = has_view_permission
