"""The address of the page of tasks."""

from django.urls import path

from leads.views.tasks import TaskListView

app_name = "tasks"

urlpatterns = [
    path("", TaskListView.as_view(), name="list"),
]
