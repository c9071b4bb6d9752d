"""Conversations and messages over HTTP."""

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics, status
from rest_framework.request import Request
from rest_framework.response import Response

from channels import queries
from channels.filters import ConversationFilter
from channels.models import Conversation, Message, MessageTemplate
from channels.serializers import (
    ConversationInputSerializer,
    ConversationSerializer,
    MessageInputSerializer,
    MessageSerializer,
)
from channels.services import mark_conversation_read, send_message
from channels.services.conversations import (
    assign_conversation,
    close_conversation,
    reopen_conversation,
    snooze_conversation,
)
from channels.services.templates import send_template
from salesflow.accounts.models import User
from salesflow.accounts.rest.authentication import person_of
from salesflow.accounts.rest.idempotency import IdempotentPostMixin
from salesflow.accounts.rest.routes import api_path
from salesflow.accounts.rest.serializers import read_body


class MessageCreate(IdempotentPostMixin, generics.GenericAPIView[Message]):
    """Sends messages."""

    serializer_class = MessageInputSerializer

    @extend_schema(
        summary=gettext_lazy("Send a message to a lead"),
        request=MessageInputSerializer,
        responses={202: MessageSerializer},
    )
    def post(self, request: Request) -> Response:
        """Queue a message; a worker sends it, and GET /api/messages/{id} tells what came of it."""
        given = read_body(MessageInputSerializer, request)
        message = send_what_is_asked(person_of(request), **given)
        return Response(MessageSerializer(message).data, status=status.HTTP_202_ACCEPTED)


@extend_schema_view(get=extend_schema(summary=gettext_lazy("Read a message and what came of it")))
class MessageDetail(IdempotentPostMixin, generics.RetrieveAPIView[Message]):
    """One message."""

    serializer_class = MessageSerializer
    lookup_url_kwarg = "message_id"

    def get_queryset(self) -> QuerySet[Message]:
        """All of the tenant."""
        messages: QuerySet[Message] = Message.objects.select_related("author")
        return messages.prefetch_related("attachments")


@extend_schema_view(
    get=extend_schema(summary=gettext_lazy("List conversations, the last active first"))
)
class ConversationList(IdempotentPostMixin, generics.ListAPIView[Conversation]):
    """The tenant's conversations."""

    serializer_class = ConversationSerializer
    filterset_class = ConversationFilter
    orderings = {"last_message_at": ("last_message_at", "id")}
    default_ordering = "-last_message_at"

    def get_queryset(self) -> QuerySet[Conversation]:
        """All of the tenant."""
        return queries.conversations()


class ConversationDetail(IdempotentPostMixin, generics.RetrieveAPIView[Conversation]):
    """One conversation."""

    serializer_class = ConversationSerializer
    lookup_url_kwarg = "conversation_id"

    def get_queryset(self) -> QuerySet[Conversation]:
        """All of the tenant."""
        return queries.conversations()

    @extend_schema(summary=gettext_lazy("Read a conversation"))
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer with the conversation."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary=gettext_lazy("Assign, snooze, close or reopen a conversation"),
        request=ConversationInputSerializer,
        responses={200: ConversationSerializer},
    )
    def patch(self, request: Request, conversation_id: UUID) -> Response:
        """Change what the body names, all of it or nothing."""
        conversation = self.get_object()
        given = read_body(ConversationInputSerializer, request)
        try:
            with transaction.atomic():
                change_conversation(conversation, given)
        except Conversation.DoesNotExist:
            # It went while the request was read.
            raise Http404 from None
        return Response(ConversationSerializer(self.get_object()).data)


class ConversationRead(IdempotentPostMixin, generics.GenericAPIView[Conversation]):
    """Notes that somebody has looked."""

    serializer_class = ConversationSerializer
    lookup_url_kwarg = "conversation_id"

    def get_queryset(self) -> QuerySet[Conversation]:
        """All of the tenant."""
        return queries.conversations()

    @extend_schema(
        summary=gettext_lazy("Mark a conversation as read"),
        request=None,
        responses={200: ConversationSerializer},
    )
    def post(self, request: Request, conversation_id: UUID) -> Response:
        """It counts no unread message any more, for the whole team."""
        conversation = self.get_object()
        mark_conversation_read(conversation)
        return Response(ConversationSerializer(conversation).data)


class ConversationMessages(IdempotentPostMixin, generics.ListAPIView[Message]):
    """What was written in a conversation."""

    serializer_class = MessageSerializer
    orderings = {"created_at": ("created_at", "id")}
    default_ordering = "-created_at"

    def get_queryset(self) -> QuerySet[Message]:
        """The messages of the conversation."""
        conversation_id = self.kwargs.get("conversation_id")
        messages: QuerySet[Message] = Message.objects.filter(conversation=conversation_id)
        return messages.select_related("author").prefetch_related("attachments")

    @extend_schema(summary=gettext_lazy("List the messages of a conversation, the last first"))
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer with one page."""
        refuse_unknown_conversation(kwargs["conversation_id"])
        return super().get(request, *args, **kwargs)


def send_what_is_asked(
    author: User | None, *, template: MessageTemplate | None = None, body: str = "", **given: Any
) -> Message:
    """Queue a text, or a template filled in.

    Raises:
        ValidationError: by the field of the request's body.
    """
    if template:
        given.pop("subject", None)
        return send_template(template=template, author=author, **given)
    return send_message(body=body, author=author, **given)


def change_conversation(conversation: Conversation, given: dict[str, Any]) -> None:
    """Do what a checked body asks for.

    Raises:
        ValidationError: by the body's field.
    """
    if "assignee" in given:
        assign_conversation(conversation, given["assignee"])
    match given.get("state"):
        case Conversation.State.OPEN:
            reopen_conversation(conversation)
        case Conversation.State.CLOSED:
            close_conversation(conversation)
        case Conversation.State.SNOOZED:
            try:
                snooze_conversation(conversation, given["snoozed_until"])
            except ValidationError as error:
                raise ValidationError({"snoozed_until": error.messages}) from None


def refuse_unknown_conversation(conversation_id: UUID) -> None:
    """Raise Http404 unless the tenant has the conversation."""
    if not Conversation.objects.filter(pk=conversation_id).exists():
        raise Http404


urlpatterns: list[Any] = [
    api_path("messages", MessageCreate.as_view(), "api-messages"),
    api_path("messages/<uuid:message_id>", MessageDetail.as_view(), "api-message"),
    api_path("conversations", ConversationList.as_view(), "api-conversations"),
    api_path(
        "conversations/<uuid:conversation_id>", ConversationDetail.as_view(), "api-conversation"
    ),
    api_path(
        "conversations/<uuid:conversation_id>/read",
        ConversationRead.as_view(),
        "api-conversation-read",
    ),
    api_path(
        "conversations/<uuid:conversation_id>/messages",
        ConversationMessages.as_view(),
        "api-conversation-messages",
    ),
]
