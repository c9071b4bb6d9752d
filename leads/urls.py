"""The addresses of the pages about leads."""

from django.urls import path

from leads.views import changing, reading, tasks

app_name = "leads"

urlpatterns = [
    path("", reading.LeadListView.as_view(), name="list"),
    path("/board", reading.BoardView.as_view(), name="board"),
    path("/new", changing.CreateLeadView.as_view(), name="create"),
    path("/<uuid:lead_id>", reading.LeadDetailView.as_view(), name="detail"),
    path("/<uuid:lead_id>/timeline", reading.TimelineView.as_view(), name="timeline"),
    path("/<uuid:lead_id>/edit", changing.EditLeadView.as_view(), name="edit"),
    path("/<uuid:lead_id>/move", changing.MoveView.as_view(), name="move"),
    path("/<uuid:lead_id>/win", changing.WinView.as_view(), name="win"),
    path("/<uuid:lead_id>/lose", changing.LoseView.as_view(), name="lose"),
    path("/<uuid:lead_id>/assign", changing.AssignView.as_view(), name="assign"),
    path("/<uuid:lead_id>/note", changing.NoteView.as_view(), name="note"),
    path("/<uuid:lead_id>/tasks/new", tasks.AddTaskView.as_view(), name="add-task"),
    path(
        "/<uuid:lead_id>/tasks/<uuid:task_id>/done",
        tasks.CompleteTaskView.as_view(),
        name="complete-task",
    ),
    path(
        "/<uuid:lead_id>/tasks/<uuid:task_id>/skip",
        tasks.SkipTaskView.as_view(),
        name="skip-task",
    ),
    path(
        "/<uuid:lead_id>/tasks/<uuid:task_id>/assign",
        tasks.AssignTaskView.as_view(),
        name="assign-task",
    ),
    path("/<uuid:lead_id>/meetings/new", tasks.AddMeetingView.as_view(), name="add-meeting"),
    path("/<uuid:lead_id>/delete", changing.DeleteView.as_view(), name="delete"),
]
