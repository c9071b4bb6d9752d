"""The addresses of the settings of channels: accounts and templates."""

from django.urls import path

from channels.views import accounts, templates

app_name = "channels-settings"

urlpatterns = [
    path("/channels", accounts.AccountListView.as_view(), name="accounts"),
    path("/channels/new", accounts.ConnectView.as_view(), name="connect"),
    path("/channels/<uuid:account_id>", accounts.AccountView.as_view(), name="account"),
    path("/channels/<uuid:account_id>/state", accounts.AccountStateView.as_view(), name="state"),
    path("/channels/<uuid:account_id>/try", accounts.TrialView.as_view(), name="try"),
    *(
        path(f"/channels/<uuid:account_id>/{deed}", accounts.DeedView.as_view(deed=deed), name=deed)
        for deed in accounts.DO
    ),
    path("/templates", templates.TemplateListView.as_view(), name="templates"),
    path("/templates/new", templates.CreateTemplateView.as_view(), name="new-template"),
    path("/templates/preview", templates.PreviewView.as_view(), name="preview"),
    path("/templates/<uuid:template_id>", templates.EditTemplateView.as_view(), name="template"),
    path(
        "/templates/<uuid:template_id>/delete",
        templates.DeleteTemplateView.as_view(),
        name="delete-template",
    ),
]
