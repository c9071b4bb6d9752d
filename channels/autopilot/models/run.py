"""What a model was asked, what it answered, what that cost and what came of it."""

from decimal import Decimal

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from channels.autopilot.models.budget import Budget
from channels.autopilot.models.endpoint import Endpoint
from channels.models import Conversation
from leads.models import Lead
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import TenantScoped, User


class ActionType(models.TextChoices):
    """What a model is asked to do."""

    DRAFT = "draft", _("draft a reply")
    PROPOSE = "propose", _("propose the next step")
    QUALIFY = "qualify", _("qualify a lead")
    SUMMARISE = "summarise", _("summarise a conversation")
    EXTRACT = "extract", _("extract leads")
    CHECK = "check", _("try an endpoint")


class Run(TenantScoped):
    """One thing that a model was asked for; `outcome` is a `channels.autopilot.outcomes.Outcome`.

    Deleting a lead deletes what was said about it; what it cost stays in the analytics.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        RUNNING = "running", _("running")
        FINISHED = "finished", _("finished")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    action = models.CharField(_("action"), max_length=20, choices=ActionType.choices)
    key = models.CharField(
        _("key"), max_length=200, help_text=_("What sets it off: the same thing does so once.")
    )
    lead = models.ForeignKey(
        Lead,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        # The index run_of_lead serves it.
        db_index=False,
        related_name="+",
        verbose_name=_("lead"),
    )
    conversation = models.ForeignKey(
        Conversation,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        # The index run_of_conversation serves it.
        db_index=False,
        related_name="+",
        verbose_name=_("conversation"),
    )
    asked_by = models.ForeignKey(
        User,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("asked for by"),
        help_text=_("Empty: an event did."),
    )
    endpoint = models.ForeignKey(
        Endpoint,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        # The index run_trying_endpoint serves who asks for those of one; endpoints are not deleted.
        db_index=False,
        related_name="+",
        verbose_name=_("endpoint"),
    )
    model = models.CharField(
        _("model"), max_length=100, blank=True, help_text=_("As the server called it.")
    )
    prompt_name = models.CharField(_("prompt"), max_length=50, blank=True)
    prompt_version = models.CharField(
        _("prompt version"), max_length=80, blank=True, help_text=_("Its number and digest.")
    )
    messages = models.JSONField(
        _("what was asked"),
        default=list,
        blank=True,
        help_text=_("The whole prompt; deleted after a while."),
    )
    output = models.TextField(_("what was answered"), blank=True)
    result = models.JSONField(_("what was believed of it"), default=dict, blank=True)
    report = models.JSONField(
        _("how it was judged"),
        default=dict,
        blank=True,
        help_text=_("What was cut out and why, and what each gate said."),
    )
    prompt_tokens = models.PositiveIntegerField(_("tokens read"), default=0)
    cached_tokens = models.PositiveIntegerField(_("of these from a cache"), default=0)
    completion_tokens = models.PositiveIntegerField(_("tokens written"), default=0)
    is_estimated = models.BooleanField(_("estimated"), default=False)
    prices = models.JSONField(_("prices"), default=dict, blank=True)
    cost = models.DecimalField(
        _("cost (US dollars)"), max_digits=20, decimal_places=12, default=Decimal(0)
    )
    first_token_ms = models.PositiveIntegerField(_("first token (ms)"), null=True, blank=True)
    latency_ms = models.PositiveIntegerField(_("latency (ms)"), null=True, blank=True)
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.WAITING
    )
    outcome = models.CharField(
        pgettext_lazy("of a step or run", "outcome"), max_length=20, blank=True
    )
    error = models.TextField(_("error"), blank=True)
    earlier_calls = models.PositiveSmallIntegerField(
        default=0,
        db_default=0,
        help_text=_("Made before it was replayed: they count neither as tries nor as costs again."),
    )
    created_at = models.DateTimeField(_("asked for"), db_default=Now())
    started_at = models.DateTimeField(_("begun"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("run of a model")
        verbose_name_plural = _("runs of models")
        constraints = [
            # Whatever sets it off twice, such as a replayed event, finds it there.
            models.UniqueConstraint(fields=["tenant", "key"], name="run_once"),
            models.CheckConstraint(
                condition=Q(state="finished") & ~Q(outcome="")
                | ~Q(state="finished") & Q(outcome=""),
                name="run_ends_in_an_outcome",
            ),
        ]
        indexes = [
            # The list of a tenant's runs, the newest first.
            models.Index(fields=["tenant", "-id"], name="run_by_tenant"),
            # The same list, narrowed: what is rare stands far apart in it.
            models.Index(fields=["tenant", "action", "-id"], name="run_by_action"),
            models.Index(fields=["tenant", "outcome", "-id"], name="run_by_outcome"),
            # What was asked about a lead.
            models.Index(fields=["lead", "-id"], name="run_of_lead"),
            # What is under way in a conversation, and its summary.
            models.Index(
                fields=["conversation", "action", "-id"],
                condition=Q(conversation__isnull=False),
                name="run_of_conversation",
            ),
            # What came of trying an endpoint.
            models.Index(
                fields=["endpoint", "-id"],
                condition=Q(action="check"),
                name="run_trying_endpoint",
            ),
            # Whose prompt is to be deleted: by the time at which it ended.
            models.Index(
                fields=["finished_at"],
                condition=~Q(messages=[]),
                name="run_with_prompt",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.outcome or self.state}"


class Call(TenantScoped):
    """One call to a model, noted before it is made: whoever dies within it has spent the money."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.ForeignKey(
        Run,
        on_delete=models.CASCADE,
        # The constraint's index serves it.
        db_index=False,
        related_name="calls",
        verbose_name=_("run"),
    )
    number = models.PositiveSmallIntegerField(_("number"))
    started_at = models.DateTimeField(_("begun"))
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    prompt_tokens = models.PositiveIntegerField(_("tokens read"), default=0)
    cached_tokens = models.PositiveIntegerField(_("of these from a cache"), default=0)
    completion_tokens = models.PositiveIntegerField(_("tokens written"), default=0)
    is_estimated = models.BooleanField(_("estimated"), default=False)
    prices = models.JSONField(
        _("prices"), default=dict, blank=True, db_default=models.Value({}, models.JSONField())
    )
    budget = models.ForeignKey(
        Budget,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        # Nobody asks for a day's calls, and days are not deleted.
        db_index=False,
        related_name="+",
        verbose_name=_("budget"),
        help_text=_("Of the day on which it began, which pays for it."),
    )
    reserved = models.DecimalField(
        _("reserved (US dollars)"), max_digits=20, decimal_places=12, default=Decimal(0)
    )
    cost = models.DecimalField(
        _("cost (US dollars)"), max_digits=20, decimal_places=12, default=Decimal(0)
    )
    outcome = models.CharField(
        pgettext_lazy("of a step or run", "outcome"), max_length=20, blank=True
    )
    error = models.TextField(_("error"), blank=True)

    class Meta:
        verbose_name = _("call to a model")
        verbose_name_plural = _("calls to models")
        constraints = [
            models.UniqueConstraint(fields=["run", "number"], name="call_number_once"),
        ]
        indexes = [
            # Calls whose worker died.
            models.Index(
                fields=["started_at"],
                condition=Q(finished_at__isnull=True),
                name="call_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number} of {self.run_id}"
