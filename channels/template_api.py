"""Templates over HTTP: what texts there are, and keeping them."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext_lazy
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, permissions, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from channels.models import Channel, MessageTemplate
from channels.services.templates import delete_template, save_template
from channels.templating import Malformed, variables_of
from salesflow.accounts.models import LANGUAGES, ApiKey
from salesflow.accounts.rest.authentication import HasTenant
from salesflow.accounts.rest.idempotency import IdempotentPostMixin
from salesflow.accounts.rest.routes import api_path
from salesflow.accounts.rest.serializers import StrictSerializer, TextField, read_body
from salesflow.accounts.views import LEADING

VendorStatus = MessageTemplate.VendorStatus


class TemplateSerializer(serializers.ModelSerializer[MessageTemplate]):
    """A text with variables."""

    channel = serializers.ChoiceField(Channel.choices, allow_blank=True, read_only=True)
    vendor_status = serializers.ChoiceField(VendorStatus.choices, allow_blank=True, read_only=True)
    variables = serializers.SerializerMethodField(
        help_text=gettext_lazy("What is filled in, in the order of the text.")
    )

    class Meta:
        model = MessageTemplate
        fields = [
            "id",
            "name",
            "shortcut",
            "channel",
            "language",
            "subject",
            "body",
            "variables",
            "vendor_name",
            "vendor_language",
            "vendor_status",
            "is_active",
            "updated_at",
        ]
        read_only_fields = fields

    @extend_schema_field({"type": "array", "items": {"type": "string"}})
    def get_variables(self, template: MessageTemplate) -> list[str]:
        """The names of subject and text, each once; none of a text that cannot be read."""
        try:
            found = [*variables_of(template.subject), *variables_of(template.body)]
        except Malformed:
            return []
        return list(dict.fromkeys(variable.name for variable in found))


class TemplateInputSerializer(StrictSerializer):
    """What a template holds; the service says what is wrong with it."""

    name = TextField(help_text=gettext_lazy("The same in every language."))
    body = TextField(trim_whitespace=False)
    language = serializers.ChoiceField(LANGUAGES)
    channel = serializers.ChoiceField(
        Channel.choices,
        required=False,
        allow_blank=True,
        help_text=gettext_lazy("Empty: every channel."),
    )
    subject = TextField(required=False, allow_blank=True, help_text=gettext_lazy("E-mail only."))
    shortcut = TextField(
        required=False,
        allow_blank=True,
        help_text=gettext_lazy("Typed behind a slash in the composer, it puts the text in."),
    )
    vendor_name = TextField(
        required=False,
        allow_blank=True,
        help_text=gettext_lazy("WhatsApp: the template as it was approved."),
    )
    vendor_language = TextField(
        required=False, allow_blank=True, help_text=gettext_lazy("Such as en_US.")
    )
    vendor_status = serializers.ChoiceField(
        VendorStatus.choices,
        required=False,
        allow_blank=True,
        help_text=gettext_lazy("WhatsApp tells when it decides; what is known already."),
    )
    is_active = serializers.BooleanField(required=False)


class TemplateFilter(filters.FilterSet):  # type: ignore[misc]
    """The filters of `GET /api/templates`."""

    name = filters.CharFilter(help_text=gettext_lazy("The whole name."))
    channel = filters.ChoiceFilter(choices=Channel.choices)
    language = filters.ChoiceFilter(choices=LANGUAGES)
    is_active = filters.BooleanFilter()

    class Meta:
        model = MessageTemplate
        fields: list[str] = []


class MayKeepTemplates(permissions.BasePermission):
    """Everybody of the team reads templates; its managers and admins, and its keys, write them."""

    message = gettext_lazy("Only managers and admins of your team may do this.")

    def has_permission(self, request: Request, view: Any) -> bool:
        """As on the settings page."""
        if request.method in permissions.SAFE_METHODS or isinstance(request.auth, ApiKey):
            return True
        membership = getattr(request._request, "membership", None)
        return membership is not None and membership.role in LEADING


class TemplateList(IdempotentPostMixin, generics.ListAPIView[MessageTemplate]):
    """The tenant's templates."""

    permission_classes = [HasTenant, MayKeepTemplates]
    serializer_class = TemplateSerializer
    filterset_class = TemplateFilter
    orderings = {"name": ("name", "language", "id"), "updated_at": ("updated_at", "id")}
    default_ordering = "name"

    def get_queryset(self) -> QuerySet[MessageTemplate]:
        """All of the tenant."""
        rows: QuerySet[MessageTemplate] = MessageTemplate.objects.all()
        return rows

    @extend_schema(summary=gettext_lazy("List templates and canned replies by name"))
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer with one page."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary=gettext_lazy("Write a template"),
        request=TemplateInputSerializer,
        responses={201: TemplateSerializer},
    )
    def post(self, request: Request) -> Response:
        """Keep a new template; one that a vendor has to approve waits for that."""
        given = read_body(TemplateInputSerializer, request)
        template = save_template(MessageTemplate(), **given)
        return Response(TemplateSerializer(template).data, status=status.HTTP_201_CREATED)


class TemplateDetail(IdempotentPostMixin, generics.RetrieveAPIView[MessageTemplate]):
    """One template."""

    permission_classes = [HasTenant, MayKeepTemplates]
    serializer_class = TemplateSerializer
    lookup_url_kwarg = "template_id"

    def get_queryset(self) -> QuerySet[MessageTemplate]:
        """All of the tenant."""
        rows: QuerySet[MessageTemplate] = MessageTemplate.objects.all()
        return rows

    @extend_schema(summary=gettext_lazy("Read a template"))
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer with the template."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary=gettext_lazy("Edit a template"),
        request=TemplateInputSerializer,
        responses={200: TemplateSerializer},
    )
    @transaction.atomic
    def patch(self, request: Request, template_id: UUID) -> Response:
        """Change what the body names; another text waits for its vendor's approval again."""
        template = lock_template(template_id)
        serializer = TemplateInputSerializer(data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        save_template(template, **serializer.validated_data)
        return Response(TemplateSerializer(template).data)

    @extend_schema(summary=gettext_lazy("Delete a template"), responses={204: None})
    def delete(self, request: Request, template_id: UUID) -> Response:
        """Delete the template; what was sent with it stays as it was sent."""
        delete_template(self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)


def lock_template(template_id: UUID) -> MessageTemplate:
    """The template, locked until the transaction ends; 404 if the tenant has none of that id."""
    template: MessageTemplate | None = (
        MessageTemplate.objects.select_for_update().filter(pk=template_id).first()
    )
    if template is None:
        raise Http404
    return template


urlpatterns: list[Any] = [
    api_path("templates", TemplateList.as_view(), "api-templates"),
    api_path("templates/<uuid:template_id>", TemplateDetail.as_view(), "api-template"),
]
