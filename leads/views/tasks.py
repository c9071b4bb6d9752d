"""The pages of tasks and meetings: what is still to do, and the dialogs that change it."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from itertools import groupby
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView
from django_htmx.http import reswap, retarget, trigger_client_event

from leads import services
from leads.models import Task
from leads.queries import TASK_ORDER, open_tasks
from leads.task_forms import AssignTaskForm, DoneForm, MeetingForm, SkipTaskForm, TaskForm
from leads.views.base import fragment
from leads.views.changing import LeadChangeView, refused
from salesflow.accounts.models import User
from salesflow.accounts.paging import Page
from salesflow.accounts.views import TenantRequiredMixin

PAGE_SIZE = 50
LINKS = ("after", "before")
WHOSE = {
    "mine": gettext_lazy("Mine"),
    "nobody": gettext_lazy("Unassigned"),
    "anybody": gettext_lazy("All"),
}
GROUPS = {
    "overdue": gettext_lazy("Overdue"),
    "today": gettext_lazy("Today"),
    "week": gettext_lazy("Within a week"),
    "later": gettext_lazy("Later"),
    "some_time": gettext_lazy("Some time"),
}


class TaskListView(TenantRequiredMixin, TemplateView):
    """What is still to do, the most urgent first."""

    template_name = "leads/tasks.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What leads/tasks.html names."""
        return super().get_context_data(
            section="tasks",
            **list_context(self.request.user, self.request.GET),  # type: ignore[arg-type]
            **kwargs,
        )


def list_context(
    user: User, query: Mapping[str, str], *, focused: int | None = None
) -> dict[str, Any]:
    """What leads/_task_list.html names.

    Args:
        query: of the list's address: `whose`, one of `WHOSE`, anything else is "mine"; `after` or
            `before`, the keys of a page.
        focused: the place of the task that takes the focus, or the last one before it.
    """
    whose = _whose(query)
    wanted: dict[str, User | Literal["anybody"] | None] = {"mine": user, "nobody": None}
    links = {name: query.get(name, "") for name in LINKS}
    page = _page_of(wanted.get(whose, "anybody"), **links)
    for place, task in enumerate(page.rows):
        task.place = place  # type: ignore[attr-defined]
    return {
        "whose": whose,
        "views": WHOSE,
        "groups": _grouped(page.rows),
        "shown": len(page.rows),
        "address": list_address(query),
        "previous_url": _address(whose, before=page.before) if page.before else None,
        "next_url": _address(whose, after=page.after) if page.after else None,
        "focused": None if focused is None else min(focused, len(page.rows) - 1),
    }


def _page_of(assignee: User | Literal["anybody"] | None, **links: str) -> Page[Task]:
    """A page of what is to do; the first one where there is nothing to do beyond a key any more."""
    rows = open_tasks(assignee)
    page = Page.read_or_first(rows, TASK_ORDER, size=PAGE_SIZE, **links)
    return page if page.rows else Page.read(rows, TASK_ORDER, size=PAGE_SIZE)


def list_address(query: Mapping[str, str]) -> str:
    """The address of the list that `query` asks for."""
    return _address(_whose(query), **{name: query.get(name) for name in LINKS})


def _whose(query: Mapping[str, str]) -> str:
    whose = query.get("whose", "")
    return whose if whose in WHOSE else "mine"


def _address(whose: str, **links: str | None) -> str:
    wanted = {"whose": whose, **links}
    query = urlencode({name: value for name, value in wanted.items() if value})
    return f"{reverse('tasks:list')}?{query}"


def _grouped(tasks: Iterable[Task]) -> list[tuple[str | Promise, list[Task]]]:
    now = timezone.localtime()

    def name(task: Task) -> str:
        return _group_of(task.due_at, now)

    return [(GROUPS[key], list(rows)) for key, rows in groupby(tasks, name)]


def _group_of(due_at: datetime | None, now: datetime) -> str:
    if due_at is None:
        return "some_time"
    if due_at < now:
        return "overdue"
    days = (timezone.localtime(due_at).date() - now.date()) // timedelta(days=1)
    return "today" if days == 0 else "week" if days <= 7 else "later"


class _AddView(LeadChangeView):
    """A dialog that adds something to a lead, named after who writes it."""

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form proposes whoever fills it in."""
        return super().get_form_kwargs() | {"user": self.user}


class AddTaskView(_AddView):
    """Something to do about a lead."""

    form_class = TaskForm
    dialog = "leads/_task_dialog.html"
    toast = gettext_lazy("The task was added.")

    def change(self, form: TaskForm) -> None:
        services.add_task(self.lead, **form.cleaned_data)


class AddMeetingView(_AddView):
    """A meeting with a lead."""

    form_class = MeetingForm
    dialog = "leads/_meeting_dialog.html"
    toast = gettext_lazy("The meeting was recorded.")

    def change(self, form: MeetingForm) -> None:
        services.book_meeting(self.lead, booked_by=self.user, **form.cleaned_data)


class TaskChangeView(LeadChangeView):
    """A change of a task, made on its lead's page or in the list of tasks."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer 404 also when the task goes while the request is answered."""
        try:
            return super().dispatch(request, *args, **kwargs)
        except Task.DoesNotExist as error:
            raise Http404(_("There is no such task.")) from error

    @cached_property
    def task(self) -> Task:
        """The task that the address names."""
        task: Task = self.lead.tasks.get(pk=self.kwargs["task_id"])
        return task

    def get_form_kwargs(self) -> dict[str, Any]:
        """Each of these forms knows its task."""
        return super().get_form_kwargs() | {"task": self.task}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What the dialogs name."""
        place = self.request.POST.get("place") or self.request.GET.get("place", "")
        return super().get_context_data(task=self.task, place=place, **kwargs)

    def answer(self) -> HttpResponse:
        """The list anew where it was changed there, else the lead's page."""
        query = _list_around(self.request)
        if query is None:
            return super().answer()
        messages.success(self.request, str(self.toast))
        if not self.request.htmx:
            return redirect(list_address(query))
        return _list_anew(self.request, query)


class CompleteTaskView(TaskChangeView):
    """A task is done."""

    form_class = DoneForm
    http_method_names = ["post"]
    toast = gettext_lazy("Done.")

    def change(self, form: DoneForm) -> None:
        services.complete_task(self.task, self.user)

    def form_invalid(self, form: DoneForm) -> HttpResponse:
        """Say what is wrong with the button that was pressed."""
        return refused(self.request, self.lead, form)


class SkipTaskView(TaskChangeView):
    """A task will not be done."""

    form_class = SkipTaskForm
    dialog = "leads/_task_skip_dialog.html"
    toast = gettext_lazy("The task was skipped.")

    def change(self, form: SkipTaskForm) -> None:
        services.skip_task(self.task, self.user, form.cleaned_data["reason"])


class AssignTaskView(TaskChangeView):
    """Somebody else is to do a task."""

    form_class = AssignTaskForm
    dialog = "leads/_task_assign_dialog.html"
    toast = gettext_lazy("The task was assigned.")

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form proposes whoever fills it in for what nobody has taken."""
        return super().get_form_kwargs() | {"user": self.user}

    def change(self, form: AssignTaskForm) -> None:
        services.assign_task(self.task, form.cleaned_data["assignee"])


def _list_around(request: Any) -> QueryDict | None:
    """What the address of the list asks for in which a button was pressed; None: it was on another
    page."""
    address = request.htmx.current_url_abs_path if request.htmx else request.POST.get("list", "")
    here = urlsplit(address or "")
    return QueryDict(here.query) if here.path == reverse("tasks:list") else None


def _list_anew(request: Any, query: QueryDict) -> HttpResponse:
    """The list as an answer to htmx; the task in the place of the settled one takes the focus."""
    place = request.POST.get("place", "")
    focused = int(place) if place.isascii() and place.isdigit() and len(place) < 5 else 0
    context = list_context(request.user, query, focused=focused)
    response = fragment(request, "leads/_task_list.html", context)
    return trigger_client_event(
        reswap(retarget(response, "#task-list"), "outerHTML"), "dialog-close"
    )
