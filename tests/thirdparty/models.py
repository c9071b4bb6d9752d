"""What the app's handlers leave behind, so that tests can count it."""

from typing import ClassVar, Self

from django.db import models


class Greeting(models.Model):
    """One greeting an event; more rows than one would be a doubled effect."""

    event_id = models.UUIDField()

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        app_label = "thirdparty"

    def __str__(self) -> str:
        return str(self.event_id)
