"""Within what the autopilot may send by itself, and about what."""

from datetime import time
from enum import StrEnum

import pydantic
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from pydantic import BaseModel, ConfigDict, Field


class Topic(StrEnum):
    """What a message is about, as far as that decides whether a person has to look."""

    THANKS = "thanks"
    APPOINTMENT = "appointment"
    QUESTION = "question"
    PRICE = "price"
    CONTRACT = "contract"
    COMPLAINT = "complaint"
    OTHER = "other"


TOPICS: dict[Topic, str | Promise] = {
    Topic.THANKS: _("Thanks and confirmations"),
    Topic.APPOINTMENT: _("Appointments"),
    Topic.QUESTION: _("Questions about what you offer"),
    Topic.PRICE: _("Prices"),
    Topic.CONTRACT: _("Contracts and law"),
    Topic.COMPLAINT: _("Complaints"),
    Topic.OTHER: _("Anything else"),
}
# What nobody can leave to it.
FOR_PEOPLE = frozenset({Topic.PRICE, Topic.CONTRACT, Topic.COMPLAINT, Topic.OTHER})
FOR_IT = [topic for topic in Topic if topic not in FOR_PEOPLE]


class Limits(BaseModel):
    """Within what it may send by itself, and for how long a draft is good.

    Attributes:
        weekdays: 0 is Monday; with `opens` and `closes` in the tenant's time zone.
        per_day: messages that go out without a person, in all conversations together.
        topics: those of `FOR_IT` that are left to it.
        least_confidence: from 0 to 1; see `channels.autopilot.gates.confidence`.
        own_words: every sentence of it has to be one that the team has written. Without, only what
            it claims and promises is compared with what the team says.
        first_contact: it may answer somebody to whom nobody of the team has written yet.
        hold_seconds: for which people may stop what it sends.
        good_for_hours: then a draft that nobody has decided about is none any more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    weekdays: frozenset[int] = frozenset(range(5))
    opens: time = time(9)
    closes: time = time(17)
    per_day: int = Field(default=10, ge=0, le=1000)
    topics: frozenset[Topic] = frozenset({Topic.THANKS})
    least_confidence: float = Field(default=0.9, ge=0, le=1)
    own_words: bool = True
    first_contact: bool = False
    hold_seconds: int = Field(default=120, ge=10, le=3600)
    good_for_hours: int = Field(default=72, ge=1, le=720)

    @pydantic.field_validator("weekdays")
    @classmethod
    def _are_days(cls, days: frozenset[int]) -> frozenset[int]:
        if not days <= set(range(7)):
            raise ValueError(_("A week has the days 0 to 6."))
        return days

    @pydantic.field_validator("topics")
    @classmethod
    def _can_be_left(cls, topics: frozenset[Topic]) -> frozenset[Topic]:
        if topics & FOR_PEOPLE:
            raise ValueError(_("This topic cannot be left to a model."))
        return topics

    @pydantic.model_validator(mode="after")
    def _opens_before_it_closes(self) -> "Limits":
        if self.opens >= self.closes:
            raise ValueError(_("It has to begin before it ends."))
        return self
