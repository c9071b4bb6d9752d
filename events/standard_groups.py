"""The two groups of permissions that are there from the start."""

from typing import Any

from django.apps import apps as installed
from django.db.models.signals import post_migrate

ON_CALL, ALL = "Events: on call", "Events: all"

_on_call = ["view_event", "triage_failuregroup", "replay_event"]
CODENAMES = {ON_CALL: _on_call, ALL: [*_on_call, "replay_external", "correct_event"]}


def connect_groups() -> None:
    """Have the groups made after migrating, once the permissions are there: Django makes those of
    an app before it tells of the apps behind it, and `auth` stands behind ours.
    """
    sender = installed.get_app_config("auth")
    post_migrate.connect(make_groups, sender=sender, dispatch_uid="events.make_groups")


def make_groups(using: str, apps: Any = installed, **_kwargs: Any) -> None:
    """Make each group that is not there; one that is stays as people have changed it."""
    group_model = apps.get_model("auth", "Group")
    permissions = apps.get_model("auth", "Permission").objects.using(using)
    for name, codenames in CODENAMES.items():
        group, is_new = group_model.objects.using(using).get_or_create(name=name)
        if is_new:
            group.permissions.set(
                permissions.filter(content_type__app_label="events", codename__in=codenames)
            )
