"""Tasks and meetings over HTTP."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema
from rest_framework import generics, status
from rest_framework.request import Request
from rest_framework.response import Response

from leads import services
from leads.api import lock_lead, refuse_unknown_lead
from leads.filters import TaskFilter
from leads.models import Lead, Meeting, Task
from leads.queries import meetings_of, tasks
from leads.task_serializers import (
    MeetingInputSerializer,
    MeetingSerializer,
    TaskChangeSerializer,
    TaskInputSerializer,
    TaskSerializer,
    TaskSkipSerializer,
)
from salesflow.accounts.rest.authentication import person_of
from salesflow.accounts.rest.idempotency import IdempotentPostMixin
from salesflow.accounts.rest.routes import api_path
from salesflow.accounts.rest.serializers import read_body


class TaskList(IdempotentPostMixin, generics.ListAPIView[Task]):
    """The tenant's tasks."""

    serializer_class = TaskSerializer
    filterset_class = TaskFilter
    orderings = {"created_at": ("created_at", "id")}
    default_ordering = "-created_at"

    def get_queryset(self) -> QuerySet[Task]:
        """All of the tenant."""
        return tasks()

    @extend_schema(summary=gettext_lazy("List tasks, the last added first"))
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer with one page."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary=gettext_lazy("Add a task"),
        request=TaskInputSerializer,
        responses={201: TaskSerializer},
    )
    def post(self, request: Request) -> Response:
        """Give somebody of the team something to do about a lead."""
        given = read_body(TaskInputSerializer, request)
        try:
            task = services.add_task(**given)
        except Lead.DoesNotExist:
            # It went while the request was read.
            raise Http404 from None
        return Response(_told(task), status=status.HTTP_201_CREATED)


class _TaskView(IdempotentPostMixin, generics.GenericAPIView[Task]):
    """A view of one of the tenant's tasks."""

    serializer_class = TaskSerializer
    lookup_url_kwarg = "task_id"

    def get_queryset(self) -> QuerySet[Task]:
        """All of the tenant."""
        return tasks()

    def changed(self, change: Callable[[Task], Task]) -> Response:
        """The task after a change; 404 where it went while the request was read."""
        try:
            return Response(_told(change(self.get_object())))
        except Task.DoesNotExist:
            raise Http404 from None


class TaskDetail(_TaskView, generics.RetrieveAPIView[Task]):
    """One task."""

    @extend_schema(summary=gettext_lazy("Read a task"))
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer with the task."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary=gettext_lazy("Assign a task"),
        request=TaskChangeSerializer,
        responses={200: TaskSerializer},
    )
    def patch(self, request: Request, task_id: UUID) -> Response:
        """Give it to a member of the team, or to whoever takes it."""
        given = read_body(TaskChangeSerializer, request)
        assignee = given["assignee"]
        return self.changed(lambda task: services.assign_task(task, assignee))


class TaskComplete(_TaskView):
    """Notes that a task was done."""

    @extend_schema(
        summary=gettext_lazy("Mark a task as done"),
        request=None,
        responses={200: TaskSerializer},
    )
    def post(self, request: Request, task_id: UUID) -> Response:
        """What waits for it goes on; one that was done or skipped before is refused."""
        return self.changed(lambda task: services.complete_task(task, person_of(request)))


class TaskSkip(_TaskView):
    """Notes that a task will not be done."""

    @extend_schema(
        summary=gettext_lazy("Skip a task"),
        request=TaskSkipSerializer,
        responses={200: TaskSerializer},
    )
    def post(self, request: Request, task_id: UUID) -> Response:
        """What waits for it goes on; one that was done or skipped before is refused."""
        given = read_body(TaskSkipSerializer, request)
        return self.changed(lambda task: services.skip_task(task, person_of(request), **given))


class LeadMeetings(IdempotentPostMixin, generics.ListAPIView[Meeting]):
    """The meetings with a lead."""

    serializer_class = MeetingSerializer
    orderings = {"starts_at": ("starts_at", "id")}
    default_ordering = "-starts_at"

    def get_queryset(self) -> QuerySet[Meeting]:
        """The meetings with the lead."""
        return meetings_of(self.kwargs.get("lead_id"))

    @extend_schema(summary=gettext_lazy("List the meetings with a lead, the last first"))
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer with one page."""
        refuse_unknown_lead(kwargs["lead_id"])
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary=gettext_lazy("Keep a meeting with a lead"),
        request=MeetingInputSerializer,
        responses={201: MeetingSerializer},
    )
    def post(self, request: Request, lead_id: UUID) -> Response:
        """Keep a meeting that was arranged; told once more, it is moved."""
        given = read_body(MeetingInputSerializer, request)
        with transaction.atomic():
            lead = lock_lead(lead_id)
            meeting = services.book_meeting(lead, booked_by=person_of(request), **given)
        return Response(MeetingSerializer(meeting).data, status=status.HTTP_201_CREATED)


def _told(task: Task) -> Any:
    """The task as the API tells it."""
    found = tasks().filter(pk=task.pk).first()
    if found is None:
        # Its lead went meanwhile.
        raise Http404
    return TaskSerializer(found).data


urlpatterns: list[Any] = [
    api_path("tasks", TaskList.as_view(), "api-tasks"),
    api_path("tasks/<uuid:task_id>", TaskDetail.as_view(), "api-task"),
    api_path("tasks/<uuid:task_id>/complete", TaskComplete.as_view(), "api-task-complete"),
    api_path("tasks/<uuid:task_id>/skip", TaskSkip.as_view(), "api-task-skip"),
    api_path("leads/<uuid:lead_id>/meetings", LeadMeetings.as_view(), "api-lead-meetings"),
]
