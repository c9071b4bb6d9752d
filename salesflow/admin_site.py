"""What frames every admin page: icon, stylesheet, name of the environment, sidebar."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

# Apps in the order of the sidebar; others follow as they are installed.
APPS = ["events", "leads", "channels", "autopilot", "analytics", "accounts"]
# Groups of permissions stand with the people who have them.
SHOWN_WITH = {"auth": "accounts", "sequences": "channels"}
ICONS = {
    "Event": "bolt",
    "Replay": "replay",
    "AlertRule": "notifications",
    "AuditLine": "history",
    "Lead": "person_search",
    "Pipeline": "view_kanban",
    "Task": "task_alt",
    "Meeting": "calendar_month",
    "Message": "chat",
    "Conversation": "forum",
    "Sequence": "format_list_numbered",
    "Enrolment": "directions_run",
    "Run": "smart_toy",
    "Draft": "edit_note",
    "Suggestion": "lightbulb",
    "Policy": "policy",
    "KnownSequence": "format_list_numbered",
    "Account": "alternate_email",
    "ConsentRecord": "how_to_reg",
    "AddressStanding": "do_not_disturb_on",
    "Tenant": "apartment",
    "User": "group",
    "ApiKey": "key",
    "Group": "admin_panel_settings",
}
ANY_ICON = "table_rows"
# What is called otherwise than many of its rows.
TITLES = {"AuditLine": _("Audit")}
# Those of the events in this order; other apps' in the order of their names.
PLACES = {name: place for place, name in enumerate(["Event", "Replay", "AlertRule", "AuditLine"])}
# The event console's pages that list no model's rows: address, title, icon.
PAGES = (
    ("admin:events_failures", _("Failures"), "bug_report"),
    ("admin:events_handlers", _("Handlers"), "settings_input_component"),
    ("admin:events_catalogue", _("Catalogue"), "menu_book"),
)
MOST_FAILED = 99


def icon(request: HttpRequest) -> str:
    """The address of the product's sign."""
    return static("salesflow/favicon.svg")


def stylesheet(request: HttpRequest) -> str:
    """The address of the admin's own stylesheet."""
    return static("salesflow/admin.css")


def environment(request: HttpRequest) -> list[Any]:
    """The label in the header, and its colour: nobody should take production for a test."""
    if settings.DEBUG:
        return [_("Development"), "info"]
    if settings.SERVED_OVER_HTTPS:
        return [_("Production"), "danger"]
    return [_("Local"), "info"]


def overview(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """How the events are, to who may see them: the first page."""
    from events.console.health import first_page

    if request.user.has_perm("events.view_event"):
        return {**context, **first_page(request.user), "title": _("Health")}
    return {**context, "title": _("Overview")}


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The pages that the user may open, by app."""
    apps = {app["app_label"]: app for app in admin.site.get_app_list(request)}
    for label, host in SHOWN_WITH.items():
        if label in apps and host in apps:
            apps[host]["models"] += apps.pop(label)["models"]
    order = [*APPS, *sorted(apps.keys() - set(APPS))]
    groups = [_group(request, apps[label]) for label in order if label in apps]
    return [_overview(request), *groups]


def _overview(request: HttpRequest) -> dict[str, Any]:
    url = reverse("admin:index")
    item = {"title": _("Overview"), "icon": "home", "link": url, "active": request.path == url}
    if request.user.has_perm("events.view_event"):
        item |= {"title": _("Health"), "icon": "monitor_heart"}
    return {"title": None, "items": [item]}


def _group(request: HttpRequest, app: dict[str, Any]) -> dict[str, Any]:
    models = sorted(app["models"], key=lambda model: PLACES.get(model["object_name"], len(PLACES)))
    items = [_item(request, model) for model in models if model["admin_url"]]
    if app["app_label"] == "events":
        items[1:1] = _event_lists(request, items)
    return {"title": app["name"], "separator": True, "items": items}


def _item(request: HttpRequest, model: dict[str, Any]) -> dict[str, Any]:
    url, chosen = model["admin_url"], request.GET.get("status", "")
    is_narrowed = request.path == url and chosen in ("failed", "pending")
    return {
        "title": TITLES.get(model["object_name"], model["name"]),
        "icon": ICONS.get(model["object_name"], ANY_ICON),
        "link": url,
        "active": request.path.startswith(url) and not is_narrowed,
    }


def _event_lists(request: HttpRequest, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is looked for most: the events that failed, and those that wait."""
    from events.console.queues import given_up, tenants_seen_by

    url = reverse("admin:events_event_changelist")
    if not any(item["link"] == url for item in items):
        return []
    failures, *others = (_page(request, *page) for page in PAGES)
    # As the health page's tile, which leads there, too.
    failed = given_up(tenants_seen_by(request.user), MOST_FAILED)
    return [
        _narrowed(request, url, "failed", _("Failed"), "error"),
        _narrowed(request, url, "pending", _("Pending"), "hourglass_empty"),
        {**failures, "badge": failed} if failed != "0" else failures,
        *others,
    ]


def _page(request: HttpRequest, name: str, title: Any, icon_name: str) -> dict[str, Any]:
    url = reverse(name)
    active = request.path.startswith(url)
    return {"title": title, "icon": icon_name, "link": url, "active": active}


def _narrowed(
    request: HttpRequest, url: str, status: str, title: Any, icon_name: str
) -> dict[str, Any]:
    active = request.path == url and request.GET.get("status") == status
    return {"title": title, "icon": icon_name, "link": f"{url}?status={status}", "active": active}
