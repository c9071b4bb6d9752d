"""What may be spent on a day, and what it was spent on."""

from decimal import Decimal

from django.db import models
from django.utils.translation import gettext_lazy as _

from salesflow.accounts.models import TenantScoped


class Budget(TenantScoped):
    """What a tenant has spent on a day of its time zone. `reserved` is for calls under way.

    The cost of one token has twelve digits after the point, and none is rounded.
    """

    id = models.BigAutoField(primary_key=True)
    day = models.DateField(_("day"))
    limit = models.DecimalField(
        _("limit (US dollars)"), max_digits=20, decimal_places=12, default=Decimal(0)
    )
    reserved = models.DecimalField(
        _("reserved (US dollars)"), max_digits=20, decimal_places=12, default=Decimal(0)
    )
    spent = models.DecimalField(
        _("spent (US dollars)"), max_digits=20, decimal_places=12, default=Decimal(0)
    )

    class Meta:
        verbose_name = _("budget of a day")
        verbose_name_plural = _("budgets of days")
        constraints = [
            # Its index answers "today's", and "the limit of the day before".
            models.UniqueConstraint(fields=["tenant", "day"], name="budget_once_a_day"),
        ]

    def __str__(self) -> str:
        return f"{self.day}: {self.spent} of {self.limit}"


class Expense(TenantScoped):
    """What the calls of a day for one action to one model came to, added up as they end.

    The sum of a day's costs is what its budget has spent.
    """

    id = models.BigAutoField(primary_key=True)
    day = models.DateField(_("day"))
    action = models.CharField(_("action"), max_length=20)
    model = models.CharField(_("model"), max_length=100)
    calls = models.PositiveIntegerField(_("calls"), default=0)
    prompt_tokens = models.PositiveBigIntegerField(_("tokens read"), default=0)
    cached_tokens = models.PositiveBigIntegerField(_("of these from a cache"), default=0)
    completion_tokens = models.PositiveBigIntegerField(_("tokens written"), default=0)
    estimated_calls = models.PositiveIntegerField(
        _("estimated"), default=0, help_text=_("Their tokens were told by nobody.")
    )
    unpriced_calls = models.PositiveIntegerField(
        _("without a price"), default=0, help_text=_("Nobody knows what they cost.")
    )
    cost = models.DecimalField(
        _("cost (US dollars)"), max_digits=20, decimal_places=12, default=Decimal(0)
    )

    class Meta:
        verbose_name = _("expense of a day")
        verbose_name_plural = _("expenses of days")
        constraints = [
            # Its index answers "what was spent since that day".
            models.UniqueConstraint(
                fields=["tenant", "day", "action", "model"], name="expense_once_a_day"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.action} {self.model}: {self.cost}"
