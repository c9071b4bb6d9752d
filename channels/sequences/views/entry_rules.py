"""Entry rules: what takes leads into a sequence by itself."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.views.generic import View

from channels.sequences.asking import FIELDS
from channels.sequences.documents import Says
from channels.sequences.forms import RuleForm
from channels.sequences.models import EntryRule
from channels.sequences.queries import rules_of
from channels.sequences.rules import TRIGGERS, conditions_of, save_rule
from channels.sequences.step_forms import OPERATORS
from channels.sequences.views.base import BuildingMixin, SequenceMixin
from channels.sequences.views.steps_shown import ASKED
from leads.models import Stage


class RulesView(SequenceMixin, View):
    """The rules of a sequence, and a form for another one."""

    tab = "rules"

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """The page."""
        return self.show()

    def show(self, form: RuleForm | None = None, status: int = 200) -> HttpResponse:
        """The page, with a form that somebody has filled in."""
        rules = list(rules_of(self.sequence))
        stages = {str(pk): name for pk, name in Stage.objects.values_list("pk", "name")}
        rows = [{"rule": rule, **_in_words(rule, stages)} for rule in rules]
        fresh = EntryRule(sequence=self.sequence, conditions=[], is_active=True)
        form = form or (RuleForm(rule=fresh) if self.may_build else None)
        return self.page("sequences/rules.html", status=status, rows=rows, form=form)


class AddRuleView(BuildingMixin, RulesView):
    """A new rule."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """Keep it."""
        rule = EntryRule(sequence=self.sequence, conditions=[])
        form = RuleForm(request.POST, rule=rule)
        if not form.is_valid() or not form.run(lambda: save_rule(rule, **form.given)):
            return self.show(form, status=422)
        messages.success(request, _("The rule holds from now on."))
        return redirect("sequences:rules", self.sequence.pk)


class RuleMixin(BuildingMixin):
    """A page about one rule; one that is gone is not found."""

    tab = "rules"

    @cached_property
    def rule(self) -> EntryRule:
        """The rule that the address names."""
        rule = rules_of(self.sequence).filter(pk=self.kwargs["rule_id"]).first()
        if rule is None:
            raise Http404(_("There is no such rule."))
        return rule


class RuleView(RuleMixin, View):
    """Change a rule."""

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """The form."""
        return self._show(RuleForm(rule=self.rule))

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """Keep it."""
        form = RuleForm(request.POST, rule=self.rule)
        if not form.is_valid() or not form.run(lambda: save_rule(self.rule, **form.given)):
            return self._show(form, status=422)
        messages.success(request, _("The rule was saved."))
        return redirect("sequences:rules", self.sequence.pk)

    def _show(self, form: RuleForm, status: int = 200) -> HttpResponse:
        return self.page("sequences/rule.html", status=status, form=form, rule=self.rule)


class DeleteRuleView(RuleMixin, View):
    """Take a rule away; who came in by it stays in."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """Do it."""
        self.rule.delete()
        messages.success(request, _("The rule was deleted. Who came in by it stays in."))
        return redirect("sequences:rules", self.sequence.pk)


def _in_words(rule: EntryRule, stages: dict[str, str]) -> dict[str, Any]:
    conditions = [_condition_in_words(each, stages) for each in conditions_of(rule)]
    return {"trigger": TRIGGERS.get(rule.trigger, rule.trigger), "conditions": conditions}


def _condition_in_words(condition: Says, stages: dict[str, str]) -> str:
    value = condition.value
    if condition.name == "stage":
        value = stages.get(value, _("a stage that is gone"))
    operator = str(dict(OPERATORS)[condition.operator.value])
    shown = f"“{value}”" if value else ""
    name = ASKED.get(condition.name) or FIELDS.get(condition.name, condition.name)
    return f"{name} {operator} {shown}".strip()
