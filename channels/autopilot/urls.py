"""The addresses of the autopilot's pages."""

from django.urls import path

from channels.autopilot.views import batches, conversations, draft, leads, policies, queue, runs

app_name = "autopilot"

urlpatterns = [
    path("", queue.QueueView.as_view(), name="queue"),
    path("/news", queue.NewsView.as_view(), name="news"),
    path("/drafts/<uuid:draft_id>", queue.QueueView.as_view(), name="draft"),
    path("/drafts/<uuid:draft_id>/approve", draft.ApproveView.as_view(), name="approve"),
    path("/drafts/<uuid:draft_id>/edit", draft.EditView.as_view(), name="edit"),
    path("/drafts/<uuid:draft_id>/dismiss", draft.DismissView.as_view(), name="dismiss"),
    path("/drafts/<uuid:draft_id>/stop", draft.StopView.as_view(), name="stop"),
    path("/drafts/<uuid:draft_id>/redraft", draft.RedraftView.as_view(), name="redraft"),
    path("/drafts/<uuid:draft_id>/mode", draft.ModeView.as_view(), name="mode"),
    path(
        "/conversations/<uuid:conversation_id>",
        conversations.ConversationView.as_view(),
        name="conversation",
    ),
    path("/leads/<uuid:lead_id>", leads.LeadPanelView.as_view(), name="lead"),
    path(
        "/suggestions/<uuid:suggestion_id>/<slug:verb>",
        leads.SuggestionVerbView.as_view(),
        name="suggestion",
    ),
    path("/several", batches.BatchView.as_view(), name="batch"),
    path("/runs", runs.RunListView.as_view(), name="runs"),
    path("/runs/<uuid:run_id>", runs.RunView.as_view(), name="run"),
    path("/runs/<uuid:run_id>/people/<int:number>", runs.AdoptView.as_view(), name="adopt"),
    path("/rules", policies.RuleView.as_view(), name="rules"),
    path("/rules/<slug:channel>", policies.RuleView.as_view(), name="channel-rule"),
    path("/rules/<slug:channel>/forget", policies.ForgetRuleView.as_view(), name="forget-rule"),
    path("/hold", policies.HoldView.as_view(), name="hold"),
]
