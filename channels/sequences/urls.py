"""The addresses of the pages about sequences."""

from django.urls import path

from channels.sequences.views import building, enrolling, entry_rules, managing, reading

app_name = "sequences"

ONE = "/<uuid:sequence_id>"
STEP = f"{ONE}/steps/<uuid:key>"

urlpatterns = [
    path("", reading.SequenceListView.as_view(), name="list"),
    path("/new", reading.CreateSequenceView.as_view(), name="create"),
    path("/hold", reading.HoldView.as_view(), name="hold"),
    path("/attention", reading.AttentionView.as_view(), name="attention"),
    path("/of/<uuid:lead_id>", enrolling.LeadSequencesView.as_view(), name="lead"),
    path("/enrolments/<uuid:enrolment_id>", reading.EnrolmentView.as_view(), name="enrolment"),
    path(
        "/enrolments/<uuid:enrolment_id>/<slug:verb>",
        enrolling.EnrolmentVerbView.as_view(),
        name="enrolment-verb",
    ),
    path(ONE, building.DetailView.as_view(), name="detail"),
    path(f"{ONE}/steps", building.AddStepView.as_view(), name="add-step"),
    path(STEP, building.StepView.as_view(), name="step"),
    path(f"{STEP}/try", building.TryStepView.as_view(), name="try-step"),
    path(f"{STEP}/<slug:verb>", building.StepVerbView.as_view(), name="step-verb"),
    path(f"{ONE}/preview", building.PreviewView.as_view(), name="preview"),
    path(f"{ONE}/people", reading.PeopleView.as_view(), name="people"),
    path(f"{ONE}/enrol", enrolling.EnrolView.as_view(), name="enrol"),
    path(
        f"{ONE}/bulks/<uuid:bulk_id>/cancel",
        enrolling.CancelBulkView.as_view(),
        name="cancel-bulk",
    ),
    path(f"{ONE}/figures", reading.FiguresView.as_view(), name="figures"),
    path(f"{ONE}/rules", entry_rules.RulesView.as_view(), name="rules"),
    path(f"{ONE}/rules/new", entry_rules.AddRuleView.as_view(), name="add-rule"),
    path(f"{ONE}/rules/<uuid:rule_id>", entry_rules.RuleView.as_view(), name="rule"),
    path(
        f"{ONE}/rules/<uuid:rule_id>/delete",
        entry_rules.DeleteRuleView.as_view(),
        name="delete-rule",
    ),
    path(f"{ONE}/settings", managing.SettingsView.as_view(), name="settings"),
    path(f"{ONE}/publish", managing.PublishView.as_view(), name="publish"),
    path(f"{ONE}/clone", managing.CloneView.as_view(), name="clone"),
    path(f"{ONE}/discard", managing.DiscardView.as_view(), name="discard"),
    path(f"{ONE}/<slug:verb>", managing.VerbView.as_view(), name="verb"),
]
